// SPDX-License-Identifier: Apache-2.0
#include "deploy/host_lease.hpp"

#include <gmock/gmock.h>

#include <ctime>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "deploy/services.hpp"
#include "deploy/uninstall.hpp"
#include "tree/leases.hpp"
#include "unit/deploy/machine.hpp"

namespace sf::deploy {
namespace {

namespace fs = std::filesystem;

TEST(HostLease, TakesATreeByItsWholePath) {
    const LeaseOptions once = parse_lease({"/opt/slurm"}).value();
    EXPECT_EQ(once.tree, "/opt/slurm");
    EXPECT_FALSE(once.keep);
    EXPECT_TRUE(parse_lease({"--keep", "/opt/slurm"}).value().keep);
    EXPECT_EQ(parse_lease({"--print", "--hours=72", "/opt/slurm"}).value().hours, 72);
    for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                  {"--keep"},
                                                  {"opt/slurm"},
                                                  {"/a", "/b"},
                                                  {"/a", "--hours=0"},
                                                  {"/a", "--hours=x"},
                                                  {"--keep", "--print", "/a"}}) {
        EXPECT_EQ(parse_lease(words).error().code, base::Code::usage);
        EXPECT_EQ(parse_lease(words).error().hint,
                  "slurm-setup lease [--print|--keep] [--hours=N] TREE");
    }
}

TEST(HostLease, ATreeThatIsNotThereYetIsJudgedByWhereItWillBe) {
    const auto scratch = base::TempDir::create("/tmp", "sf-lease-").value();
    EXPECT_EQ(why_tree_is_shared(scratch.path() / "not/yet").value(),
              why_tree_is_shared(scratch.path()).value());
    ASSERT_TRUE(base::write_file(scratch.path() / tree::shared_mark, ""));
    EXPECT_NE(why_tree_is_shared(scratch.path()).value(), "");
}

TEST(HostLease, IsWrittenAndTakenBack) {
    const auto scratch = base::TempDir::create("/tmp", "sf-lease-").value();
    test::Listener listener;
    ASSERT_TRUE(hold_lease({scratch.path()}, listener));
    const tree::Leases leases = tree::read_leases(scratch.path()).value();
    ASSERT_EQ(leases.list.size(), 1U);
    EXPECT_EQ(leases.list[0].host, tree::host_name().value());
    EXPECT_TRUE(leases.list[0].fresh(std::time(nullptr) + 23 * 3600));
    EXPECT_EQ(lease_path(scratch.path()).value().filename(),
              tree::lease_file(leases.list[0]).value());
    EXPECT_TRUE(base::exists(lease_path(scratch.path()).value()));
    ASSERT_TRUE(end_lease(scratch.path(), listener));
    EXPECT_TRUE(tree::read_leases(scratch.path()).value().list.empty());
    EXPECT_TRUE(end_lease(scratch.path() / "gone", listener));
}

TEST(HostLease, IsPrintedWhereItCannotBeWritten) {
    const auto scratch = base::TempDir::create("/tmp", "sf-lease-").value();
    test::Listener listener;
    ::testing::internal::CaptureStdout();
    const base::Status printed = hold_lease({scratch.path(), false, true}, listener);
    const std::string text = ::testing::internal::GetCapturedStdout();
    ASSERT_TRUE(printed);
    EXPECT_EQ(tree::lease_from_json(text).value().host, tree::host_name().value());
    EXPECT_FALSE(base::exists(scratch.path() / tree::leases_folder));
}

TEST(HostLease, OneThatCannotBeWrittenIsSaid) {
    const auto scratch = base::TempDir::create("/tmp", "sf-lease-").value();
    ASSERT_TRUE(base::write_file(scratch.path() / tree::leases_folder, "in the way"));
    test::Listener listener;
    EXPECT_FALSE(hold_lease({scratch.path()}, listener));
}

TEST(HostLease, IsKeptUntilAskedToStop) {
    const auto scratch = base::TempDir::create("/tmp", "sf-lease-").value();
    test::Listener listener;
    base::clear_stop();
    std::thread asks([&] {
        while (tree::read_leases(scratch.path()).value().list.empty()) std::this_thread::yield();
        base::request_stop(SIGTERM);
    });
    EXPECT_TRUE(hold_lease({scratch.path(), true}, listener));
    asks.join();
    base::clear_stop();
}

