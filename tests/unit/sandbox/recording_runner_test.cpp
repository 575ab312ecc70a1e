// SPDX-License-Identifier: Apache-2.0
#include "support/recording_runner.hpp"

#include <gmock/gmock.h>

namespace sf::sandbox {
namespace {

using support::host_path;
using support::RecordingRunner;

TEST(RecordingRunner, KeepsPlansAndPlaysTheScript) {
    const auto folder = base::TempDir::create(base::fs::temp_directory_path(), "sf-rec-").value();
    RecordingRunner runner;
    runner.lend(base::Identity{7, 8});
    runner.script([](const SandboxPlan& plan, int) -> base::Result<RunResult> {
        if (plan.argv.front() == "/bin/fail") return support::ended_with(2);
        if (plan.argv.front() == "/bin/none") return base::fail(base::Code::absent, "no bwrap");
        SF_CHECK(base::write_file(host_path(plan, "/build/out"), "made"));
        return support::ended_with(0);
    });
    SandboxPlan plan;
    plan.binds = {{folder.path(), "/build", true}};
    auto lease = runner.lease().value();
    EXPECT_EQ(lease->identity()->uid, 7U);
    EXPECT_EQ(runner.leases_held(), 1);
    plan.argv = {"/bin/make"};
    EXPECT_EQ(runner.run(*lease, plan, -1)->outcome, Outcome::ok);
    plan.argv = {"/bin/fail"};
    EXPECT_EQ(runner.run(*lease, plan, -1)->detail, "exit status 2");
    plan.argv = {"/bin/none"};
    EXPECT_EQ(runner.run(*lease, plan, -1).error().code, base::Code::absent);
    EXPECT_EQ(base::read_file(folder.path() / "out").value(), "made");
    lease.reset();
    EXPECT_EQ(runner.leases_held(), 0);
    EXPECT_EQ(runner.leases(), 1);
    EXPECT_EQ(runner.most_at_once(), 1);
    ASSERT_EQ(runner.plans().size(), 3U);
    EXPECT_EQ(runner.plans()[2].argv.front(), "/bin/none");
}

TEST(RecordingRunner, FindsPathsThroughTheInnermostBind) {
    SandboxPlan plan;
    plan.binds = {{"/x", "/build", true}, {"/y", "/build/dep", false}, {"/z", "/prefix", true}};
    EXPECT_EQ(host_path(plan, "/build/a/b"), "/x/a/b");
    EXPECT_EQ(host_path(plan, "/build"), "/x");
    EXPECT_EQ(host_path(plan, "/prefix/lib"), "/z/lib");
    EXPECT_EQ(host_path(plan, "/build/dep/a"), "");
    EXPECT_EQ(host_path(plan, "/builder"), "");
}

}  // namespace
}  // namespace sf::sandbox
