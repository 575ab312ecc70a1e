// SPDX-License-Identifier: Apache-2.0
// F2, F3, F4 and D2 of the threat model: many publishers of one cache at once, some of them killed
// or stopped, and clients that install meanwhile. Nothing that was published is lost, whoever dies;
// a client always gets one consistent state. The publishers are this program (main.cpp), each with
// a home of its own, as on machines of their own; the clients, and who looks the cache over, are
// the real program.
#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "reliability/lock_holder.hpp"
#include "reliability/publications.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

class Publishers : public ::testing::Test {
protected:
    explicit Publishers() : x_site({"25.11.1"}) {}

    fs::path machine(std::uint64_t number) {
        const fs::path folder = x_site.at("machines") / std::to_string(number);
        if (!base::exists(folder)) {
            const base::Status made = x_site.small().copy_keys(folder);
            EXPECT_TRUE(made) << made.error().text();
        }
        return folder;
    }
    Running publisher(std::uint64_t number, const std::string& version) {
        return x_site.start_program({own_program(), "--publish", x_site.small().folder().native(),
                                     machine(number).native(), version},
                                    base::current_environment());
    }
    // Seconds that one takes alone.
    double one_alone() {
        const Said said = publisher(0, "25.11.2").wait();
        EXPECT_EQ(said.code, 0) << said.text();
        return said.seconds;
    }
    // What the signed index names.
    std::set<std::string> named() { return what_is_there(x_site.run(ask_what_is_there(x_site))); }

    struct Turn {
        std::uint64_t publishers;
        double killed;  // which part of them
        std::uint64_t clients;
        std::uint64_t installs;  // of each client
    };
    void run_turn(Random& random, const Turn& turn, std::uint64_t first, double serial) {
        std::vector<Publication> all;
        const double spread = serial * static_cast<double>(turn.publishers);
        for (std::uint64_t i = 0; i < turn.publishers; ++i) machine(i);
        const auto begin = steady_clock::now();
        for (std::uint64_t i = 0; i < turn.publishers; ++i) {
            const std::string version = fmt::format("25.11.{}", first + i);
            const double when = between(random, 0.001, spread / 2);
            const bool killed = between(random, 0, 1) < turn.killed;
            all.push_back({version, publisher(i, version), killed ? when : 0});
        }
        // F3: while the snapshot is replaced under them.
        std::vector<std::thread> clients;
        std::atomic<std::uint64_t> wrong = 0;
        std::mutex mutex;
        std::string why;
        std::atomic<bool> over = false;
        for (std::uint64_t i = 0; i < turn.clients; ++i) {
            const fs::path home = x_clients.at(i);
            clients.emplace_back([&, i, home] {
                const fs::path prefix = x_site.at("prefix-" + std::to_string(i));
                for (std::uint64_t n = 0; n < turn.installs && !over; ++n) {
                    Said said;
                    {
                        std::unique_lock lock(mutex);
                        Running client = x_site.start(x_site.install("25.11", prefix), home);
                        lock.unlock();
                        said = client.wait();
                    }
                    ++x_installs;
                    const std::string got = Soundness::current(prefix);
                    if (said.code == 0 && got.starts_with("25.11.")) continue;
                    ++wrong;
                    const std::lock_guard lock(mutex);
                    why = said.text() + " with " + got;
                }
                Running check = [&] {
                    const std::lock_guard lock(mutex);
                    return x_site.start({"verify", "--deep", "--prefix", prefix.native()}, home);
                }();
                const Said said = check.wait();
                if (said.code == 0) return;
                ++wrong;
                const std::lock_guard lock(mutex);
                why = said.text();
            });
        }
        const std::set<std::string> dead = await_all(all, x_published);
        const double took = duration<double>(steady_clock::now() - begin).count();
        x_slowest = std::max(x_slowest, took / spread);
        x_killed += dead.size();
        for (std::thread& client : clients) client.join();
        EXPECT_EQ(wrong, 0U) << why;
        // Nothing that was called done is lost.
        const std::set<std::string> there = named();
        for (const std::string& version : x_published)
            EXPECT_TRUE(there.contains(version)) << version << " is lost";
        check_published(x_site, dead);
        // Who died does it again.
        for (const std::string& version : dead) {
            const Said said = publisher(0, version).wait();
            EXPECT_EQ(said.code, 0) << version << ": " << said.text();
            x_published.insert(version);
        }
    }