class SharedTreeTest : public MachineTest {
protected:
    SharedTreeTest() {
        shared = ".sf-shared says that it is shared";
        host.put("/etc/munge/munge.key", "k", 0400);
    }
    const PlannedFile* file(const Plan& plan, const std::string& path) {
        for (const PlannedFile& each : plan.files)
            if (each.path == path) return &each;
        return nullptr;
    }
    Accounts accounts;
    const std::vector<std::string> words{"--full-init", "--role", "compute", "--controller",
                                         "head1"};
    // What `current` leads to decides whose helper it is.
    const std::string command =
        R"(v=$(readlink /opt/slurm/current) && exec /opt/slurm/data/slurm_assets/"${v##*/}"/slurm-setup lease)";
};

TEST_F(SharedTreeTest, SystemdRenewsTheLease) {
    host.put_folder("/run/systemd/system");
    const Plan made = plan(words).planned.plan;
    EXPECT_EQ(made.units.back(), "slurm-factory-lease.timer");
    const PlannedFile* unit = file(made, "/etc/systemd/system/slurm-factory-lease.service");
    ASSERT_NE(unit, nullptr);
    EXPECT_THAT(unit->content,
                ::testing::HasSubstr("\nExecStart=/bin/sh -c '" +
                                     base::replace_all(command, "$", "$$") + " /opt/slurm'\n"));
    EXPECT_THAT(unit->content, ::testing::HasSubstr("\nReadWritePaths=/opt/slurm\n"));
    const PlannedFile* timer = file(made, "/etc/systemd/system/slurm-factory-lease.timer");
    ASSERT_NE(timer, nullptr);
    EXPECT_THAT(timer->content,
                ::testing::HasSubstr(fmt::format("\nOnUnitInactiveSec={}h\n", renewal_hours)));
    ASSERT_FALSE(made.notes.empty());
    EXPECT_THAT(made.notes.front(), ::testing::HasSubstr(shared));
    shared.clear();
    const Plan alone = plan(words).planned.plan;
    EXPECT_NE(alone.units.back(), "slurm-factory-lease.timer");
    EXPECT_EQ(file(alone, "/etc/systemd/system/slurm-factory-lease.service"), nullptr);
}

// Other hosts come and go: neither does it end with them, nor do daemons start anew for it.
TEST_F(SharedTreeTest, GoesOnAndRestartsNobody) {
    host.put_folder("/run/systemd/system");
    shared.clear();
    ASSERT_TRUE(set_up(words));
    record.restart_due = false;
    Context context{host, listener, record, accounts};
    ASSERT_TRUE(context.save());
    shared = "node7 has a lease on it";
    ASSERT_EQ(set_up(words).value(), 2);  // its two files
    EXPECT_FALSE(record.restart_due);
    EXPECT_TRUE(record.leased);
    shared.clear();
    const Plan after = plan(words).planned.plan;
    EXPECT_EQ(after.units.back(), "slurm-factory-lease.timer");
    EXPECT_EQ(set_up(words).value(), 0);
}

TEST_F(SharedTreeTest, WithoutSystemdTheSupervisorDoes) {
    const Plan made = plan(words).planned.plan;
    ASSERT_FALSE(made.services.empty());
    const Service& last = made.services.back();
    EXPECT_EQ(last.argv,
              (std::vector<std::string>{"/bin/sh", "-c", command + " --keep /opt/slurm"}));
    EXPECT_EQ(last.owner.user, "root");
    EXPECT_TRUE(last.ready_socket.empty());
}

// The timer first: it would start its service again.
TEST_F(SharedTreeTest, TheTimerIsStoppedBeforeItsService) {
    host.put_folder("/run/systemd/system");
    ASSERT_TRUE(set_up(words));
    const std::vector<std::string> units = own_units(record);
    ASSERT_FALSE(units.empty());
    EXPECT_EQ(units.front(), "slurm-factory-lease.timer");
    EXPECT_THAT(units, ::testing::Contains("slurm-factory-lease.service"));
}

TEST_F(SharedTreeTest, TheLinkThatOtherHostsRunFromStays) {
    ASSERT_TRUE(set_up(words));
    Context context{host, listener, record, accounts};
    ASSERT_TRUE(uninstall(context, false, {shared, {}}));
    EXPECT_TRUE(host.nodes.contains("/opt/slurm/current"));
    EXPECT_THAT(listener.heard, ::testing::HasSubstr("stays: /opt/slurm/current"));
}

// While the record is there: whoever is interrupted says it again.
TEST_F(SharedTreeTest, TheLeaseEndsBeforeTheRecord) {
    ASSERT_TRUE(set_up(words));
    Context context{host, listener, record, accounts};
    int ended = 0;
    bool fails = true;
    const SharedTree tree{shared, [&]() -> base::Status {
                              ++ended;
                              EXPECT_TRUE(host.nodes.contains(std::string(record_path)));
                              if (fails) return base::fail(base::Code::failed, "no disk");
                              return {};
                          }};
    ASSERT_TRUE(uninstall(context, true, tree));
    EXPECT_EQ(ended, 0);
    EXPECT_THAT(listener.heard, ::testing::HasSubstr("would take back this host's lease"));
    EXPECT_FALSE(uninstall(context, false, tree));
    fails = false;
    EXPECT_TRUE(uninstall(context, false, tree));
    EXPECT_EQ(ended, 2);
    EXPECT_FALSE(host.nodes.contains(std::string(record_path)));
}

}  // namespace
}  // namespace sf::deploy
