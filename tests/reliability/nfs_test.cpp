// SPDX-License-Identifier: Apache-2.0
// F5 of the threat model: a prefix, or a cache, on NFS, as nfs_shim shows it to one host or to two.
// Answers get lost, so that what was done is said to have failed; there are no locks; what was
// written turns out to be lost when it is closed or synced; files are stale; hosts see each other's
// work late. Whoever ends well has done it; who does not, says why, has damaged nothing, and does
// it next time.
#include <sys/mount.h>

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <thread>

#include "base/text.hpp"
#include "reliability/nfs_mount.hpp"
#include "reliability/publications.hpp"
#include "reliability/soundness.hpp"
#include "tree/in_use.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr auto as_it_is = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
constexpr double believed = 1;  // seconds that two hosts believe what they saw

// What is done to a prefix, and how one sees that it was.
struct Operation {
    const char* name;
    bool prepared;  // in a prefix with three versions in it, else where nothing is yet
    std::function<Words(const fs::path& prefix)> words;
    std::function<bool(const fs::path& prefix)> is_done;
};

struct Mix {
    const char* name;
    bool one_version = false;  // all install the same
    bool removers = false;     // uninstall, gc, rollback and fsck among them
    double killed = 0;         // which part of them, unless they have ended by then
    // Who dies without locks before he looks again cannot undo himself; `verify` tells of it then,
    // and what it advises makes it whole.
    bool heals = false;
    bool waits = false;  // somebody is to be seen waiting for the lock
};

