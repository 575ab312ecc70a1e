// SPDX-License-Identifier: Apache-2.0
// A cache in a folder: what one process sees.
#include "cache/file_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <ctime>
#include <fcntl.h>
#include <unistd.h>

#include "unit/cache/backend_probe.hpp"

namespace sf::cache {
namespace {

namespace fs = std::filesystem;
using base::Code;
using test::Kept;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = PutCondition::Kind;

class FileBackendTest : public ::testing::Test {
protected:
    [[nodiscard]] fs::path at(std::string_view name) const { return x_folder.path() / name; }
    [[nodiscard]] std::vector<std::string> keys(const std::string& prefix = "") {
        std::vector<std::string> found;
        const auto status = x_backend.list(prefix, [&](const ObjectInfo& object) {
            found.push_back(object.key);
            return base::Status();
        });
        EXPECT_TRUE(status) << (status ? "" : status.error().text());
        return found;
    }
    // All files, ours included.
    [[nodiscard]] std::vector<std::string> files(const fs::path& folder) const {
        std::vector<std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(folder))
            if (entry.is_regular_file()) found.push_back(entry.path().filename());
        return found;
    }
    static unsigned mode_of(const fs::path& path) {
        struct stat status {};
        EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
        return status.st_mode & 07777U;
    }
    Code code_of_get(const std::string& key) {
        const auto got = test::get(x_backend, key);
        EXPECT_FALSE(got) << key;
        return got ? Code::failed : got.error().code;
    }

    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
    fs::path x_root = x_folder.path() / "cache";
    FileBackend x_backend{x_root};
};

TEST_F(FileBackendTest, AFolderThatIsNotThereHoldsNothingAndIsMadeByTheFirstPut) {
    EXPECT_EQ(code_of_get("v3/layout.json"), Code::absent);
    EXPECT_FALSE(*x_backend.look("v3/layout.json"));
    EXPECT_THAT(keys(), IsEmpty());
    EXPECT_TRUE(x_backend.remove("v3/layout.json"));
    EXPECT_FALSE(fs::exists(x_root));
    FileBackend deep(x_root / "a/b");
    EXPECT_EQ(*test::put(deep, "x", "1"), PutOutcome::written);
    EXPECT_EQ(*test::get(deep, "x"), "1");
    EXPECT_EQ(x_backend.place(), x_root.native());
    EXPECT_TRUE(x_backend.writable());
    EXPECT_TRUE(*x_backend.keeps_conditions());
}

TEST_F(FileBackendTest, WhatIsPutIsThereWholeWithItsModes) {
    const mode_t before = ::umask(0077);
    EXPECT_EQ(*test::put(x_backend, "v3/blobs/sha256/ab/abcd", "bytes"), PutOutcome::written);
    ::umask(0);
    EXPECT_EQ(*test::put(x_backend, "v3/empty", ""), PutOutcome::written);
    ::umask(before);
    for (const char* folder : {"", "v3", "v3/blobs", "v3/blobs/sha256", "v3/blobs/sha256/ab"})
        EXPECT_EQ(mode_of(x_root / folder), 0755U) << folder;
    EXPECT_EQ(mode_of(x_root / "v3/blobs/sha256/ab/abcd"), 0644U);
    EXPECT_EQ(mode_of(x_root / "v3/empty"), 0644U);
    EXPECT_EQ(*test::get(x_backend, "v3/blobs/sha256/ab/abcd"), "bytes");
    EXPECT_EQ(*test::get(x_backend, "v3/empty"), "");
    const auto info = x_backend.look("v3/blobs/sha256/ab/abcd");
    ASSERT_TRUE(info && *info);
    EXPECT_EQ((*info)->key, "v3/blobs/sha256/ab/abcd");
    EXPECT_EQ((*info)->size, 5U);
    EXPECT_FALSE((*info)->etag.empty());
    EXPECT_NEAR(static_cast<double>((*info)->modified.value_or(0)),
                static_cast<double>(std::time(nullptr)), 600);
    EXPECT_EQ(files(x_root).size(), 3U) << "two objects and the lock";
}

TEST_F(FileBackendTest, TheSourceIsReadFromItsFirstByteAndItsOffsetStays) {
    const base::Fd file = test::memory_file("0123456789");
    ASSERT_EQ(::lseek(file.get(), 7, SEEK_SET), 7);
    EXPECT_EQ(*x_backend.put({"k", file.get(), 10, base::sha256("0123456789"), "", "", {}}),
              PutOutcome::written);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 7);
    EXPECT_EQ(*test::get(x_backend, "k"), "0123456789");
}

