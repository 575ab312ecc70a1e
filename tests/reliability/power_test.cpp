// SPDX-License-Identifier: Apache-2.0
// D3 of the threat model: the power is cut while packages are installed and published, on an ext4
// that keeps nothing back for who does not sync (noauto_da_alloc). After the next mount: what was
// called done is there; else the old state or the new one; never a file without its bytes.
#include <fcntl.h>
#include <optional>
#include <thread>
#include <unistd.h>

#include "reliability/small_disk.hpp"
#include "reliability/soundness.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::duration;

constexpr const char* old_version = "25.11.1";
constexpr const char* new_version = "25.11.2";

// Does a cut lose what was not synced here? Else all below would pass without a single fsync.
bool loses_what_was_not_synced(SmallDisk& disk) {
    disk.make_ext4(16);
    disk.mount();
    for (const char* name : {"synced", "careless"}) {
        const fs::path file = disk.at() / name;
        const fs::path fresh = file.native() + ".new";
        const base::Fd fd = base::open_file(fresh, O_WRONLY | O_CREAT).value();
        EXPECT_TRUE(base::write_all(fd.get(), base::as_bytes("content"), fresh));
        if (std::string(name) == "synced") {
            EXPECT_EQ(::fsync(fd.get()), 0);
        }
        fs::rename(fresh, file);
    }
    EXPECT_TRUE(base::fsync_dir(disk.at()));
    disk.cut();
    disk.unmount();
    disk.mount();
    const bool synced = base::read_file(disk.at() / "synced").value_or("") == "content";
    const bool careless = base::read_file(disk.at() / "careless").value_or("") == "content";
    disk.unmount();
    return synced && !careless;
}

// Spread evenly, and by chance within each part: some are always before the end, some after it.
double moment(Random& random, std::uint64_t turn, std::uint64_t turns, double serial) {
    const double part =
        (static_cast<double>(turn) + between(random, 0, 1)) / static_cast<double>(turns);
    return serial * (0.1 + 1.6 * part);
}

// One at least is told that it is done, however busy the machine is now.
void await_end(Running& process) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(300);
    while (!process.ended() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

class Power : public ::testing::Test {
protected:
    void SetUp() override {
        if (const auto why = no_small_disks()) SF_NOT_RUN(*why);
        x_site.emplace(std::vector<std::string>{old_version});
        x_disk.emplace(x_site->at("disk"));
        ASSERT_TRUE(loses_what_was_not_synced(*x_disk)) << "a cut that loses nothing shows nothing";
    }
    std::optional<Site> x_site;
    std::optional<SmallDisk> x_disk;
};

TEST_F(Power, D3Installations) {
    const std::uint64_t turns = rounds(5, 200);
    Random random =
        begin_suite("D3 installations", fmt::format("{} cuts", turns), x_site->folder());
    ASSERT_TRUE(x_site->small().publish(new_version));
    x_site->now_has(new_version);
    const Soundness sound(*x_site);
    x_disk->make_ext4(48);
    x_disk->mount();
    const fs::path prefix = x_disk->at() / "prefix";
    ASSERT_EQ(x_site->run(x_site->install(old_version, prefix)).code, 0);
    x_disk->keep("old");
    x_disk->mount();
    const double serial = x_site->run(x_site->install(new_version, prefix)).seconds;
    std::uint64_t before = 0, after = 0, durable = 0;
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
        x_disk->take("old");
        x_disk->mount();
        const double pause = moment(random, i, turns, serial);
        Running one = x_site->start(x_site->install(new_version, prefix));
        std::this_thread::sleep_for(duration<double>(pause));
        if (i + 1 == turns) await_end(one);
        const bool ended = one.ended();
        x_disk->cut();
        const Said said = one.wait();
        SCOPED_TRACE(fmt::format("cut {} after {:.3f} s: {}", i + 1, pause, said.text()));
        x_disk->unmount();
        x_disk->mount();
        const std::string current = Soundness::current(prefix);
        ASSERT_TRUE(current == old_version || current == new_version) << current;
        ++(current == new_version ? after : before);
        // Whoever was told that it is done, finds it (INV9).
        if (ended && said.code == 0) {
            ++durable;
            EXPECT_EQ(current, new_version);
            sound.check_has(prefix, new_version, true);
        }
        sound.check_has(prefix, old_version, false);
        sound.check(prefix);
        const Said again = x_site->run(x_site->install(new_version, prefix));
        EXPECT_EQ(again.code, 0) << again.text();
        sound.check_has(prefix, new_version, true);
    }
    say("D3 installations",
        fmt::format("{} old, {} new afterwards, {} of them told to be done; none "
                    "lost or torn",
                    before, after, durable));
    EXPECT_GT(before, 0U);
    EXPECT_GT(after, 0U);
    EXPECT_GT(durable, 0U);
}