class Nfs : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        if (no_nfs_shim()) return;
        std::vector<std::string> versions;
        for (int i = 1; i <= 6; ++i) versions.push_back("25.11." + std::to_string(i));
        x_site = new Site(versions, room_in_memory());
        x_sound = new Soundness(*x_site);
        for (const char* version : {"25.11.1", "25.11.2", "25.11.4"}) {
            const Said said = x_site->run(x_site->install(version, x_site->at("prepared")));
            if (said.code != 0) throw std::runtime_error(said.text());
        }
    }
    static void TearDownTestSuite() {
        delete x_sound;
        delete x_site;
    }
    void SetUp() override {
        if (const auto why = no_nfs_shim()) SF_NOT_RUN(*why);
    }
    void TearDown() override {
        if (x_site != nullptr) fs::remove_all(source());
    }

    static fs::path source() { return x_site->at("source"); }
    static fs::path host(int number) { return x_site->at(fmt::format("host{}", number)); }
    static std::string a_version(Random& random) {
        return x_site->versions()[below(random, x_site->versions().size())];
    }
    // On the server, before anybody looks.
    static void prepare(const std::string& name, bool prepared) {
        fs::create_directories(source());
        if (prepared) fs::copy(x_site->at("prepared"), source() / name, as_it_is);
    }

    static std::vector<Operation> operations() {
        using Has = Soundness;
        const auto installs = [](const char* version) {
            return [version](const fs::path& prefix) { return x_site->install(version, prefix); };
        };
        const auto says = [](Words words) {
            return [words](const fs::path& prefix) {
                Words all = words;
                all.insert(all.end(), {"--prefix", prefix.native()});
                return all;
            };
        };
        return {
            {"install", false, installs("25.11.3"),
             [](const fs::path& prefix) { return Has::current(prefix) == "25.11.3"; }},
            {"upgrade", true, installs("25.11.3"),
             [](const fs::path& prefix) { return Has::current(prefix) == "25.11.3"; }},
            {"rollback", true, says({"rollback", "2"}),
             [](const fs::path& prefix) { return Has::current(prefix) == "25.11.2"; }},
            {"uninstall", true, says({"uninstall", "25.11.1", "--no-other-hosts"}),
             [](const fs::path& prefix) { return !Has::has(prefix, "25.11.1"); }},
            {"gc", true, says({"gc", "--keep-days", "0", "--no-other-hosts"}),
             [](const fs::path& prefix) { return !Has::has(prefix, "25.11.1"); }},
            {"fsck", true, says({"fsck"}), [](const fs::path&) { return true; }},
        };
    }

    // What was there before and is not taken away is there whatever happens.
    static void check_kept(const Operation& operation, const fs::path& prefix) {
        if (!operation.prepared) return;
        for (const char* version : {"25.11.2", "25.11.4"})
            x_sound->check_has(prefix, version, false);
        EXPECT_NE(Soundness::current(prefix), "");
    }

    struct Outcome {
        Said said;
        fs::path here;    // as the host sees it
        fs::path server;  // as it is
    };
    // One operation under `words`; the faults end with it.
    static Outcome under(const NfsMount& mount, const Operation& operation,
                         const std::string& words) {
        static int number = 0;
        const std::string name = fmt::format("prefix{}", ++number);
        prepare(name, operation.prepared);
        Outcome outcome{{}, mount.at() / name, source() / name};
        mount.set(words);
        outcome.said = x_site->run(operation.words(outcome.here));
        mount.settle();
        outcome.said.err += fmt::format("({} under {}: {})", operation.name, words, mount.counts());
        return outcome;
    }
    // How many calls of it may go wrong so.
    static std::uint64_t seen(const NfsMount& mount, const Operation& operation,
                              const std::string& kind) {
        const Outcome outcome = under(mount, operation, kind + "=0");
        EXPECT_EQ(outcome.said.code, 0) << outcome.said.text();
        EXPECT_TRUE(operation.is_done(outcome.server)) << outcome.said.text();
        fs::remove_all(outcome.server);
        return mount.count(kind + ".seen");
    }
    // `wanted` of 1 to `all`, one from each part.
    static std::vector<std::uint64_t> some_of(Random& random, std::uint64_t all,
                                              std::uint64_t wanted) {
        std::vector<std::uint64_t> some;
        wanted = std::min(wanted, all);
        for (std::uint64_t i = 0; i < wanted; ++i) {
            const std::uint64_t begin = all * i / wanted;
            some.push_back(1 + begin + below(random, all * (i + 1) / wanted - begin));
        }
        return some;
    }
    // Once the fault has ended the same succeeds, and nothing of it is left.
    static void check_again(const Operation& operation, const Outcome& outcome) {
        const Said again = x_site->run(operation.words(outcome.here));
        // Nothing is left to be taken away of what was taken away.
        const bool gone = again.err.find("does not hold") != std::string::npos;
        EXPECT_TRUE(again.code == 0 || gone) << outcome.said.text() << again.text();
        EXPECT_TRUE(operation.is_done(outcome.server)) << outcome.said.text() << again.text();
        check_kept(operation, outcome.server);
        x_sound->check(outcome.server);
    }

    // What one of many does; the first of them are one remover of each kind.
    static Words words(Random& random, const Mix& mix, std::uint64_t number,
                       const fs::path& prefix) {
        const std::string version = mix.one_version ? "25.11.3" : a_version(random);
        const std::string where = prefix.native();
        if (mix.removers) {
            switch (number < 4 ? number : below(random, 8)) {
                case 0: return {"uninstall", version, "--no-other-hosts", "--prefix", where};
                case 1: return {"gc", "--keep-days", "0", "--no-other-hosts", "--prefix", where};
                case 2: return {"rollback", "--prefix", where};
                case 3: return {"fsck", "--prefix", where};
                default: break;
            }
        }
        return x_site->install(version, prefix);
    }
    // As `verify` advises: fsck, and each version of which something is wrong is installed again.
    // What the dead have left that no version needs goes with gc.
    static bool heal(const fs::path& prefix) {
        const Said told = x_site->run({"verify", "--deep", "--prefix", prefix.native()});
        if (told.code != 0) {
            const Said mended = x_site->run({"fsck", "--prefix", prefix.native()});
            SCOPED_TRACE(told.text() + mended.text());
            for (const std::string& version : x_site->versions()) {
                if (mended.code == 0 || told.text().find(version) == std::string::npos) continue;
                const Said said = x_site->run(x_site->install(version, prefix));
                EXPECT_EQ(said.code, 0) << said.text();
            }
        }
        const Said gone = x_site->run({"gc", "--no-other-hosts", "--prefix", prefix.native()});
        EXPECT_EQ(gone.code, 0) << gone.text();
        return told.code != 0;
    }
    static std::uint64_t processes(const Mix& mix) {
        if (is_nightly()) return 24;
        return mix.removers ? 8 : 6;
    }
    // A whole publication, by a publisher with a home of its own, into a cache on a mount.
    static Running publisher(const fs::path& cache, std::uint64_t number,
                             const std::string& version) {
        const fs::path machine = x_site->at("machines") / std::to_string(number);
        if (!base::exists(machine)) {
            EXPECT_TRUE(x_site->small().copy_keys(machine));
        }
        return x_site->start_program(
            {SF_SMALL_PUBLISHER, "publish", x_site->small().folder().native(), machine.native(),
             version, cache.native()},
            base::current_environment());
    }
    // What is remembered of a cache is remembered by its path.
    static std::string another_cache() {
        static int number = 0;
        return fmt::format("cache{}", ++number);
    }
    // On the server: all is whole, and `published` are there.
    static void check_cache(const std::string& name, const std::set<std::string>& published) {
        const std::string cache = (source() / name).native();
        const Said verified = x_site->run({"cache", "verify", cache, "--deep"});
        EXPECT_EQ(verified.code, 0) << verified.text();
        const std::set<std::string> there =
            what_is_there(x_site->run(ask_what_is_there(*x_site, cache)));
        for (const std::string& version : published)
            EXPECT_TRUE(there.contains(version)) << version << " is lost";
    }
    // One publication into a new cache; the fault, if any, ends with it.
    static Said publish_under(const NfsMount& mount, const std::string& name,
                              const std::string& words) {
        mount.set(words);
        Said said = publisher(mount.at() / name, 0, "25.11.2").wait();
        mount.settle();
        said.err += fmt::format("({} under {}: {})", name, words, mount.counts());
        return said;
    }
    void two_hosts(const Mix& mix, const std::string& faults, std::uint64_t turns);
    void one_round(Random& random, const Mix& mix, const std::string& faults, double serial);

    static Site* x_site;
    static Soundness* x_sound;
    std::uint64_t x_ended = 0, x_killed = 0, x_refused = 0, x_waited = 0, x_healed = 0;
    std::map<std::string, int> x_why;
};
Site* Nfs::x_site = nullptr;
Soundness* Nfs::x_sound = nullptr;

