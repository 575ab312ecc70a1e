// SPDX-License-Identifier: Apache-2.0
// What file servers do to a cache: answers that get lost, so that what succeeded is said to have
// failed; locks that are not there; disks that break or are full only when it counts. The calls of
// libc stand in this file: they pass on, unless a test wants otherwise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <unistd.h>

#include "cache/file_backend.hpp"
#include "unit/cache/backend_probe.hpp"

namespace {

// Given the call's own work, what it returns; empty: its own.
using Call = std::function<int()>;
struct Hooks {
    std::function<int(const Call&)> link;
    std::function<int(const Call&)> rename;
    std::function<int(const Call&)> sync;
    std::function<int(const Call&)> lock;
};
Hooks hooks;

int through(const std::function<int(const Call&)>& hook, const Call& call) {
    return hook ? hook(call) : call();
}

int failing(int error) {
    errno = error;
    return -1;
}

}  // namespace

extern "C" {
int linkat(int from, const char* old_name, int to, const char* name, int flags) noexcept {
    return through(hooks.link, [&] {
        return static_cast<int>(::syscall(SYS_linkat, from, old_name, to, name, flags));
    });
}
int renameat(int from, const char* old_name, int to, const char* name) noexcept {
    return through(hooks.rename, [&] {
        return static_cast<int>(::syscall(SYS_renameat2, from, old_name, to, name, 0));
    });
}
int fsync(int descriptor) {
    return through(hooks.sync, [&] { return static_cast<int>(::syscall(SYS_fsync, descriptor)); });
}
int flock(int descriptor, int operation) noexcept {
    return through(hooks.lock,
                   [&] { return static_cast<int>(::syscall(SYS_flock, descriptor, operation)); });
}
}

namespace sf::cache {
namespace {

using base::Code;
using testing::HasSubstr;
using Kind = PutCondition::Kind;

class FileBackendNfs : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(test::put(x_backend, "a/old", "old")); }
    void TearDown() override { hooks = {}; }

    base::Result<PutOutcome> put(const std::string& key, Kind kind) {
        auto outcome = test::put(x_backend, key, "new", {kind, ""});
        hooks = {};
        return outcome;
    }
    void expect_nothing_left() {
        EXPECT_THAT(base::list_dir(x_folder.path() / "cache/a").value(),
                    testing::ElementsAre("old"));
        EXPECT_EQ(*test::get(x_backend, "a/old"), "old");
    }

    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
    FileBackend x_backend{x_folder.path() / "cache"};
};

TEST_F(FileBackendNfs, WhatSucceededAndWasSaidToHaveFailedIsWritten) {
    hooks.link = [](const Call& call) { return call() == 0 ? failing(EEXIST) : -1; };
    EXPECT_EQ(*put("a/linked", Kind::if_absent), PutOutcome::written);
    EXPECT_EQ(*test::get(x_backend, "a/linked"), "new");
    hooks.rename = [](const Call& call) { return call() == 0 ? failing(ENOENT) : -1; };
    EXPECT_EQ(*put("a/renamed", Kind::always), PutOutcome::written);
    EXPECT_EQ(*test::get(x_backend, "a/renamed"), "new");
    EXPECT_EQ(base::list_dir(x_folder.path() / "cache/a")->size(), 3U) << "no litter";
    // Another's object is another's.
    hooks.link = [](const Call&) { return failing(EEXIST); };
    EXPECT_EQ(*put("a/old", Kind::if_absent), PutOutcome::there);
}

TEST_F(FileBackendNfs, AnObjectSweptOnItsWayIsNotSaidToBeAbsent) {
    for (const Kind kind : {Kind::if_absent, Kind::always}) {
        hooks.link = hooks.rename = [](const Call&) { return failing(ENOENT); };
        const auto outcome = put("a/new", kind);
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, Code::failed);
        EXPECT_THAT(outcome.error().text(), HasSubstr("clock"));
        expect_nothing_left();
    }
}

TEST_F(FileBackendNfs, AFailureToTheLastLeavesWhatWasThere) {
    const struct {
        int error;
        Code code;
    } cases[] = {{ENOSPC, Code::exhausted},   {EDQUOT, Code::exhausted}, {EIO, Code::unreachable},
                 {ESTALE, Code::unreachable}, {EACCES, Code::refused},   {EROFS, Code::refused},
                 {EMLINK, Code::failed}};
    for (const auto& each : cases) {
        for (const Kind kind : {Kind::if_absent, Kind::always}) {
            hooks.link = hooks.rename = [&](const Call&) { return failing(each.error); };
            EXPECT_EQ(put("a/new", kind).error().code, each.code) << each.error;
            // NFS says only now that the bytes found no room.
            hooks.sync = [&](const Call&) { return failing(each.error); };
            EXPECT_EQ(put("a/new", kind).error().code, each.code) << each.error;
            expect_nothing_left();
        }
        hooks.rename = [&](const Call&) { return failing(each.error); };
        EXPECT_FALSE(put("a/old", Kind::always));
        expect_nothing_left();
    }
}

TEST_F(FileBackendNfs, AFileSystemWithoutHardLinksSaysSo) {
    hooks.link = [](const Call&) { return failing(EPERM); };
    const auto outcome = put("a/new", Kind::if_absent);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Code::refused);
    EXPECT_THAT(outcome.error().text(), HasSubstr("hard links"));
    expect_nothing_left();
}

// Whoever hears "there" writes what names it: it must be as durable as if he had written it.
TEST_F(FileBackendNfs, ThereMeansDurable) {
    int synced = 0;
    hooks.sync = [&](const Call& call) {
        ++synced;
        return call();
    };
    EXPECT_EQ(*put("a/old", Kind::if_absent), PutOutcome::there);
    EXPECT_EQ(synced, 1);
    hooks.sync = [](const Call&) { return failing(EIO); };
    EXPECT_EQ(put("a/old", Kind::if_absent).error().code, Code::unreachable);
}

TEST_F(FileBackendNfs, WithoutLocksOneWriterAfterTheOtherStillKeepsConditions) {
    hooks.lock = [](const Call&) { return failing(ENOLCK); };
    const std::string etag = (*x_backend.look("a/old"))->etag;
    EXPECT_EQ(*test::put(x_backend, "a/old", "one", {Kind::if_etag, etag}), PutOutcome::written);
    EXPECT_EQ(*test::put(x_backend, "a/old", "two", {Kind::if_etag, etag}), PutOutcome::changed);
    EXPECT_EQ(*test::get(x_backend, "a/old"), "one");
    EXPECT_TRUE(x_backend.remove("a/old"));
    hooks.lock = [](const Call&) { return failing(EIO); };
    EXPECT_FALSE(test::put(x_backend, "a/old", "three"));
    EXPECT_FALSE(*x_backend.look("a/old"));
}

// Between the first look and the lock another writer came.
TEST_F(FileBackendNfs, WhatChangedWhileTheLockWasAwaitedIsSeen) {
    const std::string etag = (*x_backend.look("a/old"))->etag;
    bool first = true;
    hooks.lock = [&](const Call& call) {
        if (std::exchange(first, false)) {
            FileBackend other(x_folder.path() / "cache");
            EXPECT_EQ(*test::put(other, "a/old", "other"), PutOutcome::written);
        }
        return call();
    };
    EXPECT_EQ(*test::put(x_backend, "a/old", "mine", {Kind::if_etag, etag}), PutOutcome::changed);
    EXPECT_EQ(*test::get(x_backend, "a/old"), "other");
}

}  // namespace
}  // namespace sf::cache