    void everything_is_there() {
        const std::set<std::string> there = named();
        for (const std::string& version : x_published)
            EXPECT_TRUE(there.contains(version)) << version;
        const Said said = x_site.run({"cache", "verify", x_site.cache().native(), "--deep"});
        EXPECT_EQ(said.code, 0) << said.text();
        // And can be installed: some of them, for a client that knows nothing.
        int tried = 0;
        for (const std::string& version : x_published) {
            if (++tried > 10) break;
            const Said installed = x_site.run(x_site.install(version, x_site.at("last")));
            EXPECT_EQ(installed.code, 0) << installed.text();
            EXPECT_EQ(Soundness::current(x_site.at("last")), version);
        }
    }

    Site x_site;
    std::vector<fs::path> x_clients;
    std::set<std::string> x_published;
    std::uint64_t x_killed = 0;
    std::atomic<std::uint64_t> x_installs = 0;
    double x_slowest = 0;
};

TEST_F(Publishers, F2AtOnceAndF3ClientsMeanwhile) {
    const std::uint64_t turns = rounds(1, 20);
    const std::uint64_t count = is_nightly() ? 50 : 6;
    const std::uint64_t clients = 2;
    const std::uint64_t installs = is_nightly() ? 13 : 3;
    Random random = begin_suite(
        "F2",
        fmt::format("{} publishers x {} rounds, every other round a third killed; F3: {} clients",
                    count, turns, clients),
        x_site.folder());
    for (std::uint64_t i = 0; i < clients; ++i)
        x_clients.push_back(x_site.new_client("client-" + std::to_string(i)));
    const double serial = one_alone();
    for (std::uint64_t turn = 0; turn < turns && !HasFailure(); ++turn) {
        SCOPED_TRACE(fmt::format("round {}", turn + 1));
        const double killed = turns == 1 || turn % 2 == 1 ? 0.33 : 0;
        run_turn(random, {count, killed, clients, installs}, (turn + 1) * 100, serial);
    }
    everything_is_there();
    say("F2", fmt::format("{} published, {} killed on the way and published again, none lost; one "
                          "alone takes {:.2f} s, {} at once {:.2f} of that each at most",
                          x_published.size(), x_killed, serial, count, x_slowest));
    say("F3", fmt::format("{} installations meanwhile", x_installs.load()));
}

TEST_F(Publishers, D2KilledAtAnyTime) {
    const std::uint64_t turns = rounds(5, 100);
    Random random = begin_suite("D2 publications", fmt::format("{} kills", turns), x_site.folder());
    const double serial = one_alone();
    Strikes strikes(random, turns, serial);
    while (strikes.go_on() && !HasFailure()) {
        const std::uint64_t i = strikes.struck();
        const std::string version = fmt::format("25.11.{}", 100 + i);
        Running one = publisher(i % 3, version);
        const Said said = strikes.strike(one);
        SCOPED_TRACE(said.text());
        std::set<std::string> died;
        if (said.signal == SIGKILL) died.insert(version);
        check_published(x_site, died);
        const std::set<std::string> there = named();
        for (const std::string& each : x_published) ASSERT_TRUE(there.contains(each)) << each;
        if (said.signal != SIGKILL) {
            EXPECT_TRUE(there.contains(version));
        }
        if (below(random, 2) == 0) {
            const Said again = publisher((i + 1) % 3, version).wait();
            ASSERT_EQ(again.code, 0) << again.text();
            x_published.insert(version);
        }
    }
    everything_is_there();
    strikes.check();
    say("D2 publications", strikes.text());
}