void Nfs::one_round(Random& random, const Mix& mix, const std::string& faults, double serial) {
    const std::uint64_t each_host = processes(mix) / 2;
    prepare("prefix", mix.removers);
    // Who removes, and who switches, needs to see the other, by a lock or at once
    // (docs/formats/store.md, "Locks").
    const double late = mix.removers && !faults.empty() ? 0 : believed;
    const NfsMount hosts[] = {{source(), host(0), late, faults}, {source(), host(1), late, faults}};
    const Canary canary(x_site->at("canary"));
    struct One {
        Words words;
        Running process;
        double kill_after;  // seconds; 0: never
    };
    std::vector<One> all;
    const double spread = serial * static_cast<double>(2 * each_host);
    for (std::uint64_t i = 0; i < 2 * each_host; ++i) {
        const NfsMount& from = hosts[i % 2];
        Words what = words(random, mix, i, from.at() / "prefix");
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
        if (said.err.find("another installation is at work") != std::string::npos) ++x_waited;
        if (said.signal == SIGKILL) {
            ++x_killed;
            continue;
        }
        ++x_ended;
        EXPECT_EQ(said.err.find("internal error"), std::string::npos) << said.text();
        if (each.words[0] == "install" && !mix.removers) {
            EXPECT_EQ(said.code, 0) << said.text();
            // Ended well is done (INV9).
            EXPECT_TRUE(Soundness::has(source() / "prefix", each.words[1].substr(6)))
                << said.text();
            continue;
        }
        EXPECT_TRUE(said.code == 0 || said.code == 1) << said.text();
        if (said.code == 1) {
            ++x_refused;
            ++x_why[each.words[0] + ' ' + last_error(said.err)];
        }
    }
    for (const NfsMount& each : hosts) each.settle();
    if (mix.heals && heal(hosts[0].at() / "prefix")) ++x_healed;
    hosts[0].settle();
    x_sound->check(source() / "prefix");
    // By then each sees what the other has done.
    std::this_thread::sleep_for(duration<double>(believed));
    for (const NfsMount& each : hosts) x_sound->check(each.at() / "prefix");
    const std::string next = mix.one_version ? "25.11.3" : a_version(random);
    const fs::path by = hosts[below(random, 2)].at() / "prefix";
    const Said again = x_site->run(x_site->install(next, by));
    EXPECT_EQ(again.code, 0) << again.text();
    hosts[0].settle();
    x_sound->check_has(source() / "prefix", next, true);
    x_sound->check(source() / "prefix");
    canary.check();
}

