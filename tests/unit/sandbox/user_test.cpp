// SPDX-License-Identifier: Apache-2.0
// Runs the tests of real sandboxes a second time, as a user without rights.
#include <unistd.h>

#include "base/text.hpp"
#include "unit/sandbox/harness.hpp"

namespace sf::sandbox {
namespace {

TEST(AsOrdinaryUser, TheSandboxTestsPassToo) {
    if (const auto why = why_not_run(); !why.empty()) GTEST_SKIP() << why;
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: the tests run as an ordinary user already";
    const uid_t user = 60985;
    const auto folder = base::TempDir::create(base::fs::temp_directory_path(), "sf-user-").value();
    ASSERT_EQ(::chown(folder.path().c_str(), user, user), 0);
    base::Command command;
    // Neither this program nor its folder need be readable for that user where they are.
    command.mounts = base::PrivateMounts{
        "/mnt",
        {{base::fs::read_symlink("/proc/self/exe"), "unit_sandbox"}, {folder.path(), "tmp"}}};
    command.argv = {"/usr/bin/env", "/mnt/unit_sandbox", "--gtest_filter=SandboxRun.*",
                    "--gtest_color=no"};
    command.environment = {{"TMPDIR", "/mnt/tmp"}, {"PATH", "/usr/bin:/bin"}};
    command.identity = base::Identity{user, user};
    command.directory = "/";
    command.limits.no_core = true;
    const auto done = base::run(command);
    ASSERT_TRUE(done) << done.error().text();
    EXPECT_EQ(done->exit.code, 0) << done->out << done->err;
    EXPECT_THAT(done->out, testing::HasSubstr("[  PASSED  ]"));
    // One cannot be tried by an ordinary user, and says so; every other one ran.
    EXPECT_THAT(done->out, testing::HasSubstr("[  SKIPPED ] 1 test"));
}

}  // namespace
}  // namespace sf::sandbox
