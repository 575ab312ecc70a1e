// SPDX-License-Identifier: Apache-2.0
#include "base/files.hpp"

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/atomic_file.hpp"

namespace sf::base {
namespace {

class FilesTest : public ::testing::Test {
protected:
    TempDir x_dir = *TempDir::create(fs::temp_directory_path(), "sf-files-");
    fs::path at(const char* name) const { return x_dir.path() / name; }
};

unsigned mode_of(const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 07777U;
}

TEST_F(FilesTest, AbsentIsNotAnErrorWhereTheCallerSaysSo) {
    EXPECT_EQ(read_file(at("none")).error().code, Code::absent);
    EXPECT_EQ(*read_file_if_exists(at("none")), std::nullopt);
    ASSERT_TRUE(write_file(at("some"), "x"));
    EXPECT_EQ(**read_file_if_exists(at("some")), "x");
}

TEST_F(FilesTest, ACopyIsBoundedAndBeginsWhereTheReaderStands) {
    const std::string content(200'000, 'x');
    ASSERT_TRUE(write_file(at("from"), "head" + content));
    const auto copied = [&](std::uint64_t limit) {
        const Fd from = *open_file(at("from"), O_RDONLY);
        EXPECT_EQ(::lseek(from.get(), 4, SEEK_SET), 4);
        const Fd to = *open_file(at("to"), O_WRONLY | O_CREAT | O_TRUNC);
        EXPECT_TRUE(copy_bytes(from.get(), at("from"), to.get(), at("to"), limit));
        return *read_file(at("to"));
    };
    EXPECT_EQ(copied(1'000'000), content);
    EXPECT_EQ(copied(100'001), content.substr(0, 100'001));
    EXPECT_EQ(copied(0), "");
    const Fd full = *open_file("/dev/full", O_WRONLY);
    const Fd from = *open_file(at("from"), O_RDONLY);
    EXPECT_EQ(copy_bytes(from.get(), at("from"), full.get(), "/dev/full", 10).error().code,
              Code::exhausted);
}

TEST_F(FilesTest, ALargerFileThanAllowedIsCorrupt) {
    ASSERT_TRUE(write_file(at("big"), std::string(100, 'x')));
    EXPECT_EQ(read_file(at("big"), 99).error().code, Code::corrupt);
    EXPECT_TRUE(read_file(at("big"), 100));
}

TEST_F(FilesTest, AnAbandonedAtomicFileLeavesNothing) {
    ASSERT_TRUE(write_file(at("f"), "old"));
    {
        AtomicFile file = *AtomicFile::create(at("f"));
        ASSERT_TRUE(file.write("new"));
        EXPECT_EQ(*read_file(at("f")), "old");
    }
    EXPECT_EQ(*read_file(at("f")), "old");
    EXPECT_EQ(list_dir(x_dir.path())->size(), 1U) << "no temporary name is left";
}

TEST_F(FilesTest, ACommittedAtomicFileHasExactlyItsMode) {
    const mode_t before = ::umask(0077);
    ASSERT_TRUE(write_file(at("f"), "new", 0644));
    ASSERT_TRUE(write_file(at("secret"), "new", 0600));
    ::umask(before);
    EXPECT_EQ(mode_of(at("f")), 0644U);
    EXPECT_EQ(mode_of(at("secret")), 0600U);
}

TEST_F(FilesTest, RemoveTreeDoesNotFollowLinksAndEntersClosedFolders) {
    ASSERT_TRUE(make_dirs(at("outside")));
    ASSERT_TRUE(write_file(at("outside") / "keep", "x"));
    ASSERT_TRUE(make_dirs(at("tree") / "closed" / "inner"));
    ASSERT_TRUE(write_file(at("tree") / "closed" / "inner" / "f", "x"));
    fs::create_symlink(at("outside"), at("tree") / "link");
    fs::permissions(at("tree") / "closed", fs::perms::none);
    ASSERT_TRUE(remove_tree(at("tree")));
    EXPECT_FALSE(base::exists(at("tree")));
    EXPECT_TRUE(base::exists(at("outside") / "keep"));
    EXPECT_TRUE(remove_tree(at("tree"))) << "absent is success";
}

TEST_F(FilesTest, AFileInTheWayOfAFolderIsNamed) {
    ASSERT_TRUE(write_file(at("f"), "x"));
    const Status status = make_dirs(at("f") / "sub");
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().text().find(at("f").string()), std::string::npos);
}

TEST_F(FilesTest, TempDirGoesWithItsObjectUnlessReleased) {
    fs::path gone, kept;
    {
        TempDir one = *TempDir::create(x_dir.path(), "one-");
        gone = one.path();
        EXPECT_EQ(mode_of(gone), 0700U);
        TempDir two = *TempDir::create(x_dir.path(), "two-");
        kept = two.release();
    }
    EXPECT_FALSE(base::exists(gone));
    EXPECT_TRUE(base::exists(kept));
}

TEST_F(FilesTest, ALockKeepsOthersOutUntilItGoes) {
    bool waited = false;
    {
        const FileLock lock = *FileLock::acquire(at("l"));
        const int other = ::open(at("l").c_str(), O_RDWR | O_CLOEXEC);
        EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0);
        ::close(other);
    }
    ASSERT_TRUE(FileLock::acquire(at("l"), [&] { waited = true; }));
    // Whoever may open it may lock it, and make us wait for ever.
    EXPECT_EQ(fs::status(at("l")).permissions(), fs::perms(0600));
    EXPECT_FALSE(waited);
}

// A file system that is really full: a small tmpfs.
TEST_F(FilesTest, AFullDiskIsExhaustedAndLeavesTheOldFile) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: mounting a small file system needs root";
    const fs::path mount = at("small");
    ASSERT_TRUE(make_dirs(mount));
    if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=64k") != 0)
        GTEST_SKIP() << "NOT RUN: this machine does not let root mount a tmpfs";
    ASSERT_TRUE(write_file(mount / "f", "old"));
    const Status status = write_file(mount / "f", std::string(1 << 20, 'x'));
    EXPECT_FALSE(status);
    if (!status) {
        EXPECT_EQ(status.error().code, Code::exhausted);
        EXPECT_NE(status.error().text().find("small/f"), std::string::npos);
        EXPECT_FALSE(status.error().hint.empty());
    }
    EXPECT_EQ(*read_file(mount / "f"), "old");
    EXPECT_EQ(list_dir(mount)->size(), 1U);
    EXPECT_EQ(::umount2(mount.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace sf::base