void Nfs::two_hosts(const Mix& mix, const std::string& faults, std::uint64_t turns) {
    const std::uint64_t count = processes(mix);
    Random random =
        begin_suite(mix.name, fmt::format("{} processes on two hosts x {} rounds", count, turns),
                    x_site->folder());
    const Said alone = x_site->run(x_site->install("25.11.1", x_site->at("alone")));
    ASSERT_EQ(alone.code, 0) << alone.text();
    fs::remove_all(x_site->at("alone"));
    // Some of those that are to die, or to wait, are done before.
    const auto enough = [&] {
        return (mix.killed == 0 || x_killed != 0) && (!mix.waits || x_waited != 0);
    };
    std::uint64_t done = 0;
    for (; (done < turns || !enough()) && done < turns * 10 && !HasFailure(); ++done) {
        SCOPED_TRACE(fmt::format("round {}", done + 1));
        one_round(random, mix, faults, alone.seconds * 2);
        fs::remove_all(source());
        fs::remove_all(x_site->at("canary"));
    }
    if (!HasFailure()) {
        EXPECT_TRUE(enough()) << "nobody died, or waited, in " << done << " rounds";
    }
    say(mix.name, fmt::format("{} rounds: {} ended, {} killed, {} refused, {} waited for a lock",
                              done, x_ended, x_killed, x_refused, x_waited));
    if (mix.heals) fmt::print("  {} rounds were made whole again by fsck and install\n", x_healed);
    for (const auto& [reason, times] : x_why) fmt::print("  {} times {}\n", times, reason);
}

TEST_F(Nfs, F5TwoHostsOneVersion) {
    two_hosts({.name = "F5 two hosts, the same version", .one_version = true, .waits = true}, "",
              rounds(1, 4));
    EXPECT_GT(x_waited, 0U);
}
TEST_F(Nfs, F5TwoHosts) {
    two_hosts({.name = "F5 two hosts, some killed", .killed = 0.3}, "", rounds(1, 4));
}
TEST_F(Nfs, F5TwoHostsWithRemovers) {
    two_hosts({.name = "F5 two hosts with uninstall, gc, rollback and fsck",
               .removers = true,
               .killed = 0.2},
              "", rounds(1, 4));
}
TEST_F(Nfs, F5WithoutLocksWithRemovers) {
    two_hosts({.name = "F5 no locks, with uninstall, gc, rollback and fsck", .removers = true},
              "locks=0", rounds(2, 20));
    EXPECT_EQ(x_waited, 0U);
}
TEST_F(Nfs, F5WithoutLocksWithRemoversSomeKilled) {
    two_hosts({.name = "F5 no locks, with removers, some killed",
               .removers = true,
               .killed = 0.2,
               .heals = true},
              "locks=0", rounds(1, 20));
}
TEST_F(Nfs, F5WithoutLocksOneVersion) {
    two_hosts({.name = "F5 no locks, the same version", .one_version = true}, "locks=0",
              rounds(1, 8));
    EXPECT_EQ(x_waited, 0U);
}
TEST_F(Nfs, F5WithoutLocks) {
    two_hosts({.name = "F5 no locks, some killed", .killed = 0.3}, "locks=0", rounds(1, 8));
    EXPECT_EQ(x_waited, 0U);
}

// Each call whose answer may be lost, one at a time; then many of them in one run.
TEST_F(Nfs, F5LostAnswers) {
    const std::uint64_t each = rounds(4, 400);
    Random random =
        begin_suite("F5 lost answers", fmt::format("{} of the calls of each operation", each),
                    x_site->folder());
    const NfsMount mount(source(), host(0), 0);
    std::uint64_t lost = 0, runs = 0, many = 0;
    for (const Operation& operation : operations()) {
        const std::uint64_t all = seen(mount, operation, "lost");
        for (const std::uint64_t number : some_of(random, all, each)) {
            const Outcome outcome = under(mount, operation, fmt::format("lost@{}", number));
            SCOPED_TRACE(outcome.said.text());
            ++runs;
            lost += mount.count("lost.done");
            EXPECT_EQ(outcome.said.code, 0);
            EXPECT_TRUE(operation.is_done(outcome.server));
            check_kept(operation, outcome.server);
            x_sound->check(outcome.server);
            fs::remove_all(outcome.server);
            if (HasFailure()) return;
        }
        const Outcome outcome =
            under(mount, operation, fmt::format("seed={} lost=250", below(random, 1U << 30U)));
        SCOPED_TRACE(outcome.said.text());
        many += mount.count("lost.done");
        EXPECT_EQ(outcome.said.code, 0);
        EXPECT_TRUE(operation.is_done(outcome.server));
        mount.set("lost=0");
        x_sound->check(outcome.here);
        check_again(operation, outcome);
        fs::remove_all(outcome.server);
        if (HasFailure()) return;
    }
    say("F5 lost answers", fmt::format("{} of {} runs lost one, {} more were lost in {} runs", lost,
                                       runs, many, operations().size()));
    // Temporary names differ, so a run may make a call less.
    EXPECT_GE(lost * 10, runs * 9);
    EXPECT_GT(many, 20U);
}

