// SPDX-License-Identifier: Apache-2.0
// C2 of the threat model: while an archive is unpacked a thread swaps folders on its way for links
// to the outside, and back; while root installs below a folder where everybody may make files,
// somebody makes links there. Nothing is ever written outside.
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "pack/archive_reader.hpp"
#include "pack/jail.hpp"
#include "reliability/soundness.hpp"
#include "support/packages.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

// Swaps one folder after the other below `stage`, by chance.
class Swapper {
public:
    Swapper(fs::path stage, fs::path canary, std::vector<std::string> folders, std::uint64_t seed)
        : x_stage(std::move(stage)),
          x_canary(std::move(canary)),
          x_folders(std::move(folders)),
          x_random(seed),
          x_thread([this] { swap_on(); }) {}
    ~Swapper() {
        x_stop = true;
        x_thread.join();
    }
    Swapper(const Swapper&) = delete;
    Swapper& operator=(const Swapper&) = delete;
    std::atomic<std::uint64_t> swaps = 0;

private:
    void swap_on() {
        const fs::path aside = x_stage / "aside";
        while (!x_stop) {
            const fs::path folder = x_stage / x_folders[below(x_random, x_folders.size())];
            if (::rename(folder.c_str(), aside.c_str()) != 0) continue;
            if (::symlink(x_canary.c_str(), folder.c_str()) == 0) {
                ++swaps;
                // Where the unpacking looks at it between the two, it should find the link.
                if (below(x_random, 4) == 0) std::this_thread::yield();
                ::unlink(folder.c_str());
            }
            // What was made meanwhile is in the way, and is the archive's.
            if (::rename(aside.c_str(), folder.c_str()) != 0) fs::remove_all(aside);
        }
    }
    fs::path x_stage, x_canary;
    std::vector<std::string> x_folders;
    Random x_random;
    std::atomic<bool> x_stop = false;
    std::thread x_thread;
};