TEST_F(Power, D3Publications) {
    const std::uint64_t turns = rounds(5, 200);
    Random random = begin_suite("D3 publications", fmt::format("{} cuts", turns), x_site->folder());
    // The cache alone is on the disk: what publisher and clients remember outlives it.
    x_disk->make_ext4(48);
    x_disk->mount();
    const fs::path cache = x_site->cache();
    fs::rename(cache, cache.native() + ".first");
    fs::copy(cache.native() + ".first", x_disk->at() / "cache", fs::copy_options::recursive);
    fs::create_directory_symlink(x_disk->at() / "cache", cache);
    x_disk->keep("old");
    const auto publisher = [&] {
        return x_site->start_program({own_program(), "--publish", x_site->small().folder().native(),
                                      x_site->small().folder().native(), new_version},
                                     base::current_environment());
    };
    const fs::path memory = x_site->small().folder() / "publisher";
    fs::copy(memory, x_site->at("memory"), fs::copy_options::recursive);
    x_disk->mount();
    const double serial = publisher().wait().seconds;
    std::uint64_t before = 0, after = 0, durable = 0;
    for (std::uint64_t i = 0; i < turns && !HasFailure(); ++i) {
        x_disk->take("old");
        fs::remove_all(memory);
        fs::copy(x_site->at("memory"), memory, fs::copy_options::recursive);
        x_disk->mount();
        const double pause = moment(random, i, turns, serial);
        Running one = publisher();
        std::this_thread::sleep_for(duration<double>(pause));
        if (i + 1 == turns) await_end(one);
        const bool ended = one.ended();
        x_disk->cut();
        const Said said = one.wait();
        SCOPED_TRACE(fmt::format("cut {} after {:.3f} s: {}", i + 1, pause, said.text()));
        x_disk->unmount();
        x_disk->mount();
        const fs::path client = x_site->new_client(fmt::format("client-{}", i));
        // Of whom was told that it is done, Spack's index lacks nothing either.
        std::set<std::string> died;
        if (!ended || said.code != 0) died.insert(new_version);
        check_published(*x_site, died, client);
        const fs::path prefix = x_site->at(fmt::format("prefix-{}", i));
        const Said installed = x_site->run(x_site->install("25.11", prefix), client);
        EXPECT_EQ(installed.code, 0) << installed.text();
        const std::string current = Soundness::current(prefix);
        ASSERT_TRUE(current == old_version || current == new_version) << current;
        ++(current == new_version ? after : before);
        if (ended && said.code == 0) {
            ++durable;
            EXPECT_EQ(current, new_version);
        }
        // The publisher's own memory has not run ahead of the disk.
        const Said again = publisher().wait();
        EXPECT_EQ(again.code, 0) << again.text();
        const Said newest = x_site->run(x_site->install("25.11", prefix), client);
        EXPECT_EQ(newest.code, 0) << newest.text();
        EXPECT_EQ(Soundness::current(prefix), new_version);
        fs::remove_all(prefix);
        fs::remove_all(client);
    }
    say("D3 publications",
        fmt::format("{} old, {} new afterwards, {} of them told to be done; none "
                    "lost or torn",
                    before, after, durable));
    EXPECT_GT(before, 0U);
    EXPECT_GT(after, 0U);
    EXPECT_GT(durable, 0U);
}

}  // namespace
}  // namespace sf::test
