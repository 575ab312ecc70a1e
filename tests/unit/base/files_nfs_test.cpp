// SPDX-License-Identifier: Apache-2.0
// Answers that an NFS server has lost: what was done is said to have failed, and what is there
// decides. The calls of libc stand in this file: they pass on, unless a test wants otherwise.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/files.hpp"

namespace {

enum class Answer { own, lost, never_done };
Answer answer = Answer::own;
int close_error = 0;
int readlink_error = 0;

long through(long number, const char* from, const char* to, int error) {
    if (answer != Answer::never_done) {
        const long done = ::syscall(number, from, to);
        if (done != 0 || answer == Answer::own) return done;
    }
    errno = error;
    return -1;
}

}  // namespace

extern "C" {
int rename(const char* from, const char* to) noexcept {
    return static_cast<int>(through(SYS_rename, from, to, ENOENT));
}
int symlink(const char* target, const char* link) noexcept {
    return static_cast<int>(through(SYS_symlink, target, link, EEXIST));
}
ssize_t readlink(const char* path, char* to, size_t room) noexcept {
    if (readlink_error == 0) return static_cast<ssize_t>(::syscall(SYS_readlink, path, to, room));
    errno = readlink_error;
    return -1;
}
int close(int descriptor) {
    const long done = ::syscall(SYS_close, descriptor);
    if (close_error == 0) return static_cast<int>(done);
    errno = close_error;
    return -1;
}
}

namespace sf::base {
namespace {

class FilesNfs : public ::testing::Test {
protected:
    void TearDown() override {
        answer = Answer::own;
        close_error = 0;
        readlink_error = 0;
    }
    TempDir x_dir = *TempDir::create(fs::temp_directory_path(), "sf-files-");
    fs::path at(const char* name) const { return x_dir.path() / name; }
};

TEST_F(FilesNfs, ARenameWhoseAnswerWasLostIsDone) {
    ASSERT_TRUE(make_dirs(at("folder/in")));
    ASSERT_TRUE(write_file(at("old"), "old"));
    answer = Answer::lost;
    EXPECT_TRUE(base::rename(at("folder"), at("moved")));
    EXPECT_TRUE(is_dir(at("moved/in")));
    EXPECT_TRUE(write_file(at("old"), "new"));
    EXPECT_EQ(*read_file(at("old")), "new");
}

TEST_F(FilesNfs, ARenameThatWasNotDoneIsNotTakenForDone) {
    ASSERT_TRUE(make_dirs(at("folder")));
    ASSERT_TRUE(make_dirs(at("another")));
    answer = Answer::never_done;
    EXPECT_EQ(base::rename(at("folder"), at("another")).error().code, Code::absent);
    EXPECT_EQ(base::rename(at("none"), at("another")).error().code, Code::absent);
    EXPECT_FALSE(write_file(at("file"), "new"));
    EXPECT_FALSE(base::exists(at("file")));
}

TEST_F(FilesNfs, ALinkThatIsAsItShouldBeIsMade) {
    answer = Answer::lost;
    EXPECT_TRUE(make_symlink("target", at("link")));
    answer = Answer::own;
    EXPECT_EQ((*read_link(at("link")))->native(), "target");
    EXPECT_FALSE(make_symlink("other", at("link")));
    EXPECT_EQ((*read_link(at("link")))->native(), "target");
}

TEST_F(FilesNfs, ALinkInTheWayThatCannotBeReadSaysWhy) {
    ASSERT_TRUE(make_symlink("target", at("link")));
    readlink_error = ESTALE;
    EXPECT_NE(make_symlink("target", at("link")).error().text().find(std::strerror(ESTALE)),
              std::string::npos);
    // It is gone again, or was no link: that is what is in the way.
    for (const int error : {ENOENT, EINVAL}) {
        readlink_error = error;
        EXPECT_NE(make_symlink("target", at("link")).error().text().find(std::strerror(EEXIST)),
                  std::string::npos);
    }
}

TEST_F(FilesNfs, WhatCloseSaysIsHeard) {
    for (const int error : {0, EIO, ENOSPC, EDQUOT}) {
        Fd file = *open_file(at("file"), O_WRONLY | O_CREAT);
        close_error = error;
        const Status closed = close_file(std::move(file), at("file"));
        close_error = 0;
        EXPECT_EQ(closed.has_value(), error == 0) << error;
    }
}

TEST_F(FilesNfs, AbsentIsCertain) {
    EXPECT_FALSE(*is_there(at("none")));
    EXPECT_FALSE(*is_there(at("none/below")));
    EXPECT_EQ(*read_link(at("none")), std::nullopt);
    EXPECT_TRUE(list_dir_if_exists(at("none"))->empty());
    const std::string too_long(5000, 'x');
    EXPECT_FALSE(is_there(at(too_long.c_str())));
    EXPECT_FALSE(read_link(at(too_long.c_str())));
    EXPECT_FALSE(list_dir_if_exists(at(too_long.c_str())));
}

}  // namespace
}  // namespace sf::base