TEST_F(FileBackendTest, OtherBytesThanAnnouncedAreCorruptAndNothingIsWritten) {
    const std::string text = "0123456789";
    const base::Fd file = test::memory_file(text);
    for (const Kind kind : {Kind::always, Kind::if_absent}) {
        for (const PutRequest& wrong :
             {PutRequest{"k", file.get(), 10, base::sha256("other"), "", "", {kind, ""}},
              PutRequest{"k", file.get(), 9, base::sha256(text.substr(0, 9)), "", "", {kind, ""}},
              PutRequest{"k", file.get(), 11, base::sha256(text), "", "", {kind, ""}}}) {
            const auto outcome = x_backend.put(wrong);
            ASSERT_FALSE(outcome);
            EXPECT_EQ(outcome.error().code, Code::corrupt);
            EXPECT_THAT(files(x_root), IsEmpty());
        }
    }
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const base::Fd from(ends[0]);
    const base::Fd to(ends[1]);
    EXPECT_EQ(x_backend.put({"k", from.get(), 1, base::sha256("x"), "", "", {}}).error().code,
              Code::usage);
    EXPECT_THAT(files(x_root), IsEmpty());
}

TEST_F(FileBackendTest, LengthsAndOffsetsAsAskedFor) {
    ASSERT_TRUE(test::put(x_backend, "k", "0123456789"));
    const auto get = [&](GetOptions options, Kept& kept) {
        return x_backend.get("k", options, kept);
    };
    Kept rest;
    rest.text = "0123";
    EXPECT_TRUE(get({.offset = 4, .length = 10, .max_length = 0, .if_changed = {}}, rest));
    EXPECT_EQ(rest.text, "0123456789");
    EXPECT_THAT(rest.begins, ElementsAre(4U));
    Kept all;
    all.text = "0123456789";
    EXPECT_TRUE(get({.offset = 10, .length = 10, .max_length = 0, .if_changed = {}}, all));
    EXPECT_EQ(all.text, "0123456789");
    Kept beyond;
    beyond.text = "01234567890123";
    EXPECT_TRUE(get({.offset = 14, .length = {}, .max_length = 10, .if_changed = {}}, beyond));
    EXPECT_EQ(beyond.text, "0123456789");
    EXPECT_THAT(beyond.begins, ElementsAre(0U));
    for (const GetOptions& wrong : {GetOptions{0, 9, 0, {}}, GetOptions{0, 11, 0, {}},
                                    GetOptions{0, {}, 9, {}}, GetOptions{0, {}, 0, {}}}) {
        Kept none;
        const auto got = get(wrong, none);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::corrupt) << got.error().text();
        EXPECT_THAT(got.error().text(), HasSubstr("cache/k"));
        EXPECT_THAT(none.begins, IsEmpty());
    }
}

TEST_F(FileBackendTest, WhatTheReceiverReturnsIsReturned) {
    ASSERT_TRUE(test::put(x_backend, "k", "0123456789"));
    class Full : public net::Receiver {
        base::Status begin(std::uint64_t) override { return {}; }
        base::Status write(base::Bytes) override {
            return base::fail(Code::exhausted, "my disk is full");
        }
    } full;
    const auto got = x_backend.get("k", {0, 10, 0, {}}, full);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::exhausted);
    EXPECT_EQ(got.error().message, "my disk is full");
}