// F4: wherever a publisher is stopped, nobody waits for it but for the moment in which it changes a
// name. Going on, it finds what others have done meanwhile; dead, it is in nobody's way.
TEST_F(Publishers, F4StoppedAndKilledPublishers) {
    const std::uint64_t turns = rounds(3, 30);
    Random random =
        begin_suite("F4 publishers", fmt::format("{} stopped publishers", turns), x_site.folder());
    const double serial = one_alone();
    const double patience = 5 + 5 * serial;
    const fs::path lock = x_site.cache() / ".sf-lock";
    std::uint64_t waited = 0;
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
        const std::string first_version = fmt::format("25.11.{}", 100 + 2 * i);
        const std::string second_version = fmt::format("25.11.{}", 101 + 2 * i);
        Running first = publisher(1, first_version);
        std::this_thread::sleep_for(duration<double>(between(random, 0.001, serial)));
        first.signal(SIGSTOP);
        Running second = publisher(2, second_version);
        while (!second.ended() && second.seconds() < patience)
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (!second.ended()) {
            ++waited;
            EXPECT_TRUE(is_held(lock)) << "what does it wait for?";
        }
        const bool dies = below(random, 2) == 0;
        first.signal(dies ? SIGKILL : SIGCONT);
        const Said one = first.wait();
        const Said other = second.wait();
        SCOPED_TRACE(fmt::format("{}: {}\nthen {}", i + 1, one.text(), other.text()));
        EXPECT_FALSE(one.hung || other.hung);
        EXPECT_EQ(other.code, 0);
        x_published.insert(second_version);
        std::set<std::string> died;
        if (one.signal == SIGKILL) {
            died.insert(first_version);
        } else {
            EXPECT_EQ(one.code, 0);
            x_published.insert(first_version);
        }
        x_killed += died.size();
        check_published(x_site, died);
        const std::set<std::string> there = named();
        for (const std::string& each : x_published) EXPECT_TRUE(there.contains(each)) << each;
    }
    everything_is_there();
    say("F4 publishers", fmt::format("{} stopped, {} of them killed then; {} times the second one "
                                     "waited for the lock of the cache",
                                     turns, x_killed, waited));
}

// F4: who holds the lock of a cache and does nothing is awaited for a minute; then that is said,
// and nothing was changed. Once the holder is gone nothing is in the way.
TEST_F(Publishers, F4AHeldCache) {
    static_cast<void>(begin_suite("F4 held cache", "1 holder", x_site.folder()));
    const double serial = one_alone();
    const fs::path snapshot = x_site.cache() / "bookworm/slurm/25.11/_sf/snapshot.json";
    const std::string before = base::read_file(snapshot).value();
    LockHolder holder(x_site, x_site.cache() / ".sf-lock");
    Running one = publisher(1, "25.11.100");
    std::this_thread::sleep_for(duration<double>(3 * serial));
    EXPECT_FALSE(one.ended()) << "it did not wait";
    EXPECT_EQ(base::read_file(snapshot).value(), before);
    const bool gives_up = is_nightly();
    if (!gives_up) holder.kill();
    const Said said = one.wait();
    if (gives_up) {
        EXPECT_EQ(said.code, 1) << said.text();
        EXPECT_NE(said.text().find("does a writer hang?"), std::string::npos) << said.text();
        EXPECT_EQ(base::read_file(snapshot).value(), before);
        holder.kill();
        const Said again = publisher(1, "25.11.100").wait();
        EXPECT_EQ(again.code, 0) << again.text();
    } else {
        EXPECT_EQ(said.code, 0) << said.text();
    }
    x_published.insert("25.11.100");
    check_published(x_site, {});
    everything_is_there();
    say("F4 held cache", gives_up ? "given up after a minute" : "awaited");
}

}  // namespace
}  // namespace sf::test
