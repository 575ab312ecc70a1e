// SPDX-License-Identifier: Apache-2.0
// Where everything is synced at once, and where file by file; a write that failed is told either
// way. The calls of libc stand in this file: they pass on, unless a test wants otherwise.
#include "base/sync_point.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <unistd.h>

namespace {

constexpr std::uint32_t ext4 = 0xEF53, tmpfs = 0x01021994, nfs = 0x6969;

struct Machine {
    const char* kernel = nullptr;  // nullptr: the real ones
    std::uint32_t file_system = 0;
    int sync_error = 0;
};
Machine machine;
std::atomic<int> at_once = 0, by_file = 0;  // calls, of any thread

}  // namespace

extern "C" {
int uname(struct utsname* names) noexcept {
    const long done = ::syscall(SYS_uname, names);
    if (machine.kernel != nullptr) std::strcpy(names->release, machine.kernel);
    return static_cast<int>(done);
}
int fstatfs(int descriptor, struct statfs* status) noexcept {
    const long done = ::syscall(SYS_fstatfs, descriptor, status);
    if (machine.file_system != 0) status->f_type = machine.file_system;
    return static_cast<int>(done);
}
int syncfs(int descriptor) noexcept {
    ++at_once;
    if (machine.sync_error == 0) return static_cast<int>(::syscall(SYS_syncfs, descriptor));
    errno = machine.sync_error;
    return -1;
}
int fsync(int descriptor) {
    ++by_file;
    if (machine.sync_error == 0) return static_cast<int>(::syscall(SYS_fsync, descriptor));
    errno = machine.sync_error;
    return -1;
}
}

namespace sf::base {
namespace {

class SyncPoints : public ::testing::Test {
protected:
    void TearDown() override { machine = {}; }
    Status write_and_sync(const char* kernel, std::uint32_t file_system, int error = 0,
                          std::uint64_t most_waiting = UINT64_MAX) {
        machine = {kernel, file_system, error};
        at_once = by_file = 0;
        const auto point = SyncPoint::open(x_dir.path(), most_waiting);
        EXPECT_TRUE(point);
        EXPECT_TRUE(write_staged(x_dir.path() / "one", "1"));
        EXPECT_TRUE(write_staged(x_dir.path() / "two", "2"));
        EXPECT_EQ(at_once + by_file, 0) << "what is staged is not synced alone";
        return point->sync(x_dir.path());
    }
    TempDir x_dir = *TempDir::create(fs::temp_directory_path(), "sf-sync-");
};

TEST_F(SyncPoints, AtOnceWhereTheKernelTellsOfFailedWrites) {
    for (const char* kernel : {"5.17.0", "5.17.0-rc3", "6.1.0-18-amd64", "10.0"}) {
        EXPECT_TRUE(write_and_sync(kernel, ext4)) << kernel;
        EXPECT_EQ(at_once, 1) << kernel;
        EXPECT_EQ(by_file, 0) << kernel;
    }
}

TEST_F(SyncPoints, FileByFileElsewhere) {
    struct Elsewhere {
        const char* kernel;
        std::uint32_t file_system;
    };
    for (const Elsewhere& each :
         {Elsewhere{"5.16.20", ext4}, Elsewhere{"4.18.0-553.el8_10.x86_64", ext4},
          Elsewhere{"unknown", ext4}, Elsewhere{"6.1.0", tmpfs}, Elsewhere{"6.1.0", nfs}}) {
        EXPECT_TRUE(write_and_sync(each.kernel, each.file_system)) << each.kernel;
        EXPECT_EQ(at_once, 0) << each.kernel << ' ' << each.file_system;
        EXPECT_GE(by_file, 3) << "two files and the folder";
    }
}

TEST_F(SyncPoints, FileByFileWhereMuchOfOthersWaits) {
    EXPECT_TRUE(write_and_sync("6.1.0", ext4, 0, 0));
    EXPECT_EQ(at_once, 0);
    EXPECT_GE(by_file, 3);
}

TEST_F(SyncPoints, AWriteThatFailedIsTold) {
    for (const std::uint32_t file_system : {ext4, tmpfs}) {
        for (const int error : {EIO, ENOSPC, EDQUOT}) {
            const Status told = write_and_sync("6.1.0", file_system, error);
            ASSERT_FALSE(told);
            EXPECT_NE(told.error().text().find(std::strerror(error)), std::string::npos);
            EXPECT_NE(told.error().text().find(x_dir.path().native()), std::string::npos);
        }
    }
}

}  // namespace
}  // namespace sf::base