TEST_F(FileBackendTest, AnEtagTellsWhetherAnObjectChanged) {
    ASSERT_TRUE(test::put(x_backend, "k", "one"));
    const std::string first = (*x_backend.look("k"))->etag;
    Kept kept;
    auto got = x_backend.get("k", {0, 3, 0, first}, kept);
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->unchanged);
    EXPECT_EQ(got->object.etag, first);
    EXPECT_EQ(got->object.size, 3U);
    EXPECT_THAT(kept.begins, IsEmpty());
    ASSERT_TRUE(test::put(x_backend, "k", "two"));
    got = x_backend.get("k", {0, 3, 0, first}, kept);
    ASSERT_TRUE(got);
    EXPECT_FALSE(got->unchanged);
    EXPECT_NE(got->object.etag, first);
    EXPECT_EQ(kept.text, "two");
}

// As web servers make them: of the size and the second.
TEST_F(FileBackendTest, WhatReplacesAnObjectIsYoungerByASecond) {
    std::set<std::int64_t> seconds;
    for (int round = 0; round < 5; ++round) {
        ASSERT_TRUE(test::put(x_backend, "k", "same"));
        struct stat status {};
        ASSERT_EQ(::stat((x_root / "k").c_str(), &status), 0);
        if (!seconds.empty()) EXPECT_GT(status.st_mtim.tv_sec, *seconds.rbegin());
        seconds.insert(status.st_mtim.tv_sec);
    }
    EXPECT_EQ(seconds.size(), 5U);
    EXPECT_LE(*seconds.rbegin(), std::time(nullptr) + 5);
}

// Of the same size, in the same tick of the kernel's clock, with inode numbers that come again.
TEST_F(FileBackendTest, ObjectsThatFollowEachOtherAtOnceHaveDifferentEtags) {
    std::set<std::string> etags;
    constexpr int rounds = 100;
    for (int round = 0; round < rounds; ++round) {
        if (round % 2 == 0) ASSERT_TRUE(x_backend.remove("k"));
        ASSERT_TRUE(test::put(x_backend, "k", "same"));
        etags.insert((*x_backend.look("k"))->etag);
    }
    EXPECT_EQ(etags.size(), static_cast<std::size_t>(rounds));
}

TEST_F(FileBackendTest, Conditions) {
    EXPECT_EQ(*test::put(x_backend, "k", "x", {Kind::if_etag, "none"}), PutOutcome::changed);
    EXPECT_THAT(keys(), IsEmpty());
    EXPECT_EQ(*test::put(x_backend, "k", "one", {Kind::if_absent, ""}), PutOutcome::written);
    EXPECT_EQ(*test::put(x_backend, "k", "two", {Kind::if_absent, ""}), PutOutcome::there);
    EXPECT_EQ(*test::get(x_backend, "k"), "one");
    const std::string etag = (*x_backend.look("k"))->etag;
    EXPECT_EQ(*test::put(x_backend, "k", "two", {Kind::if_etag, etag}), PutOutcome::written);
    EXPECT_EQ(*test::put(x_backend, "k", "three", {Kind::if_etag, etag}), PutOutcome::changed);
    EXPECT_EQ(*test::put(x_backend, "k", "three", {Kind::if_etag, ""}), PutOutcome::changed);
    EXPECT_EQ(*test::get(x_backend, "k"), "two");
    EXPECT_EQ(*test::put(x_backend, "k", "four", {Kind::always, ""}), PutOutcome::written);
    EXPECT_EQ(*test::get(x_backend, "k"), "four");
    EXPECT_TRUE(x_backend.remove("k"));
    EXPECT_TRUE(x_backend.remove("k"));
    EXPECT_EQ(code_of_get("k"), Code::absent);
    EXPECT_EQ(files(x_root).size(), 1U) << "the lock alone";
}

