// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "pack/jail.hpp"
#include "unit/pack/tar_builder.hpp"

namespace {

using namespace sf::test;
using sf::pack::Jail;

// true: the way of kernels without openat2.
class JailTest : public PackTest, public testing::WithParamInterface<bool> {
protected:
    void SetUp() override {
        PackTest::SetUp();
        fs::create_directories(temp() / "in/real");
        fs::create_directories(temp() / "out");
        put("out/secret", "s");
        fs::create_directory_symlink("../out", temp() / "in/link");
        fs::create_symlink("../out/secret", temp() / "in/file");
        x_fd = folder(temp() / "in");
    }
    [[nodiscard]] Jail jail() const { return Jail(x_fd.get(), GetParam()); }
    sf::base::Fd x_fd;
};

TEST_P(JailTest, MakesThingsWithExactModes) {
    const auto old = ::umask(0077);
    auto it = jail();
    EXPECT_TRUE(it.create_file("real/a", 0755).has_value());
    EXPECT_TRUE(it.create_file("b", 0644).has_value());
    EXPECT_TRUE(it.make_directory("real/d").has_value());
    EXPECT_TRUE(it.make_symlink("real/l", "a").has_value());
    EXPECT_TRUE(it.make_hardlink("real/a", "real/d/h").has_value());
    ::umask(old);
    const auto mode = [&](const char* path) {
        struct stat status {};
        EXPECT_EQ(::lstat((temp() / "in" / path).c_str(), &status), 0);
        return status.st_mode & 07777U;
    };
    EXPECT_EQ(mode("real/a"), 0755U);
    EXPECT_EQ(mode("b"), 0644U);
    EXPECT_EQ(mode("real/d"), 0755U);
    EXPECT_EQ(fs::hard_link_count(temp() / "in/real/d/h"), 2U);
    EXPECT_EQ(fs::read_symlink(temp() / "in/real/l"), "a");
}

TEST_P(JailTest, NeverLeaves) {
    auto it = jail();
    EXPECT_FALSE(it.create_file("link/x", 0644).has_value());
    EXPECT_FALSE(it.create_file("../out/x", 0644).has_value());
    EXPECT_FALSE(it.create_file("real/../../out/x", 0644).has_value());
    EXPECT_FALSE(it.create_file((temp() / "out/x").native(), 0644).has_value());
    EXPECT_FALSE(it.create_file("file", 0644).has_value());
    EXPECT_FALSE(it.make_directory("link/x").has_value());
    EXPECT_FALSE(it.make_symlink("link/x", "y").has_value());
    EXPECT_FALSE(it.make_hardlink("link/secret", "real/h").has_value());
    EXPECT_FALSE(it.make_hardlink("real", "link/h").has_value());
    EXPECT_EQ(listing(temp() / "out"), std::vector<std::string>{"secret"});
}

// The last name too: ".." that is "there already" is the folder outside, whose mode would be set.
TEST_P(JailTest, PathsAreNamesAndNothingElse) {
    auto it = jail();
    ASSERT_EQ(::chmod(temp().c_str(), 0700), 0);
    for (const std::string path :
         {"..", ".", "", "real/..", "real/../real", "real/.", "real//a", "real/", "/real/a"}) {
        SCOPED_TRACE(path);
        EXPECT_FALSE(it.create_file(path, 0644).has_value());
        EXPECT_FALSE(it.make_directory(path, true).has_value());
        EXPECT_FALSE(it.make_symlink(path, "a").has_value());
        EXPECT_FALSE(it.set_link_time(path, 1).has_value());
    }
    EXPECT_FALSE(it.create_file(std::string("real\0x", 6), 0644).has_value());
    struct stat status {};
    ASSERT_EQ(::stat(temp().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
    EXPECT_NE(status.st_mtime, 1);
}

TEST_P(JailTest, ReplacesNothing) {
    auto it = jail();
    ASSERT_TRUE(it.create_file("a", 0644).has_value());
    EXPECT_FALSE(it.create_file("a", 0644).has_value());
    EXPECT_FALSE(it.make_directory("a").has_value());
    EXPECT_FALSE(it.make_symlink("a", "b").has_value());
}

// A thread swaps a folder for a link to the outside while files are made below it.
TEST_P(JailTest, SwappedFolders) {
    std::atomic<bool> stop = false;
    std::thread attacker([&] {
        const auto real = temp() / "in/real";
        const auto aside = temp() / "in/aside";
        while (!stop) {
            std::error_code error;
            fs::rename(real, aside, error);
            fs::create_directory_symlink("../out", real, error);
            fs::remove(real, error);
            fs::rename(aside, real, error);
        }
    });
    auto it = jail();
    for (int i = 0; i < 20'000; ++i) {
        const auto name = "real/" + std::to_string(i);
        if (it.create_file(name, 0644)) {
            std::error_code error;
            fs::remove(temp() / "in" / name, error);
        }
        const auto made = it.make_directory("real/d" + std::to_string(i));
        static_cast<void>(made);
    }
    stop = true;
    attacker.join();
    EXPECT_EQ(listing(temp() / "out"), std::vector<std::string>{"secret"});
}

INSTANTIATE_TEST_SUITE_P(BothWays, JailTest, testing::Bool(), [](const auto& param) {
    return std::string(param.param ? "ByComponent" : "Openat2");
});

}  // namespace
