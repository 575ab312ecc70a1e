// SPDX-License-Identifier: Apache-2.0
// D4, E2 and E3 of the threat model: an installation is told to stop, finds no room on the disk, or
// no memory. It ends soon, says so, leaves no process behind, and what is installed is whole.
#include <csignal>
#include <cstdlib>
#include <thread>

#include "reliability/small_disk.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;
using std::chrono::steady_clock;

// Processes whose words or environment name `folder`.
std::vector<std::string> processes_of(const fs::path& folder) {
    std::vector<std::string> found;
    for (const auto& each : fs::directory_iterator("/proc")) {
        if (each.path().filename().native().find_first_not_of("0123456789") != std::string::npos)
            continue;
        const std::string words = base::read_file(each.path() / "cmdline").value_or("");
        const std::string environment = base::read_file(each.path() / "environ").value_or("");
        if (words.empty()) continue;
        if ((words + environment).find(folder.native()) != std::string::npos)
            found.push_back(words);
    }
    return found;
}

class Interruptions : public ::testing::Test {
protected:
    Interruptions() : x_site({"25.11.1", "25.11.2"}, room_in_memory()), x_sound(x_site) {}

    // E3: after an installation that may have lacked memory. `stays`: the next one finds what this
    // one left.
    void check_end(const Said& said, const fs::path& prefix, bool stays) {
        ++(said.code == 0 ? x_installed : said.signal == 0 ? x_said_so : x_died);
        if (said.code == 0) x_sound.check_has(prefix, "25.11.1", true);
        x_sound.check(prefix);
        if (stays) return;
        x_sound.check_next(prefix, "25.11.1");
        fs::remove_all(prefix);
    }

    Site x_site;
    Soundness x_sound;
    std::uint64_t x_said_so = 0, x_died = 0, x_installed = 0;  // E3
};

TEST_F(Interruptions, D4Signals) {
    const std::uint64_t turns = rounds(8, 50);
    Random random = begin_suite("D4", fmt::format("{} signals", turns), x_site.folder());
    const fs::path prefix = x_site.at("prefix");
    ASSERT_EQ(x_site.run(x_site.install("25.11.1", prefix)).code, 0);
    const fs::path before = x_site.at("before");
    constexpr auto as_it_is = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
    fs::copy(prefix, before, as_it_is);
    const double serial = x_site.run(x_site.install("25.11.2", x_site.at("alone"))).seconds;
    constexpr int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    Strikes strikes(random, turns, serial);
    double slowest = 0;
    while (strikes.go_on() && !HasFailure()) {
        const int number = signals[strikes.struck() % 4];
        Running one = x_site.start(x_site.install("25.11.2", prefix));
        const Said said = strikes.strike(one, number);
        SCOPED_TRACE(said.text());
        ASSERT_FALSE(said.hung);
        if (number != SIGPIPE) {  // whoever ignores that one goes on
            EXPECT_LT(strikes.took(), 2.0);
            slowest = std::max(slowest, strikes.took());
        }
        // In its first milliseconds it has no handler yet, and dies of it.
        if (said.code != 0) {
            EXPECT_TRUE(said.signal == number || said.code == 128 + number || said.code == 1);
        } else {
            x_sound.check_has(prefix, "25.11.2", true);
        }
        EXPECT_THAT(processes_of(x_site.folder()), ::testing::IsEmpty());
        x_sound.check(prefix);
        if (said.code != 0 && said.signal == 0) {
            const auto stages = base::list_dir(prefix / ".sf-stage").value();
            for (const std::string& name : stages)
                EXPECT_TRUE(name == "lock" || name.starts_with("old-")) << name << " is left";
        }
        if (said.code == 0) {
            fs::remove_all(prefix);
            fs::copy(before, prefix, as_it_is);
        }
    }
    x_sound.check_next(prefix, "25.11.2");
    strikes.check();
    say("D4", fmt::format("{}, the slowest after {:.3f} s", strikes.text(), slowest));
}