TEST_F(FileBackendTest, ListsInTheOrderOfKeysAndByPrefix) {
    // "-" and "." come before "/", digits and letters after it.
    const std::vector<std::string> sorted = {"a-b/x", "a.json", "a/b",   "a/b-", "a/c/d",
                                             "a/c0",  "a0",     "b/c/d", "b/c=", "z"};
    for (auto key = sorted.rbegin(); key != sorted.rend(); ++key)
        ASSERT_TRUE(test::put(x_backend, *key, *key));
    EXPECT_EQ(keys(), sorted);
    EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
    EXPECT_THAT(keys("a/"), ElementsAre("a/b", "a/b-", "a/c/d", "a/c0"));
    EXPECT_THAT(keys("a/c"), ElementsAre("a/c/d", "a/c0"));
    EXPECT_THAT(keys("b/c/"), ElementsAre("b/c/d"));
    EXPECT_THAT(keys("z"), ElementsAre("z"));
    for (const char* none : {"zz", "b/c/d/e", "../", "/", "a//"})
        EXPECT_THAT(keys(none), IsEmpty()) << none;
    std::vector<std::uint64_t> sizes;
    const auto status = x_backend.list("a", [&](const ObjectInfo& object) -> base::Status {
        EXPECT_EQ(object.etag, (*x_backend.look(object.key))->etag);
        sizes.push_back(object.size);
        if (sizes.size() == 2) return base::fail(Code::failed, "enough");
        return {};
    });
    EXPECT_EQ(status.error().message, "enough");
    EXPECT_THAT(sizes, ElementsAre(5U, 6U));
}

TEST_F(FileBackendTest, ForeignThingsAreNoObjects) {
    ASSERT_TRUE(test::put(x_backend, "a/b", "1"));
    ASSERT_TRUE(base::write_file(at("secret"), "secret"));
    fs::create_symlink(at("secret"), x_root / "link");
    fs::create_symlink(x_folder.path(), x_root / "out");
    fs::create_symlink(x_root / "a", x_root / "within");
    ASSERT_EQ(::mkfifo((x_root / "fifo").c_str(), 0644), 0);
    const base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (x_root / "socket").native().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_TRUE(base::write_file(x_root / "with blank", "x"));
    ASSERT_TRUE(base::write_file(x_root / ".nfs000000000001", "x"));
    ASSERT_TRUE(base::make_dirs(x_root / "lost+found"));
    ASSERT_TRUE(base::make_dirs(x_root / "folder"));
    ::chmod((x_root / "lost+found").c_str(), 0);
    EXPECT_THAT(keys(), ElementsAre("a/b"));
    for (const char* key : {"link", "out/secret", "within/b", "fifo", "socket", "folder"}) {
        EXPECT_EQ(code_of_get(key), Code::refused) << key;
        EXPECT_EQ(x_backend.look(key).error().code, Code::refused) << key;
        if (std::string_view(key).find('/') == std::string_view::npos) {
            EXPECT_EQ(test::put(x_backend, key, "x", {Kind::if_absent, ""}).error().code,
                      Code::refused)
                << key;
            EXPECT_EQ(x_backend.remove(key).error().code, Code::refused) << key;
        } else {
            EXPECT_EQ(test::put(x_backend, key, "x").error().code, Code::refused) << key;
        }
    }
    EXPECT_EQ(test::put(x_backend, "folder", "x").error().code, Code::refused);
    EXPECT_EQ(code_of_get("a/b/c"), Code::absent) << "below an object there is nothing";
    EXPECT_EQ(test::put(x_backend, "a/b/c", "x").error().code, Code::refused);
    // Written over, a symlink is gone and what it pointed to is not touched.
    EXPECT_EQ(*test::put(x_backend, "link", "mine"), PutOutcome::written);
    EXPECT_EQ(*base::read_file(at("secret")), "secret");
    EXPECT_EQ(*test::get(x_backend, "link"), "mine");
    EXPECT_FALSE(fs::is_symlink(x_root / "link"));
}

TEST_F(FileBackendTest, NamesThatAreNoKeysAreRefusedBeforeAnything) {
    for (const char* key : {"../x", "/etc/passwd", "a//b", "-x", "", ".sf-lock", "a/.sf-new-1",
                            ".sf-new-0123456789abcdef/x", ".nfs1", "lost+found/x"}) {
        EXPECT_EQ(code_of_get(key), Code::refused) << key;
        EXPECT_EQ(test::put(x_backend, key, "x").error().code, Code::refused) << key;
        EXPECT_EQ(x_backend.look(key).error().code, Code::refused) << key;
        EXPECT_EQ(x_backend.remove(key).error().code, Code::refused) << key;
    }
    EXPECT_FALSE(fs::exists(x_root));
}

