// SPDX-License-Identifier: Apache-2.0
#include "sandbox/disk_watch.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

namespace sf::sandbox {
namespace {

class DiskWatchTest : public testing::Test {
protected:
    base::TempDir x_folder =
        base::TempDir::create(base::fs::temp_directory_path(), "sf-watch-").value();

    void write(const base::fs::path& path, std::size_t bytes) {
        ASSERT_TRUE(base::write_file(path, std::string(bytes, 'x')));
    }
};

TEST_F(DiskWatchTest, CountsFilesOnceAndFollowsNoLink) {
    const auto before = tree_usage(x_folder.path());
    write(x_folder.path() / "a", 1 << 20);
    base::fs::create_hard_link(x_folder.path() / "a", x_folder.path() / "b");
    base::fs::create_directory_symlink("/usr", x_folder.path() / "usr");
    base::fs::create_symlink("/etc/passwd", x_folder.path() / "c");
    const auto used = tree_usage(x_folder.path()) - before;
    EXPECT_GE(used, std::uint64_t{1} << 20);
    EXPECT_LT(used, (std::uint64_t{1} << 20) + 65536);
    EXPECT_EQ(tree_usage(x_folder.path() / "absent"), 0U);
}

TEST_F(DiskWatchTest, SparseFilesCountWhatTheyTake) {
    const auto file = base::open_file(x_folder.path() / "sparse", O_RDWR | O_CREAT).value();
    ASSERT_EQ(::ftruncate(file.get(), off_t{1} << 40), 0);
    EXPECT_LT(tree_usage(x_folder.path()), 65536U);
}

TEST_F(DiskWatchTest, DeepTreesAndPipesDoNotStopIt) {
    ASSERT_EQ(::mkfifo((x_folder.path() / "pipe").c_str(), 0644), 0);
    base::fs::path deep = x_folder.path();
    for (int i = 0; i < 150; ++i) deep /= "d";
    ASSERT_TRUE(base::make_dirs(deep));
    write(deep / "file", 1 << 20);
    EXPECT_GE(tree_usage(x_folder.path()), std::uint64_t{1} << 20);
}

TEST_F(DiskWatchTest, SaysWhichLimit) {
    DiskWatch::Settings settings;
    settings.folders = {x_folder.path()};
    settings.limit = std::uint64_t{1} << 20;
    EXPECT_EQ(DiskWatch(settings).look(), std::nullopt);
    write(x_folder.path() / "a", 2 << 20);
    EXPECT_THAT(DiskWatch(settings).look().value_or("nothing"),
                testing::MatchesRegex("it wrote 2.0 MiB to disk; the limit is 1.0 MiB"));
    settings.limit = std::uint64_t{1} << 40;
    settings.free_reserve = ~std::uint64_t{0};
    EXPECT_THAT(DiskWatch(settings).look().value_or("nothing"), testing::HasSubstr("has only"));
    settings.free_reserve = 0;
    DiskWatch watch(settings);
    EXPECT_EQ(watch.look(), std::nullopt);
}

TEST_F(DiskWatchTest, WhatComesLaterIsSeenToo) {
    DiskWatch::Settings settings;
    settings.folders = {x_folder.path()};
    settings.limit = std::uint64_t{1} << 20;
    settings.interval = std::chrono::milliseconds(0);
    DiskWatch watch(settings);
    EXPECT_EQ(watch.look(), std::nullopt);
    write(x_folder.path() / "a", 2 << 20);
    std::optional<std::string> said;
    while (!said) said = watch.look();  // the test's time limit ends it if it never does
    EXPECT_THAT(*said, testing::HasSubstr("the limit is 1.0 MiB"));
}

TEST_F(DiskWatchTest, TheLogCounts) {
    const auto log = base::open_file(x_folder.path() / "log", O_RDWR | O_CREAT).value();
    const std::string text(2 << 20, 'x');
    ASSERT_TRUE(base::write_all(log.get(), base::as_bytes(text), "log"));
    DiskWatch::Settings settings;
    settings.log_fd = log.get();
    settings.limit = std::uint64_t{1} << 20;
    EXPECT_TRUE(DiskWatch(settings).look().has_value());
}

}  // namespace
}  // namespace sf::sandbox
