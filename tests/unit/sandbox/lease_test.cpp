// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "sandbox/uid_lease.hpp"
#include "unit/sandbox/harness.hpp"

namespace sf::sandbox {
namespace {

class LeaseTest : public testing::Test {
protected:
    [[nodiscard]] UidLender uids(uid_t first, unsigned count) const {
        return UidLender(x_folder.path(), first, count);
    }
    base::TempDir x_folder =
        base::TempDir::create(base::fs::temp_directory_path(), "sf-lease-").value();
};

TEST_F(LeaseTest, LendsEachUidOnce) {
    auto one = uids(60990, 2).lend_uid().value();
    auto two = uids(60990, 2).lend_uid().value();
    EXPECT_EQ(one->identity()->uid, 60990U);
    EXPECT_EQ(one->identity()->gid, 60990U);
    EXPECT_EQ(two->identity()->uid, 60991U);
    const auto none = uids(60990, 2).lend_uid();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, base::Code::exhausted);
    EXPECT_EQ(none.error().message,
              "every uid from 60990 to 60991 is lent to another build or in use");
    one.reset();
    EXPECT_EQ(uids(60990, 2).lend_uid().value()->identity()->uid, 60990U);
}

TEST_F(LeaseTest, OnlyRootBecomesSomebodyElse) {
    const auto lease = uids(60994, 1).lend().value();
    if (::geteuid() == 0) {
        EXPECT_EQ(lease->identity()->uid, 60994U);
    } else {
        EXPECT_FALSE(lease->identity());
    }
}

TEST_F(LeaseTest, LendsNoUsersUidAndNoneWithProcesses) {
    // uid 0 is a user's; our own runs this very test.
    EXPECT_FALSE(uids(0, 1).lend_uid());
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: only root can start a process of another uid";
    base::Command command;
    command.argv = {"/usr/bin/sleep", "60"};
    command.identity = base::Identity{60992, 60992};
    auto child = base::Child::spawn(command).value();
    EXPECT_THAT(processes_of(60992).value(), testing::ElementsAre(child.pid()));
    EXPECT_EQ(tasks_of(60992).value(), 1U);
    EXPECT_EQ(uids(60992, 2).lend_uid().value()->identity()->uid, 60993U);
    EXPECT_TRUE(end_processes_of(60992, std::chrono::seconds(5)));
    EXPECT_EQ(child.wait().value().signal, 9);
    EXPECT_EQ(uids(60992, 2).lend_uid().value()->identity()->uid, 60992U);
}

}  // namespace
}  // namespace sf::sandbox
