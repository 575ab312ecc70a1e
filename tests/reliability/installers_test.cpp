// SPDX-License-Identifier: Apache-2.0
// F1, F4 and D2 of the threat model: many installers, and those who take away, at once in one
// prefix; some of them killed or stopped at any moment. Whoever ends well has done it; whatever
// lies in the prefix is whole at every moment; who reads through `view` never misses anything.
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/text.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

// Reads a program through `view`, again and again, from the first time it is there.
class Reader {
public:
    explicit Reader(const fs::path& prefix)
        : x_file(prefix / "view/bin/srun"), x_thread([this] { read_on(); }) {}
    ~Reader() {
        x_stop = true;
        x_thread.join();
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    std::atomic<std::uint64_t> polls = 0;
    std::atomic<std::uint64_t> misses = 0;    // not there, or not whole
    std::atomic<std::uint64_t> relapses = 0;  // nor at once after it

private:
    [[nodiscard]] bool reads() const {
        const base::Fd fd(::open(x_file.c_str(), O_RDONLY | O_CLOEXEC));
        char text[64];
        return fd.valid() && ::read(fd.get(), text, sizeof text) > 10 &&
               std::string_view(text, 5) == "srun ";
    }
    void read_on() {
        while (!x_stop && !reads()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        while (!x_stop) {
            for (int i = 0; i < at_once; ++i) {
                ++polls;
                if (reads()) continue;
                ++misses;
                if (!reads()) ++relapses;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }
    const int at_once = is_nightly() ? 1000 : 200;  // then a pause
    fs::path x_file;
    std::atomic<bool> x_stop = false;
    std::thread x_thread;
};

struct Mix {
    const char* name;
    bool one_version;  // all install the same
    bool removers;     // uninstall, gc, rollback among them
    double killed;     // which part of them, unless they have ended by then
};

class Installers : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        std::vector<std::string> versions;
        for (int i = 1; i <= 8; ++i) versions.push_back("25.11." + std::to_string(i));
        x_site = new Site(versions);
        x_sound = new Soundness(*x_site);
    }
    static void TearDownTestSuite() {
        delete x_sound;
        delete x_site;
    }
    static std::string a_version(Random& random) {
        return x_site->versions()[below(random, x_site->versions().size())];
    }
    // What one of them does.
    static Words words(Random& random, const Mix& mix, const fs::path& prefix) {
        const std::string version = mix.one_version ? "25.11.3" : a_version(random);
        const std::string where = prefix.native();
        if (mix.removers) {
            switch (below(random, 8)) {
                case 0: return {"uninstall", version, "--prefix", where};
                case 1: return {"gc", "--keep-days", "0", "--prefix", where};
                case 2: return {"rollback", "--prefix", where};
                case 3: return {"fsck", "--prefix", where};
                default: break;
            }
        }
        return x_site->install(version, prefix);
    }

    void run_round(Random& random, const Mix& mix, std::uint64_t count, double serial) {
        const fs::path prefix = x_site->at("around") / "prefix";
        // Or those who take away would all be there before there is anything.
        if (mix.removers) {
            fs::create_directories(prefix.parent_path());
            fs::copy(x_site->at("prepared"), prefix,
                     fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        }
        const Canary canary(x_site->at("around") / "canary");
        Reader reader(prefix);
        struct One {
            Words words;
            Running process;
            double kill_after;  // seconds; 0: never
        };
        std::vector<One> all;
        const double spread = serial * static_cast<double>(count);
        const auto begin = steady_clock::now();
        for (std::uint64_t i = 0; i < count; ++i) {
            Words what = words(random, mix, prefix);
            // The same numbers are drawn whoever is killed.
            const double when = between(random, 0.001, spread / 4);
            const bool killed = between(random, 0, 1) < mix.killed;
            all.push_back({what, x_site->start(what), killed ? when : 0});
        }
        std::vector<Victim> victims;
        for (One& each : all) victims.push_back({&each.process, each.kill_after});
        kill_each(std::move(victims));
        for (One& each : all) {
            const Said said = each.process.wait();
            SCOPED_TRACE(each.words[0] + ' ' + each.words[1]);
            ASSERT_FALSE(said.hung) << said.text();
            if (said.signal == SIGKILL) {
                ++x_killed;
                continue;
            }
            ++x_ended;
            if (each.words[0] == "install") {
                EXPECT_EQ(said.code, 0) << said.text();
                x_unpacked += unpacked(said.out);
                // Ended well is done (INV9).
                if (!mix.removers && said.code == 0) {
                    EXPECT_TRUE(Soundness::has(prefix, each.words[1].substr(6))) << said.text();
                }
                continue;
            }
            // What is current, or was never there, is not taken away.
            EXPECT_TRUE(said.code == 0 || said.code == 1) << said.text();
            EXPECT_EQ(said.err.find("internal error"), std::string::npos) << said.text();
            if (said.code == 1) {
                ++x_refused;
                ++x_why[each.words[0] + ' ' + why(said.err)];
            }
        }
        const double took = duration<double>(steady_clock::now() - begin).count();
        x_slowest = std::max(x_slowest, took / spread);
        EXPECT_LT(took, std::max(3 * spread, 60.0)) << "slower than one after the other";
        // Slurm and the two that it needs, by whoever came first.
        if (mix.one_version && !mix.removers && mix.killed == 0) {
            EXPECT_EQ(std::exchange(x_unpacked, {}), 3U) << "packages unpacked";
        }
        x_polls += reader.polls;
        x_misses += reader.misses;
        EXPECT_EQ(reader.relapses, 0U);
        if (!mix.removers) {
            EXPECT_EQ(reader.misses, 0U) << "of " << reader.polls;
        }
        x_sound->check(prefix);
        x_sound->check_next(prefix, mix.one_version ? "25.11.3" : a_version(random));
        canary.check();
        fs::remove_all(x_site->at("around"));
    }

    // How many packages it put in place, by its own words: "...: 3 packages installed, 0 kept".
    static std::uint64_t unpacked(const std::string& out) {
        const std::size_t end = out.find(" packages installed, ");
        if (end == std::string::npos) return 0;
        const std::size_t begin = out.rfind(' ', end - 1) + 1;
        return std::stoull(out.substr(begin, end - begin));
    }

    // Seconds that one installation takes alone.
    static double one_alone() {
        const Said said = x_site->run(x_site->install("25.11.1", x_site->at("alone")));
        EXPECT_EQ(said.code, 0) << said.text();
        fs::remove_all(x_site->at("alone"));
        return said.seconds;
    }

    // The last of its errors, without what differs.
    static std::string why(const std::string& err) {
        std::string line = last_error(err);
        for (const std::string& version : x_site->versions())
            line = base::replace_all(line, version, "VERSION");
        return base::replace_all(line, (x_site->at("around") / "prefix").native(), "PREFIX");
    }

    // A prefix with three versions in it.
    static void prepare() {
        const fs::path prefix = x_site->at("prepared");
        if (base::exists(prefix)) return;
        for (const char* version : {"25.11.1", "25.11.2", "25.11.4"}) {
            const Said said = x_site->run(x_site->install(version, prefix));
            ASSERT_EQ(said.code, 0) << said.text();
        }
    }

    void run_mix(const Mix& mix, std::uint64_t turns) {
        if (mix.removers) prepare();
        const std::uint64_t count = is_nightly() ? 50 : 6;
        Random random = begin_suite(mix.name, fmt::format("{} processes x {} rounds", count, turns),
                                    x_site->folder());
        const double serial = one_alone();
        for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
            SCOPED_TRACE(fmt::format("round {}", i + 1));
            run_round(random, mix, count, serial);
        }
        // A million in the twenty rounds of them all.
        if (is_nightly() && !HasFailure()) {
            EXPECT_GE(x_polls, turns * 50'000);
        }
        say(mix.name,
            fmt::format(
                "{} ended, {} killed, {} refused; {} reads through view, {} of them missed; "
                "one alone takes {:.2f} s, {} at once {:.2f} of that each at most",
                x_ended, x_killed, x_refused, x_polls, x_misses, serial, count, x_slowest));
        for (const auto& [reason, times] : x_why) fmt::print("  {} times {}\n", times, reason);
    }

    static Site* x_site;
    static Soundness* x_sound;
    std::map<std::string, int> x_why;
    std::uint64_t x_ended = 0, x_killed = 0, x_refused = 0, x_polls = 0, x_misses = 0;
    std::uint64_t x_unpacked = 0;
    double x_slowest = 0;
};
Site* Installers::x_site = nullptr;
Soundness* Installers::x_sound = nullptr;

// Twenty rounds in all.
TEST_F(Installers, F1SameVersion) {
    run_mix({"F1 the same version", true, false, 0}, rounds(1, 4));
}
TEST_F(Installers, F1Versions) {
    run_mix({"F1 versions that share packages", false, false, 0}, rounds(1, 4));
}
TEST_F(Installers, F1Killed) {
    run_mix({"F1 some of them killed", false, false, 0.5}, rounds(1, 4));
}
TEST_F(Installers, F1WithRemovers) {
    run_mix({"F1 with uninstall, gc, rollback and fsck", false, true, 0}, rounds(1, 4));
}
TEST_F(Installers, F1WithRemoversKilled) {
    run_mix({"F1 with all of these, some killed", false, true, 0.5}, rounds(1, 4));
}

// One after the other, killed anywhere; the next one goes on with what the dead have left.
TEST_F(Installers, D2KilledAtAnyTime) {
    const std::uint64_t turns = rounds(8, 100);
    Random random =
        begin_suite("D2 installations", fmt::format("{} kills", turns), x_site->folder());
    const fs::path prefix = x_site->at("killed");
    const double serial = one_alone();
    Strikes strikes(random, turns, serial);
    while (strikes.go_on() && !HasFailure()) {
        const std::string version = a_version(random);
        Running one = x_site->start(x_site->install(version, prefix));
        const Said said = strikes.strike(one);
        SCOPED_TRACE(said.text());
        if (said.signal != SIGKILL) x_sound->check_has(prefix, version, true);
        x_sound->check(prefix);
        // Half of them find what several dead have left.
        if (below(random, 2) == 0) x_sound->check_next(prefix, version);
        if (below(random, 8) == 0) fs::remove_all(prefix);
    }
    strikes.check();
    say("D2 installations", strikes.text());
    fs::remove_all(prefix);
}

// Whoever holds the lock is stopped: the others wait, and say so. Dead, it keeps nobody waiting.
TEST_F(Installers, F4StoppedAndKilledHolders) {
    const std::uint64_t turns = rounds(3, 30);
    Random random = begin_suite("F4", fmt::format("{} stopped holders", turns), x_site->folder());
    const fs::path prefix = x_site->at("held");
    const double serial = one_alone();
    std::uint64_t waited = 0;
    std::uint64_t stopped = 0;
    // Some are done before they are stopped.
    while (waited < turns && stopped < turns * 10 && !HasFailure()) {
        ++stopped;
        fs::remove_all(prefix);
        const std::string first_version = a_version(random);
        const std::string second_version = a_version(random);
        const bool dies = below(random, 2) == 0;
        // Until it holds the lock; then some of its way.
        Running first = x_site->start(x_site->install(first_version, prefix));
        while (!base::exists(prefix / ".sf-stage/lock") && !first.ended())
            std::this_thread::sleep_for(std::chrono::microseconds(200));
        std::this_thread::sleep_for(duration<double>(between(random, 0, serial / 8)));
        first.signal(SIGSTOP);
        Running second = x_site->start(x_site->install(second_version, prefix));
        const auto end = steady_clock::now() + std::chrono::seconds(60);
        bool waits = false;
        while (!waits && !second.ended() && steady_clock::now() < end) {
            waits = second.said().find("another installation is at work") != std::string::npos;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        ASSERT_TRUE(waits || second.ended()) << second.said();
        if (waits) {
            ++waited;
            // However long it takes.
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            ASSERT_FALSE(second.ended()) << second.said();
        }
        first.signal(dies ? SIGKILL : SIGCONT);
        const Said one = first.wait();
        const Said other = second.wait();
        SCOPED_TRACE(fmt::format("{}: {}\nthen {}", stopped, one.text(), other.text()));
        EXPECT_FALSE(one.hung || other.hung);
        EXPECT_EQ(other.code, 0);
        x_sound->check_has(prefix, second_version, waits);
        if (!dies) {
            EXPECT_EQ(one.code, 0);
            x_sound->check_has(prefix, first_version, false);
        }
        x_sound->check(prefix);
    }
    if (!HasFailure()) {
        EXPECT_EQ(waited, turns);
    }
    say("F4", fmt::format("in {} of {} the second one waited", waited, stopped));
    fs::remove_all(prefix);
}

}  // namespace
}  // namespace sf::test