TEST_F(Interruptions, E2FullDisk) {
    if (const auto why = no_small_disks()) SF_NOT_RUN(*why);
    const std::uint64_t sizes = rounds(6, 40);
    static_cast<void>(begin_suite(
        "E2", fmt::format("{} sizes, and as many numbers of inodes", sizes), x_site.folder()));
    SmallDisk disk(x_site.at("disk"));
    const fs::path prefix = disk.at() / "prefix";
    std::uint64_t refused_first = 0, met_the_end = 0, installed = 0;
    const auto one = [&](const std::string& options) {
        SCOPED_TRACE(options);
        disk.mount_tmpfs(options);
        const Said said = x_site.run(x_site.install("25.11.1", prefix));
        ASSERT_TRUE(said.code == 0 || said.code == 1) << said.text();
        if (said.code == 1) {
            EXPECT_NE(said.err.find("space"), std::string::npos) << said.text();
            ++(said.err.find("not enough space") != std::string::npos ? refused_first
                                                                      : met_the_end);
        } else {
            ++installed;
        }
        // All of it or nothing: its last links may be what had no room.
        if (said.code == 0 || Soundness::current(prefix) != "")
            x_sound.check_has(prefix, "25.11.1", true);
        x_sound.check(prefix);
        // With room enough it goes on.
        disk.grow("size=32m,nr_inodes=10000");
        const Said again = x_site.run(x_site.install("25.11.1", prefix));
        EXPECT_EQ(again.code, 0) << again.text();
        x_sound.check_has(prefix, "25.11.1", true);
        x_sound.check(prefix);
    };
    for (std::uint64_t i = 0; i < sizes && !HasFailure(); ++i) {
        // The files of ours alone are 150 KiB; 4 MiB are asked for beside them.
        one(fmt::format("size={}k,nr_inodes=10000", 64 + i * 5120 / sizes));
        one(fmt::format("size=32m,nr_inodes={}", 4 + i * 90 / sizes));
    }
    EXPECT_GT(refused_first, 0U);
    EXPECT_GT(met_the_end, 0U);
    EXPECT_GT(installed, 0U);
    say("E2", fmt::format("{} refused beforehand, {} met the end of it, {} installed; all whole",
                          refused_first, met_the_end, installed));
}

TEST_F(Interruptions, E3LittleMemory) {
    const std::uint64_t sizes = rounds(8, 200);
    static_cast<void>(
        begin_suite("E3", fmt::format("{} sizes of RLIMIT_AS", sizes), x_site.folder()));
    const fs::path prefix = x_site.at("prefix");
    for (std::uint64_t i = 0; i < sizes && !HasFailure(); ++i) {
        base::Limits limits;
        // From what the loader alone needs to more than enough.
        limits.memory_bytes = (std::uint64_t{24} << 20) + i * (std::uint64_t{600} << 20) / sizes;
        const Said said = x_site.start(x_site.install("25.11.1", prefix), {}, limits).wait();
        SCOPED_TRACE(fmt::format("{} bytes: {}", *limits.memory_bytes, said.text()));
        ASSERT_FALSE(said.hung);
        check_end(said, prefix, i % 2 == 0);
    }
    EXPECT_GT(x_installed, 0U);
    EXPECT_GT(x_said_so + x_died, 0U);
    say("E3", fmt::format("{} installed, {} failed with a message, {} died; all whole", x_installed,
                          x_said_so, x_died));
}

// By failing_malloc.cpp: one allocation fails, or in every other round it and each one after it.
TEST_F(Interruptions, E3NthAllocationFails) {
    const std::uint64_t turns = rounds(8, 200);
    Random random =
        begin_suite("E3 allocations", fmt::format("{} failures", turns), x_site.folder());
    const fs::path prefix = x_site.at("prefix");
    const fs::path counted = x_site.at("allocations");
    const auto install = [&](std::uint64_t at, bool all) {
        std::vector<std::string> argv{program()};
        const Words words = x_site.install("25.11.1", prefix);
        argv.insert(argv.end(), words.begin(), words.end());
        return x_site
            .start_program(std::move(argv),
                           {{"PATH", "/usr/bin:/bin:/usr/sbin:/sbin"},
                            {"HOME", x_site.at("home").native()},
                            {"SLURM_FACTORY_CACHE_DIR", x_site.at("client").native()},
                            {"LD_PRELOAD", SF_FAILING_MALLOC},
                            {"SF_FAIL_AT", std::to_string(at)},
                            {"SF_FAIL_ALL", all ? "1" : "0"},
                            {"SF_ALLOCATIONS", counted.native()}})
            .wait();
    };
    const Said whole = install(0, false);
    ASSERT_EQ(whole.code, 0) << whole.text();
    const std::uint64_t count =
        std::strtoull(base::read_file(counted).value_or("").c_str(), nullptr, 10);
    ASSERT_GT(count, 1000U) << "its allocations are not seen";
    fs::remove_all(prefix);
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
        const std::uint64_t share = count / turns;
        const Said said = install(1 + i * share + below(random, share), i % 2 == 1);
        SCOPED_TRACE(said.text());
        ASSERT_FALSE(said.hung);
        check_end(said, prefix, i % 3 == 0);
    }
    EXPECT_GT(x_said_so + x_died, 0U);
    say("E3 allocations",
        fmt::format(
            "of {}; {} installed all the same, {} failed with a message, {} died; all whole", count,
            x_installed, x_said_so, x_died));
}

}  // namespace
}  // namespace sf::test