// What was written turns out to be lost: with a file each time, and with a folder.
TEST_F(Nfs, F5LateErrors) {
    const std::uint64_t each = rounds(4, 400);
    Random random = begin_suite(
        "F5 late errors", fmt::format("{} of the files of each operation", each), x_site->folder());
    const NfsMount mount(source(), host(0), 0);
    std::uint64_t told = 0, scratch = 0, runs = 0;
    for (const Operation& operation : operations()) {
        const std::uint64_t all = seen(mount, operation, "late");
        for (const std::uint64_t number : some_of(random, all, each)) {
            const Outcome outcome = under(
                mount, operation, fmt::format("seed={} late@{}", below(random, 1U << 30U), number));
            SCOPED_TRACE(outcome.said.text());
            ++runs;
            if (mount.count("late.told") != 0) {
                ++told;
                EXPECT_EQ(outcome.said.code, 1);
                EXPECT_THAT(outcome.said.err, HasSubstr(outcome.here.native()));
                EXPECT_THAT(outcome.said.err,
                            AnyOf(HasSubstr(std::strerror(EIO)), HasSubstr(std::strerror(ENOSPC)),
                                  HasSubstr(std::strerror(EDQUOT))));
            } else {
                // A file that nobody needed any more.
                ++scratch;
                EXPECT_EQ(outcome.said.code, 0);
                EXPECT_TRUE(operation.is_done(outcome.server));
            }
            EXPECT_EQ(mount.count("late.waiting"), 0U) << "nobody has asked whether it is there";
            check_kept(operation, outcome.server);
            x_sound->check(outcome.server);
            mount.set("late=0");
            check_again(operation, outcome);
            fs::remove_all(outcome.server);
            if (HasFailure()) return;
        }
    }
    say("F5 late errors", fmt::format("{} of {} runs were told of one, {} lost what nobody needed",
                                      told, runs, scratch));
    EXPECT_GT(told, runs / 2);
}

// Files that are not what they were: once, where the kernel looks again if a path was given to it,
// and twice.
TEST_F(Nfs, F5StaleFiles) {
    const std::uint64_t each = rounds(2, 100);
    Random random = begin_suite(
        "F5 stale files", fmt::format("{} of the looks of each operation", each), x_site->folder());
    const NfsMount mount(source(), host(0), 0);
    std::uint64_t stale = 0, runs = 0, refused = 0;
    for (const Operation& operation : operations()) {
        const std::uint64_t all = seen(mount, operation, "stale");
        for (const std::uint64_t number : some_of(random, all, 2 * each)) {
            const bool once = ++runs % 3 == 0;
            const Outcome outcome =
                under(mount, operation, fmt::format("often={} stale@{}", once ? 1 : 2, number));
            SCOPED_TRACE(outcome.said.text());
            stale += mount.count("stale.done");
            if (outcome.said.code == 0) {
                EXPECT_TRUE(operation.is_done(outcome.server));
            } else {
                ++refused;
                EXPECT_EQ(outcome.said.code, 1);
                EXPECT_THAT(outcome.said.text(), HasSubstr(std::strerror(ESTALE)));
            }
            check_kept(operation, outcome.server);
            x_sound->check(outcome.server);
            mount.set("stale=0");
            check_again(operation, outcome);
            fs::remove_all(outcome.server);
            if (HasFailure()) return;
        }
    }
    say("F5 stale files", fmt::format("{} in {} runs, {} of which said so", stale, runs, refused));
    EXPECT_GE(stale * 10, runs * 9);
}