TEST_F(FileBackendTest, ALockThatIsASymlinkIsNotFollowed) {
    ASSERT_TRUE(base::make_dirs(x_root));
    fs::create_symlink(at("elsewhere"), x_root / ".sf-lock");
    EXPECT_FALSE(test::put(x_backend, "k", "x"));
    EXPECT_FALSE(fs::exists(at("elsewhere")));
}

TEST_F(FileBackendTest, AFileIsNoCache) {
    ASSERT_TRUE(base::write_file(x_root, "x"));
    EXPECT_EQ(code_of_get("k"), Code::usage);
    EXPECT_EQ(test::put(x_backend, "k", "x").error().code, Code::usage);
}

TEST_F(FileBackendTest, WhatKilledWritersLeftIsNoObjectAndGoesWhenItIsOld) {
    ASSERT_TRUE(base::make_dirs(x_root / "a"));
    const fs::path young = x_root / "a/.sf-new-0000000000000001";
    const fs::path old = x_root / "a/.sf-new-0000000000000002";
    const fs::path other = x_root / "a/object";
    for (const fs::path& each : {young, old, other}) ASSERT_TRUE(base::write_file(each, "x"));
    const auto age = [](const fs::path& path, long hours) {
        const timespec then{std::time(nullptr) - hours * 3600, 0};
        const timespec times[2] = {then, then};
        ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    };
    age(old, 25);
    age(young, 23);
    age(other, 2500);
    EXPECT_THAT(keys(), ElementsAre("a/object"));
    ASSERT_TRUE(test::put(x_backend, "a/new", "x"));
    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(fs::exists(young));
    EXPECT_THAT(keys(), ElementsAre("a/new", "a/object"));
}

TEST_F(FileBackendTest, AFullDiskIsExhaustedAndLeavesNothing) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: mounting a small file system needs root";
    ASSERT_TRUE(base::make_dirs(x_root));
    if (::mount("tmpfs", x_root.c_str(), "tmpfs", 0, "size=256k") != 0)
        GTEST_SKIP() << "NOT RUN: this machine does not let root mount a tmpfs";
    EXPECT_TRUE(test::put(x_backend, "a/small", "old"));
    for (const Kind kind : {Kind::always, Kind::if_absent}) {
        const auto outcome =
            test::put(x_backend, "a/large", std::string(std::size_t{1} << 20, 'x'), {kind, ""});
        EXPECT_FALSE(outcome);
        if (!outcome) {
            EXPECT_EQ(outcome.error().code, Code::exhausted) << outcome.error().text();
            EXPECT_THAT(outcome.error().text(), HasSubstr("cache/a/large"));
        }
    }
    EXPECT_FALSE(test::put(x_backend, "a/small", std::string(std::size_t{1} << 20, 'x')));
    EXPECT_EQ(*test::get(x_backend, "a/small"), "old");
    EXPECT_THAT(keys(), ElementsAre("a/small"));
    EXPECT_EQ(base::list_dir(x_root / "a")->size(), 1U);
    EXPECT_EQ(::umount2(x_root.c_str(), MNT_DETACH), 0);
}

TEST_F(FileBackendTest, AReadOnlyCacheCanBeReadAndSaysThatItCannotBeWritten) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: mounting a small file system needs root";
    ASSERT_TRUE(base::make_dirs(x_root));
    if (::mount("tmpfs", x_root.c_str(), "tmpfs", 0, "size=256k") != 0)
        GTEST_SKIP() << "NOT RUN: this machine does not let root mount a tmpfs";
    EXPECT_TRUE(test::put(x_backend, "a/b", "x"));
    EXPECT_EQ(::mount("tmpfs", x_root.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, ""), 0);
    EXPECT_EQ(*test::get(x_backend, "a/b"), "x");
    EXPECT_THAT(keys(), ElementsAre("a/b"));
    EXPECT_EQ(test::put(x_backend, "a/c", "x").error().code, Code::refused);
    EXPECT_EQ(x_backend.remove("a/b").error().code, Code::refused);
    EXPECT_EQ(::umount2(x_root.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace sf::cache
