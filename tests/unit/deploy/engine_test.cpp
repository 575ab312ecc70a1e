// SPDX-License-Identifier: Apache-2.0
// Carrying a plan out: once, twice, after an interruption, over what an administrator changed.
#include "deploy/engine.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "deploy/database.hpp"
#include "deploy/supervisor.hpp"
#include "deploy/template.hpp"
#include "deploy/uninstall.hpp"
#include "unit/deploy/machine.hpp"

namespace sf::deploy {
namespace {

using EngineTest = MachineTest;

bool was_done(const test::RecordingHost& host, const std::string& what) {
    return std::ranges::any_of(host.done,
                               [&](const std::string& line) { return line.starts_with(what); });
}

TEST_F(EngineTest, TheSecondTimeNothingChanges) {
    with_accounting_plugin();
    with_mariadb();
    EXPECT_GT(set_up({"--full-init"}).value(), 10);
    const auto nodes = host.nodes.size();
    host.done.clear();
    host.calls.clear();
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    EXPECT_EQ(host.nodes.size(), nodes);
    EXPECT_TRUE(host.done.empty()) << host.done.front();
    EXPECT_TRUE(host.calls.empty());
}

TEST_F(EngineTest, UsersFoldersAndSecretsAreAsPlanned) {
    with_accounting_plugin();
    with_mariadb();
    ASSERT_TRUE(set_up({"--full-init", "--slurm-uid", "64030"}));
    EXPECT_EQ(host.calls[0], "groupadd --system munge");
    EXPECT_EQ(host.calls[3].find("useradd --system --gid slurm"), 0U);
    EXPECT_NE(host.calls[3].find("--uid 64030 slurm"), std::string::npos);
    EXPECT_TRUE(was_done(host, "new /etc/munge/munge.key 0400 990:990"));
    EXPECT_TRUE(was_done(host, "new /etc/slurm/slurmdbd.conf 0600 991:991"));
    EXPECT_TRUE(was_done(host, "folder /var/lib/slurm/slurmctld 0700 991:991"));
    EXPECT_TRUE(was_done(host, "folder /etc/slurm 0755 0:0"));
    EXPECT_TRUE(was_done(host, "file /etc/slurm/slurm.conf 0644 0:0"));
    EXPECT_EQ(host.text("/etc/munge/munge.key").size(), 1024U);
    EXPECT_EQ(password_in(host.text("/etc/slurm/slurmdbd.conf")), "pass4word");
    EXPECT_EQ(host.text("/opt/slurm/current"), "views/25.11.2");
    // The password and the key are in no record, no message and no command line.
    const std::string key = host.text("/etc/munge/munge.key").substr(0, 16);
    for (const std::string& text : {host.text(std::string(record_path)), listener.heard})
        for (const std::string& secret : {std::string("pass4word"), key})
            EXPECT_EQ(text.find(secret), std::string::npos);
    for (const std::string& call : host.calls)
        EXPECT_EQ(call.find("pass4word"), std::string::npos) << call;
}

TEST_F(EngineTest, WhatRootBroughtIsHandedToItsDaemon) {
    host.put_folder("/etc/munge", 0755);
    host.put("/etc/munge/munge.key", "brought", 0600);
    ASSERT_TRUE(set_up({"--full-init", "--role", "compute", "--controller", "head1"}));
    EXPECT_TRUE(was_done(host, "mode /etc/munge 0700 990:990"));
    EXPECT_TRUE(was_done(host, "mode /etc/munge/munge.key 0400 990:990"));
    EXPECT_EQ(host.text("/etc/munge/munge.key"), "brought");
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
}

TEST_F(EngineTest, APasswordFileThatRootBroughtAsWell) {
    with_accounting_plugin();
    with_mariadb();
    host.put_folder("/etc/slurm");
    host.put("/etc/slurm/slurmdbd.conf", "StoragePass=brought\n", 0600);
    ASSERT_TRUE(set_up({"--full-init"}));
    EXPECT_TRUE(was_done(host, "mode /etc/slurm/slurmdbd.conf 0600 991:991"));
    EXPECT_EQ(host.text("/etc/slurm/slurmdbd.conf"), "StoragePass=brought\n");
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
}

TEST_F(EngineTest, ExistingUsersAreKept) {
    host.put("/etc/passwd", "root:x:0:0::/:/x\nslurm:x:64030:64030::/:/x\nmunge:x:7:7::/:/x\n");
    host.put("/etc/group", "root:x:0:\nslurm:x:64030:\nmunge:x:7:\n");
    ASSERT_TRUE(set_up({"--full-init"}));
    EXPECT_TRUE(host.calls.empty());
    EXPECT_TRUE(was_done(host, "folder /var/log/slurm 0750 64030:64030"));
}

TEST_F(EngineTest, WhatAnotherInstallerMadeMeanwhileIsKnown) {
    const std::string before = looked_up();
    ASSERT_TRUE(set_up({"--full-init"}));
    const Facts facts = gather_facts(host, before, bundle).value();
    ASSERT_NE(facts.accounts.user("munge"), nullptr);
    EXPECT_EQ(facts.accounts.user("munge")->uid, 990U);
    ASSERT_NE(facts.accounts.group("slurm"), nullptr);
}

TEST_F(EngineTest, TheUsersOfThisMachineAreMadeAgainWithTheirNumbers) {
    const std::string path = "/etc/sysusers.d/slurm-factory.conf";
    host.put_folder("/run/systemd/system");
    // One is there already, one comes from a directory service, one is made.
    host.put("/etc/passwd", host.text("/etc/passwd") + "slurm:x:64030:64031::/:/x\n");
    host.put("/etc/group", host.text("/etc/group") + "slurm:x:64031:\n");
    more_names = "passwd munge:x:700:700::/:/x\ngroup munge:x:700:\n";
    ASSERT_TRUE(set_up({"--full-init", "--role", "all,rest", "--jwt", "--without-accounting"}));
    const std::string text = host.text(path);
    EXPECT_NE(text.find("\ng slurm 64031\nu slurm 64030:64031 \"Slurm workload manager\" "
                        "/nonexistent /usr/sbin/nologin\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("\ng slurmrestd 990\nu slurmrestd 990:990 "), std::string::npos) << text;
    EXPECT_EQ(text.find("munge"), std::string::npos) << text;
    EXPECT_EQ(text.find('@'), std::string::npos) << text;
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    // No daemon reads it.
    record = load_record(host).value();
    record.restart_due = false;
    host.put(std::string(record_path), to_json(record).value());
    host.nodes.erase(path);
    EXPECT_EQ(set_up({"--full-init"}).value(), 1);
    EXPECT_EQ(host.text(path), text);
    EXPECT_FALSE(load_record(host).value().restart_due);
    Accounts accounts;
    Context context{host, listener, record, accounts};
    ASSERT_TRUE(uninstall(context, false));
    EXPECT_EQ(host.text(path), "<absent>");
    EXPECT_FALSE(host.nodes.contains("/etc/sysusers.d"));  // ours, and empty
}

TEST_F(EngineTest, WhatAnAdministratorChangedStays) {
    ASSERT_TRUE(set_up({"--full-init"}));
    const std::string ours = host.text("/etc/slurm/slurm.conf");
    const std::string theirs = ours + "MaxJobCount=5\n";
    host.put("/etc/slurm/slurm.conf", theirs);
    EXPECT_EQ(set_up({"--full-init"}).value(), 1);
    EXPECT_EQ(host.text("/etc/slurm/slurm.conf"), theirs);
    EXPECT_EQ(host.text("/etc/slurm/slurm.conf.new"), ours);
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    // What nobody changed follows a change of the answers.
    host.put("/etc/slurm/slurm.conf", ours);
    EXPECT_EQ(set_up({"--full-init", "--cluster-name", "beta"}).value(), 1);
    EXPECT_NE(host.text("/etc/slurm/slurm.conf").find("ClusterName=beta"), std::string::npos);
    // And is not forgotten when it is not said again.
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
}

// logrotate reads all that lies there: ours beside theirs would be a second word on the same logs.
TEST_F(EngineTest, BesideAFileOfLogrotateLiesNothingThatItReads) {
    const std::string path = "/etc/logrotate.d/slurm-factory";
    host.put_folder("/etc/logrotate.d");
    ASSERT_TRUE(set_up({"--full-init"}));
    const std::string ours = host.text(path);
    ASSERT_NE(ours, "<absent>");
    host.put(path, "weekly\n");
    EXPECT_EQ(set_up({"--full-init"}).value(), 1);
    EXPECT_EQ(host.text(path), "weekly\n");
    EXPECT_EQ(host.text(path + ".dpkg-dist"), ours);
    EXPECT_FALSE(host.nodes.contains(path + ".new"));
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    // An older installer put it beside under another name; one that somebody changed is theirs.
    record = load_record(host).value();
    record.add(path + ".new", base::sha256("daily\n"));
    host.put(std::string(record_path), to_json(record).value());
    host.put(path + ".new", "daily\nrotate 3\n");
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    EXPECT_EQ(host.text(path + ".new"), "daily\nrotate 3\n");
    host.put(path + ".new", "daily\n");
    EXPECT_EQ(set_up({"--full-init"}).value(), 1);
    EXPECT_FALSE(host.nodes.contains(path + ".new"));
    EXPECT_FALSE(load_record(host).value().files.contains(path + ".new"));
    EXPECT_EQ(host.text(path), "weekly\n");
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
}

TEST_F(EngineTest, ADraftOfTheirsStaysToo) {
    ASSERT_TRUE(set_up({"--full-init"}));
    host.put("/etc/slurm/slurm.conf", "ClusterName=theirs\n");
    host.put("/etc/slurm/slurm.conf.new", "ClusterName=draft\n");
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    EXPECT_EQ(host.text("/etc/slurm/slurm.conf.new"), "ClusterName=draft\n");
    EXPECT_NE(listener.heard.find("move /etc/slurm/slurm.conf.new away"), std::string::npos);
    // One of ours follows.
    host.nodes.erase("/etc/slurm/slurm.conf.new");
    EXPECT_EQ(set_up({"--full-init"}).value(), 1);
    EXPECT_EQ(set_up({"--full-init", "--cluster-name", "beta"}).value(), 1);
    EXPECT_NE(host.text("/etc/slurm/slurm.conf.new").find("ClusterName=beta"), std::string::npos);
}

TEST_F(EngineTest, AnInterruptedUpgradeStillOwesARestart) {
    ASSERT_TRUE(set_up({"--full-init"}));
    record.restart_due = false;  // as bring_up leaves it
    host.put(std::string(record_path), to_json(record).value());
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    EXPECT_FALSE(load_record(host).value().restart_due);
    // Interrupted when the link is switched, or right after: nothing is left to change, but to
    // start.
    bundle.version = "25.11.3";
    bundle.packages[0].version = "25.11.3";
    host.fail_at = "/opt/slurm/current";
    EXPECT_FALSE(set_up({"--full-init"}));
    EXPECT_TRUE(load_record(host).value().restart_due);
    EXPECT_EQ(set_up({"--full-init"}).value(), 1);
    EXPECT_EQ(set_up({"--full-init"}).value(), 0);
    EXPECT_TRUE(load_record(host).value().restart_due);
}

TEST_F(EngineTest, AConfigurationOfBeforeIsNotOurs) {
    host.put_folder("/etc/slurm");
    host.put("/etc/slurm/slurm.conf", "ClusterName=old\n");
    ASSERT_TRUE(set_up({"--full-init"}));
    EXPECT_EQ(host.text("/etc/slurm/slurm.conf"), "ClusterName=old\n");
    EXPECT_NE(host.text("/etc/slurm/slurm.conf.new"), "<absent>");
}

// A machine that is begun anew for each place where the work may stop.
class Fresh : public MachineTest {
public:
    Fresh() {
        with_accounting_plugin();
        with_mariadb();
    }
    void TestBody() override {}
    using MachineTest::host;
    using MachineTest::set_up;
};

TEST(Interrupted, InstallationsAreCompleted) {
    Fresh whole;
    ASSERT_TRUE(whole.set_up({"--full-init"}));
    std::set<std::string> places;
    for (const std::string& line : whole.host.done) {
        const std::size_t blank = line.find(' ');
        places.insert(line.substr(blank + 1, line.find(' ', blank + 1) - blank - 1));
    }
    ASSERT_GT(places.size(), 12U);
    for (const std::string& place : places) {
        Fresh fresh;
        fresh.host.fail_at = place;
        EXPECT_FALSE(fresh.set_up({"--full-init"})) << place;
        ASSERT_TRUE(fresh.set_up({"--full-init"})) << place;
        EXPECT_EQ(fresh.set_up({"--full-init"}).value(), 0) << place;
        ASSERT_EQ(fresh.host.nodes.size(), whole.host.nodes.size()) << place;
        for (const auto& [path, node] : whole.host.nodes) {
            EXPECT_EQ(fresh.host.nodes[path].info.mode, node.info.mode) << path;
            EXPECT_EQ(fresh.host.nodes[path].info.owner, node.info.owner) << path;
        }
    }
}

TEST_F(EngineTest, LinksAndStrangersInTheWayAreRefused) {
    ASSERT_TRUE(set_up({"--full-init"}));
    for (const char* path : {"/var/log/slurm", "/etc/slurm/slurm.conf", "/opt/slurm/current"}) {
        auto kept = host.nodes[path];
        if (kept.info.type == PathInfo::Type::symlink)
            host.put(path, "x");
        else
            host.put_link(path, "/etc/shadow");
        const auto changed = set_up({"--full-init"});
        ASSERT_FALSE(changed) << path;
        EXPECT_EQ(changed.error().code, base::Code::refused);
        EXPECT_NE(changed.error().text().find(path), std::string::npos);
        host.nodes[path] = kept;
    }
    host.put_folder("/var/lib/slurm/slurmctld", 0777, {991, 991});
    EXPECT_FALSE(set_up({"--full-init"}));
    host.put_folder("/var/lib/slurm/slurmctld", 0700, {1000, 1000});
    const auto owner = set_up({"--full-init"});
    ASSERT_FALSE(owner);
    EXPECT_NE(owner.error().hint.find("chown slurm:slurm"), std::string::npos);
}

TEST_F(EngineTest, UninstallTakesBackWhatIsOursAndUnchanged) {
    with_accounting_plugin();
    with_mariadb();
    ASSERT_TRUE(set_up({"--full-init"}));
    host.put("/etc/slurm/cgroup.conf", "ConstrainCores=no\n");
    host.put("/var/lib/slurm/slurmctld/job_state", "jobs", 0600, {991, 991});
    Accounts accounts;
    Context context{host, listener, record, accounts};
    ASSERT_TRUE(uninstall(context, false));
    EXPECT_EQ(host.text("/etc/slurm/slurm.conf"), "<absent>");
    EXPECT_EQ(host.text("/opt/slurm/current"), "<absent>");
    EXPECT_EQ(host.text("/etc/slurm/cgroup.conf"), "ConstrainCores=no\n");
    EXPECT_NE(host.text("/etc/munge/munge.key"), "<absent>");
    EXPECT_NE(host.text("/etc/slurm/slurmdbd.conf"), "<absent>");
    EXPECT_EQ(host.text("/var/lib/slurm/slurmctld/job_state"), "jobs");
    EXPECT_FALSE(host.nodes.contains("/var/spool/slurmd"));  // ours, and empty
    for (const char* said : {"munge.key (a secret)", "cgroup.conf was changed", "user slurm"})
        EXPECT_NE(listener.heard.find(said), std::string::npos) << listener.heard;
    // A second time there is nothing to take back; but what wrote the state is known still.
    Record left = load_record(host).value();
    EXPECT_EQ(left.version, "25.11.2");
    EXPECT_EQ(left.answers.cluster, "cluster");
    EXPECT_TRUE(left.prefix.empty());
    Context again{host, listener, left, accounts};
    EXPECT_EQ(uninstall(again, false).error().code, base::Code::absent);
}

TEST_F(EngineTest, OnAComputeHostNothingOfTheRecordStays) {
    host.put("/etc/munge/munge.key", "brought", 0600);
    ASSERT_TRUE(set_up({"--full-init", "--role", "compute", "--controller", "head1"}));
    Accounts accounts;
    Context context{host, listener, record, accounts};
    ASSERT_TRUE(uninstall(context, false));
    EXPECT_EQ(host.text(std::string(record_path)), "<absent>");
}

TEST_F(EngineTest, AnInterruptedInstallationCanBeTakenBack) {
    host.fail_at = "/etc/slurm/slurm.conf";
    EXPECT_FALSE(set_up({"--full-init"}));
    Accounts accounts;
    Record interrupted = load_record(host).value();
    Context context{host, listener, interrupted, accounts};
    ASSERT_TRUE(uninstall(context, false));
    EXPECT_EQ(host.text(std::string(record_path)), "<absent>");
    EXPECT_FALSE(host.nodes.contains("/var/spool/slurmd"));
    EXPECT_NE(host.text("/etc/munge/munge.key"), "<absent>");
}

TEST(Records, AreReadBackWholeAndStrictly) {
    Record record;
    record.answers = parse_options({"--full-init", "--role", "controller,dbd", "--nodes", "n[1-2]",
                                    "--slurm-uid", "7", "--jwt", "--without-accounting"})
                         .value()
                         .answers;
    record.prefix = "/opt/slurm";
    record.version = "25.11.2";
    record.files["/etc/x"] = {base::sha256("a"), base::sha256("b")};
    record.secrets = {"/etc/munge/munge.key"};
    const std::string text = to_json(record).value();
    const Record again = record_from_json(text).value();
    EXPECT_EQ(to_json(again).value(), text);
    EXPECT_TRUE(again.wrote("/etc/x", base::sha256("a")));
    EXPECT_FALSE(again.wrote("/etc/x", base::sha256("c")));
    for (std::string bad : {text.substr(0, text.size() / 2),
                            base::replace_all(text, "\"schema\": 1", "\"schema\": 2"),
                            base::replace_all(text, "n[1-2]", "n;id"),
                            base::replace_all(text, base::sha256("a").hex(), "zz")}) {
        const auto read = record_from_json(bad);
        ASSERT_FALSE(read) << bad;
        // Not the words of the call: exit code 1.
        EXPECT_NE(read.error().code, base::Code::usage) << bad;
    }
}

TEST(Templates, SayWhatIsMissing) {
    EXPECT_EQ(render("a @x@ b\n@?y@only with y\n@?x@only @x@\nmail@host @system-service\n",
                     {{"x", "1"}, {"y", ""}})
                  .value(),
              "a 1 b\nonly 1\nmail@host @system-service\n");
    EXPECT_FALSE(render("@z@\n", {}));
    EXPECT_EQ(render("# SPDX-License-Identifier: X\nb\n", {}).value(), "b\n");
}

TEST(Database, NothingComesThroughTheNames) {
    EXPECT_EQ(creation_sql("slurm", "abc"),
              "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\n"
              "CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'abc';\n"
              "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';\n");
    EXPECT_EQ(password_in("A=1\nstoragepass = \"x y\" # z\nB=2\n"), "x y");
    EXPECT_EQ(password_in("A=1\n"), "");
    test::RecordingHost host;
    EXPECT_EQ(make_password(host).value().size(), 32U);
    EXPECT_NE(make_password(host).value(), make_password(host).value());
}

TEST(Restarts, ComeAtGrowingIntervals) {
    EXPECT_EQ(restart_pause(1).count(), 1);
    EXPECT_EQ(restart_pause(2).count(), 2);
    EXPECT_EQ(restart_pause(4).count(), 8);
    EXPECT_EQ(restart_pause(7).count(), 60);
    EXPECT_EQ(restart_pause(100).count(), 60);
}

}  // namespace
}  // namespace sf::deploy