// A server that has nothing to do with the prefix, and does not answer: processes that have files
// of it open are looked at all the same by whoever asks what runs from the prefix.
TEST_F(Nfs, F5AnotherServerHangs) {
    constexpr auto patience = std::chrono::seconds(60);
    const NfsMount other(source(), host(0), 0);
    const fs::path prefix = x_site->at("elsewhere");
    fs::copy(x_site->at("prepared"), prefix, as_it_is);
    base::Command command;
    command.argv = {"/bin/sh", "-c", "exec 9>file && touch it && exec /bin/sleep 600"};
    command.directory = other.at();
    const base::Child user = base::Child::spawn(command).value();
    while (!fs::exists(other.at() / "it"))
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // Before its user ends, which closes the file.
    struct Answering {
        const NfsMount& server;
        ~Answering() { server.answer(); }
    } const answering{other};
    other.hang();
    for (const Operation& operation : operations()) {
        if (!operation.prepared) continue;
        Running running = x_site->start(operation.words(prefix));
        const Said said = running.wait(patience);
        EXPECT_EQ(said.code, 0) << operation.name << ' ' << said.signal << '\n' << said.text();
        EXPECT_TRUE(operation.is_done(prefix)) << operation.name;
        if (HasFailure()) break;
        fs::remove_all(prefix);
        fs::copy(x_site->at("prepared"), prefix, as_it_is);
    }
    fs::remove_all(prefix);
}

// Who runs from there is found by path, also where a container has the prefix elsewhere, by inode;
// a server that many hosts ask is asked for all that lies there only where that may tell.
TEST_F(Nfs, F5WhoRunsFromThere) {
    prepare("prefix", true);
    const NfsMount mount(source(), host(0), 0);
    const fs::path prefix = mount.at() / "prefix";
    std::map<std::string, fs::path> parts;
    std::size_t files = 0;
    for (const fs::directory_entry& each : fs::directory_iterator(prefix / "store"))
        parts.emplace(each.path().filename(), each.path());
    for (fs::recursive_directory_iterator it(prefix / "store"), end; it != end; ++it) ++files;
    const auto [used, folder] = *parts.begin();
    const auto look = [&] {
        mount.set("stale=0");
        const auto found = tree::processes_using(parts);
        EXPECT_TRUE(found) << found.error().text();
        return found ? found->parts() : std::set<std::string>();
    };
    const auto sleeper = [&](const fs::path& where) {
        base::Command command;
        command.argv = {"/bin/sleep", "600"};
        command.directory = where;
        return base::Child::spawn(command).value();
    };
    EXPECT_TRUE(look().empty());
    EXPECT_LT(mount.count("stale.seen"), 6 * parts.size());
    {
        const base::Child job = sleeper(folder);
        EXPECT_EQ(look(), std::set{used});
        EXPECT_LT(mount.count("stale.seen"), 6 * parts.size());
    }
    const fs::path elsewhere = x_site->at("elsewhere");
    fs::create_directories(elsewhere);
    ASSERT_EQ(::mount(prefix.c_str(), elsewhere.c_str(), nullptr, MS_BIND, nullptr), 0);
    {
        const base::Child job = sleeper(elsewhere / "store" / used);
        EXPECT_EQ(look(), std::set{used});
        EXPECT_GE(mount.count("stale.seen"), files);
    }
    ASSERT_EQ(::umount2(elsewhere.c_str(), MNT_DETACH), 0);
}

// A cache that publishers on two hosts write into at once, some of them killed. (What one host
// believes of the other's files ends when it opens them, on NFS; not on the shim, so here nothing
// is believed.)
TEST_F(Nfs, F5Publishers) {
    const std::uint64_t turns = rounds(1, 8);
    const std::uint64_t count = is_nightly() ? 24 : 6;
    Random random = begin_suite("F5 publishers",
                                fmt::format("{} publishers on two hosts x {} rounds", count, turns),
                                x_site->folder());
    const NfsMount hosts[] = {{source(), host(0), 0}, {source(), host(1), 0}};
    const Said alone = publisher(hosts[0].at() / another_cache(), 0, "25.11.2").wait();
    ASSERT_EQ(alone.code, 0) << alone.text();
    const double spread = alone.seconds * static_cast<double>(count);
    std::uint64_t killed = 0;
    for (std::uint64_t turn = 0; turn < turns && !HasFailure(); ++turn) {
        SCOPED_TRACE(fmt::format("round {}", turn + 1));
        const std::string name = another_cache();
        std::vector<Publication> all;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::string version = fmt::format("25.11.{}", 100 + i);
            const double when = between(random, 0.001, spread / 2);
            const bool dies = between(random, 0, 1) < 0.3 && i != 0;
            all.push_back(
                {version, publisher(hosts[i % 2].at() / name, i, version), dies ? when : 0});
        }
        std::set<std::string> published;
        for (const std::string& version : await_all(all, published, std::chrono::seconds(600))) {
            ++killed;
            const Said again = publisher(hosts[0].at() / name, 0, version).wait();
            EXPECT_EQ(again.code, 0) << version << ": " << again.text();
            published.insert(version);
        }
        for (const NfsMount& each : hosts) each.settle();
        check_cache(name, published);
    }
    say("F5 publishers", fmt::format("none lost; {} were killed and published again", killed));
}

