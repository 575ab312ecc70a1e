// SPDX-License-Identifier: Apache-2.0
// F4 of the threat model: whoever holds a lock is awaited, stopped or not, whatever a lock file
// says of it, under another host's name, and where process numbers come twice; that it is over the
// kernel says, and nobody else. What somebody has left written in a lock file holds nobody.
#include <csignal>
#include <optional>
#include <thread>
#include <unistd.h>

#include "base/text.hpp"
#include "reliability/lock_holder.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

constexpr const char* version = "25.11.2";
constexpr const char* waiting = "another installation is at work";

// In a pid namespace of its own: its number is 1, as that of each other one; and another host's
// name, the first word after these.
const Words on_another_host{
    "/usr/bin/unshare", "--uts",   "--pid", "--fork",
    "--kill-child",     "/bin/sh", "-c",    "hostname \"$0\" && exec \"$@\"",
};

// What others write into their locks: a process that lives, one that does not, of another host.
std::vector<std::string> lies() {
    return {"", fmt::format("{}\n", ::getpid()), "4194304\n", "other-host.example 4711\n",
            std::string(65'536, 'x')};
}

class LockHolders : public ::testing::Test {
protected:
    LockHolders() : x_site({"25.11.1", version}, room_in_memory()), x_sound(x_site) {}

    static void write(const fs::path& lock, const std::string& text) {
        const base::Status written = base::write_file(lock, text);
        EXPECT_TRUE(written) << written.error().text();
    }
    // As who died there has left it.
    static fs::path lock_of(const fs::path& prefix, const std::string& text) {
        const fs::path stages = prefix / ".sf-stage";
        fs::create_directories(stages);
        fs::permissions(stages, fs::perms::owner_all);
        write(stages / "lock", text);
        return stages / "lock";
    }
    static std::vector<fs::path> locks_below(const fs::path& folder) {
        std::vector<fs::path> found;
        for (const auto& each : fs::recursive_directory_iterator(folder))
            if (each.is_regular_file() && each.path().extension() == ".lock")
                found.push_back(each.path());
        return found;
    }
    static bool says(Running& running, const std::string& words) {
        const auto end = steady_clock::now() + std::chrono::seconds(60);
        while (steady_clock::now() < end) {
            if (running.said().find(words) != std::string::npos) return true;
            if (running.ended()) return running.said().find(words) != std::string::npos;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
    // While the lock is held nothing is done; once it is not, all is.
    void one_waits(const std::string& text, bool stopped, const Words& around) {
        const fs::path prefix = x_site.at("held");
        const fs::path lock = lock_of(prefix, text);
        LockHolder holder(x_site, lock, around);
        if (stopped) holder.signal(SIGSTOP);
        Running second = x_site.start(x_site.install(version, prefix));
        ASSERT_TRUE(says(second, waiting)) << second.said();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        EXPECT_FALSE(second.ended()) << second.said();
        EXPECT_FALSE(base::exists(prefix / "store") || base::exists(prefix / "view"));
        holder.kill();
        const Said said = second.wait();
        EXPECT_EQ(said.code, 0) << said.text();
        x_sound.check_has(prefix, version, true);
        x_sound.check(prefix);
        fs::remove_all(prefix);
    }
    // nullopt: this machine can.
    std::optional<std::string> no_other_hosts() {
        Words words = on_another_host;
        words.emplace_back("other.example");
        words.emplace_back("/bin/true");
        const base::Environment environment{{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"}};
        if (::geteuid() == 0 && x_site.start_program(words, environment).wait().code == 0)
            return std::nullopt;
        return "a host's name and process numbers of its own need root";
    }

    Site x_site;
    Soundness x_sound;
};

TEST_F(LockHolders, F4WhatIsWrittenInALockHoldsNobody) {
    static_cast<void>(begin_suite("F4 texts",
                                  fmt::format("{} texts in the locks of a prefix, of a client and "
                                              "of a cache",
                                              lies().size()),
                                  x_site.folder()));
    // Whose locks a client has is known once it has read a cache.
    ASSERT_EQ(x_site.run(x_site.install("25.11.1", x_site.at("first"))).code, 0);
    const std::vector<fs::path> clients = locks_below(x_site.at("client"));
    ASSERT_FALSE(clients.empty());
    ASSERT_TRUE(base::exists(x_site.cache() / ".sf-lock"));
    constexpr auto ten_years = std::chrono::hours(24) * 3653;
    int number = 0;
    for (const std::string& text : lies()) {
        SCOPED_TRACE(base::escape_untrusted(text.substr(0, 40)));
        const fs::path prefix = x_site.at("prefix");
        std::vector<fs::path> locks = clients;
        locks.push_back(x_site.cache() / ".sf-lock");
        for (const fs::path& each : locks) write(each, text);
        locks.push_back(lock_of(prefix, text));
        // Of long ago, or of a clock that was late.
        const auto age = ++number % 2 == 0 ? ten_years : -ten_years;
        for (const fs::path& each : locks)
            fs::last_write_time(each, fs::file_time_type::clock::now() + age);
        const Said said = x_site.run(x_site.install(version, prefix));
        EXPECT_EQ(said.code, 0) << said.text();
        EXPECT_EQ(said.err.find(waiting), std::string::npos) << said.text();
        x_sound.check_has(prefix, version, true);
        x_sound.check(prefix);
        fs::remove_all(prefix);
        // For a lock that is held a publisher waits a minute, and gives up.
        if (number % 2 == 0) continue;
        const base::Status published = x_site.small().publish(fmt::format("25.11.{}", 10 + number));
        EXPECT_TRUE(published) << published.error().text();
    }
    say("F4 texts", fmt::format("nobody waited for any; {} locks of a client", clients.size()));
}

TEST_F(LockHolders, F4WhoHoldsItIsAwaited) {
    const std::uint64_t turns = rounds(2, 30);
    static_cast<void>(begin_suite("F4 holders", fmt::format("{} holders", turns), x_site.folder()));
    const std::vector<std::string> texts = lies();
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i)
        one_waits(texts[i % texts.size()], i % 2 == 1, {});
    say("F4 holders", "each was awaited, every other one while it was stopped");
}

TEST_F(LockHolders, F4WhoHoldsItOnAnotherHostIsAwaited) {
    if (const auto why = no_other_hosts()) SF_NOT_RUN(*why);
    const std::uint64_t turns = rounds(2, 30);
    static_cast<void>(
        begin_suite("F4 other hosts", fmt::format("{} holders", turns), x_site.folder()));
    Words around = on_another_host;
    around.emplace_back("other-host.example");
    const std::vector<std::string> texts = lies();
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i)
        one_waits(texts[(i + 2) % texts.size()], i % 2 == 1, around);
    say("F4 other hosts", "each was awaited, every other one while it was stopped");
}

// All are number 1, of hosts with other names; one of them dies on its way, or is stopped for a
// while.
TEST_F(LockHolders, F4TheSameNumbersOnManyHosts) {
    if (const auto why = no_other_hosts()) SF_NOT_RUN(*why);
    const std::uint64_t turns = rounds(2, 30);
    constexpr std::uint64_t hosts = 4;
    Random random = begin_suite(
        "F4 numbers", fmt::format("{} installers x {} rounds", hosts, turns), x_site.folder());
    const auto start = [&](std::uint64_t host, const fs::path& prefix) {
        Words words = on_another_host;
        words.push_back(fmt::format("host{}.example", host));
        words.push_back(program());
        const Words its = x_site.install(x_site.versions()[host % 2], prefix);
        words.insert(words.end(), its.begin(), its.end());
        return x_site.start_program(std::move(words),
                                    {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"},
                                     {"HOME", x_site.at("home").native()},
                                     {"SLURM_FACTORY_CACHE_DIR", x_site.at("client").native()}});
    };
    const Said alone = start(0, x_site.at("alone")).wait();
    ASSERT_EQ(alone.code, 0) << alone.text();
    std::uint64_t killed = 0, waited = 0;
    const auto enough = [&](std::uint64_t done) {
        return done >= 10 * turns || (done >= turns && waited != 0);
    };
    for (std::uint64_t turn = 0; !enough(turn) && !HasFailure(); ++turn) {
        SCOPED_TRACE(fmt::format("round {}", turn + 1));
        const fs::path prefix = x_site.at("prefix");
        std::vector<Running> all;
        for (std::uint64_t i = 0; i < hosts; ++i) all.push_back(start(i, prefix));
        const Running& victim = all[below(random, hosts)];
        const bool dies = turn % 2 == 0;
        std::this_thread::sleep_for(duration<double>(between(random, 0.01, 2 * alone.seconds)));
        ::kill(-victim.pid(), dies ? SIGKILL : SIGSTOP);
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        if (!dies) ::kill(-victim.pid(), SIGCONT);
        for (std::uint64_t i = 0; i < hosts; ++i) {
            const Said said = all[i].wait();
            SCOPED_TRACE(said.text());
            EXPECT_FALSE(said.hung);
            if (said.err.find(waiting) != std::string::npos) ++waited;
            if (said.signal == SIGKILL) {
                ++killed;
                continue;
            }
            EXPECT_EQ(said.code, 0);
            EXPECT_TRUE(Soundness::has(prefix, x_site.versions()[i % 2]));
        }
        x_sound.check(prefix);
        x_sound.check_next(prefix, version);
        fs::remove_all(prefix);
    }
    EXPECT_GT(waited, 0U);
    say("F4 numbers", fmt::format("{} waited, {} were killed on the way", waited, killed));
}

}  // namespace
}  // namespace sf::test