// What unpacking is made of, without the archive: the way with openat2 and that without, in turn.
TEST(Symlinks, C2FoldersSwappedUnderTheJail) {
    const base::TempDir room = base::TempDir::create(room_in_memory(), "sfr-").value();
    const std::uint64_t seconds = rounds(2, 60);
    const std::uint64_t least = rounds(10'000, 1'000'000);
    Random random =
        begin_suite("C2 jail", fmt::format("{} swaps, {} s at least", least, seconds), room.path());
    const Canary canary(room.path() / "canary");
    const fs::path stage = room.path() / "stage";
    fs::create_directories(stage / "a/b/c");
    const base::Fd into = base::open_file(stage, O_RDONLY | O_DIRECTORY).value();
    std::uint64_t swaps = 0, made = 0, refused = 0;
    // On a busy machine it takes longer.
    const auto end = steady_clock::now() + std::chrono::seconds(seconds);
    const auto at_last = end + 9 * std::chrono::seconds(seconds);
    for (bool by_component = false;
         steady_clock::now() < end || (swaps < least && steady_clock::now() < at_last);
         by_component = !by_component) {
        pack::Jail jail(into.get(), by_component);
        {
            Swapper swapper(stage, canary.folder(), {"a", "a/b", "a/b/c"}, random());
            for (int i = 0; i < 1000; ++i) {
                const std::string name = fmt::format("a/b/c/{}", i);
                ++(jail.create_file(name, 0644) ? made : refused);
                ++(jail.make_symlink(name + 'l', "x") ? made : refused);
                ++(jail.make_directory(name + 'd') ? made : refused);
                ++(jail.make_hardlink(name, "a/b/c/h") ? made : refused);
            }
            swaps += swapper.swaps;
        }
        canary.check();
        if (::testing::Test::HasFailure()) break;
        ASSERT_TRUE(base::remove_tree(stage / "a"));
        ASSERT_TRUE(base::remove_tree(stage / "aside"));
        fs::create_directories(stage / "a/b/c");
    }
    EXPECT_GE(swaps, least / 10);
    EXPECT_GT(made, 0U);
    EXPECT_GT(refused, 0U);
    say("C2 jail",
        fmt::format("{} swaps; {} things made, {} refused; nothing outside", swaps, made, refused));
}

TEST(Symlinks, C2FoldersSwappedWhileAnArchiveIsUnpacked) {
    const base::TempDir room = base::TempDir::create(room_in_memory(), "sfr-").value();
    const std::uint64_t seconds = rounds(2, 60);
    const std::uint64_t least = rounds(1'000, 30'000);
    Random random = begin_suite(
        "C2 archives", fmt::format("{} swaps, {} s at least", least, seconds), room.path());
    std::vector<Item> items;
    std::vector<std::string> folders;
    for (int i = 0; i < 20; ++i) {
        const std::string folder = fmt::format("d{}/e{}/f{}", i % 2, i % 4, i);
        for (int file = 0; file < 5; ++file)
            items.push_back(
                {fmt::format("{}/file{}", folder, file), std::string(2000, 'x'), false});
        items.push_back({folder + "/link", "file0", false, true});
        folders.push_back(folder);
    }
    const BuiltPackage built = make_package(room.path() / "packages", "zlib", "1", items);
    const std::string name = built.package.store_name();
    for (std::string& folder : folders) folder = name + '/' + folder;
    for (const char* each : {"", "/d0", "/d1", "/d0/e0", "/d1/e1"}) folders.push_back(name + each);

    const Canary canary(room.path() / "canary");
    const base::Fd archive = base::open_file(built.folder / "run.tar.zst", O_RDONLY).value();
    pack::ArchivePolicy policy;
    policy.top = name;
    policy.record = &built.package.run;
    std::uint64_t swaps = 0, whole = 0, refused = 0;
    const auto end = steady_clock::now() + std::chrono::seconds(seconds);
    const auto at_last = end + 9 * std::chrono::seconds(seconds);
    while (steady_clock::now() < end || (swaps < least && steady_clock::now() < at_last)) {
        const fs::path stage = room.path() / "stage";
        fs::create_directory(stage);
        const base::Fd into = base::open_file(stage, O_RDONLY | O_DIRECTORY).value();
        {
            Swapper swapper(stage, canary.folder(), folders, random());
            for (int i = 0; i < 50; ++i) {
                const auto made =
                    pack::unpack_archive({archive.get(), "run.tar.zst"}, policy, into.get());
                ++(made ? whole : refused);
                std::error_code error;
                fs::remove_all(stage / name, error);  // while it goes on
            }
            swaps += swapper.swaps;
        }
        canary.check();
        ASSERT_TRUE(base::remove_tree(stage));
        if (::testing::Test::HasFailure()) break;
    }
    EXPECT_GE(swaps, least / 10);
    EXPECT_GT(refused, 0U) << "nobody met a link";
    say("C2 archives",
        fmt::format("{} swaps; {} times unpacked whole, {} times refused; nothing outside", swaps,
                    whole, refused));
}

// The real program, as root, below a folder of mode 1777 in which another user makes links.
TEST(Symlinks, C2LinksWhereARootInstalls) {
    if (::geteuid() != 0) SF_NOT_RUN("only root can start a process of another uid");
    Site site({"25.11.1"});
    ASSERT_EQ(::chmod(site.folder().c_str(), 0755), 0);
    const std::uint64_t turns = rounds(8, 300);
    static_cast<void>(
        begin_suite("C2 prefixes", fmt::format("{} installations by root", turns), site.folder()));
    const fs::path common = site.at("common");
    fs::create_directory(common);
    ASSERT_EQ(::chmod(common.c_str(), 01777), 0);
    const Canary canary(site.at("canary"));
    const fs::path way = common / "way";
    base::Command attacker;
    // Somebody else may not look into the folder of this build.
    const fs::path copy = site.at("attacker");
    fs::copy_file(own_program(), copy);
    attacker.argv = {copy.native(), "--links", way.native(), canary.folder().native()};
    attacker.identity = base::Identity{65534, 65534};
    std::uint64_t installed = 0, refused = 0;
    for (std::uint64_t i = 0; i < turns && !::testing::Test::HasFailure(); ++i) {
        const base::Child child = base::Child::spawn(attacker).value();
        const Said said = site.run(site.install("25.11.1", way / "below/prefix"));
        child.kill_group(SIGKILL);
        ASSERT_TRUE(said.code == 0 || said.code == 1) << said.text();
        if (said.code == 0) {
            ++installed;
            EXPECT_FALSE(fs::is_symlink(way));
            EXPECT_EQ(Soundness::current(way / "below/prefix"), "25.11.1");
        } else {
            ++refused;
        }
        canary.check();
        fs::remove_all(way);
    }
    say("C2 prefixes",
        fmt::format("{} installed, {} refused; nothing outside", installed, refused));
}

}  // namespace
}  // namespace sf::test