// Each call of a publication whose answer may be lost, and each file of it that may turn out to be
// lost itself, one at a time.
TEST_F(Nfs, F5FaultsOfPublications) {
    const std::uint64_t each = rounds(2, 100);
    Random random = begin_suite("F5 publications", fmt::format("{} calls, {} files", each, each),
                                x_site->folder());
    const NfsMount mount(source(), host(0), 0);
    std::uint64_t lost = 0, told = 0;
    for (const std::string kind : {"lost", "late"}) {
        const std::string first = another_cache();
        const Said good = publish_under(mount, first, kind + "=0");
        ASSERT_EQ(good.code, 0) << good.text();
        for (const std::uint64_t number : some_of(random, mount.count(kind + ".seen"), each)) {
            const std::string name = another_cache();
            const Said said = publish_under(
                mount, name, fmt::format("seed={} {}@{}", below(random, 1U << 30U), kind, number));
            SCOPED_TRACE(said.text());
            const bool is_told = mount.count("late.told") != 0;
            lost += kind == "lost" ? mount.count("lost.done") : 0;
            told += is_told ? 1 : 0;
            EXPECT_EQ(said.code, kind == "late" && is_told ? 1 : 0);
            if (said.code == 1) {
                EXPECT_THAT(said.err,
                            AnyOf(HasSubstr(std::strerror(EIO)), HasSubstr(std::strerror(ENOSPC)),
                                  HasSubstr(std::strerror(EDQUOT))));
            }
            EXPECT_EQ(mount.count("late.waiting"), 0U) << "nobody has asked whether it is there";
            const Said again = publish_under(mount, name, kind + "=0");
            EXPECT_EQ(again.code, 0) << again.text();
            check_cache(name, {"25.11.2"});
            if (HasFailure()) return;
        }
    }
    say("F5 publications", fmt::format("{} lost an answer, {} were told that a file is lost; the "
                                       "next one made all of it whole",
                                       lost, told));
    EXPECT_GT(lost, 0U);
    EXPECT_GT(told, 0U);
}

// Killed anywhere; the next one, on whichever host, goes on with what the dead have left.
TEST_F(Nfs, F5KilledAtAnyTime) {
    const std::uint64_t turns = rounds(5, 100);
    Random random = begin_suite("F5 killed", fmt::format("{} kills", turns), x_site->folder());
    fs::create_directories(source());
    const NfsMount hosts[] = {{source(), host(0), 0}, {source(), host(1), 0}};
    const Said alone = x_site->run(x_site->install("25.11.1", hosts[0].at() / "alone"));
    ASSERT_EQ(alone.code, 0) << alone.text();
    Strikes strikes(random, turns, alone.seconds);
    while (strikes.go_on() && !HasFailure()) {
        const NfsMount& from = hosts[below(random, 2)];
        const std::string version = a_version(random);
        Running one = x_site->start(x_site->install(version, from.at() / "prefix"));
        const Said said = strikes.strike(one);
        SCOPED_TRACE(said.text());
        from.settle();
        if (said.signal != SIGKILL) x_sound->check_has(source() / "prefix", version, true);
        x_sound->check(source() / "prefix");
        if (below(random, 2) == 0)
            x_sound->check_next(hosts[below(random, 2)].at() / "prefix", version);
        from.settle();
        if (below(random, 8) == 0) fs::remove_all(source() / "prefix");
    }
    strikes.check();
    say("F5 killed", strikes.text());
}

}  // namespace
}  // namespace sf::test
