// SPDX-License-Identifier: Apache-2.0
// The plan as people see it (golden texts), and all that speaks against one.
#include "deploy/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <set>

#include "deploy/node_parameters.hpp"
#include "unit/deploy/machine.hpp"

namespace sf::deploy {
namespace {

class PlanTest : public MachineTest {
protected:
    // SF_WRITE_GOLDEN=1 writes them anew; what changed is then seen in review.
    static void compare(const std::string& name, const std::string& text) {
        const std::filesystem::path path = std::filesystem::path(SF_GOLDEN) / "deploy" / name;
        if (std::getenv("SF_WRITE_GOLDEN") != nullptr) {
            std::filesystem::create_directories(path.parent_path());
            EXPECT_TRUE(base::write_file(path, text));
        }
        EXPECT_EQ(base::read_file(path).value_or("<no golden file>"), text) << name;
    }
    void expect_problem(const std::vector<std::string>& words, const std::string& message,
                        const std::string& hint) {
        const std::string text = text_of(plan(words).problems);
        EXPECT_NE(text.find(message), std::string::npos) << text;
        EXPECT_NE(text.find(hint), std::string::npos) << text;
        EXPECT_TRUE(host.done.empty());
    }
    static std::string file(const Plan& plan, const std::string& path) {
        for (const PlannedFile& each : plan.files)
            if (each.path == path) return each.content;
        return "<not planned>";
    }
};

TEST_F(PlanTest, OneMachineWithEverything) {
    with_accounting_plugin();
    with_mariadb();
    const Outcome outcome = plan({"--full-init", "--cluster-name", "alpha"});
    ASSERT_TRUE(outcome.problems.empty()) << text_of(outcome.problems);
    compare("all.plan.txt", to_text(outcome.planned.plan));
    compare("all.slurm.conf", file(outcome.planned.plan, "/etc/slurm/slurm.conf"));
    compare("all.slurmdbd.conf", file(outcome.planned.plan, "/etc/slurm/slurmdbd.conf"));
    EXPECT_TRUE(host.done.empty());
    EXPECT_TRUE(host.calls.empty());
}

// Left to itself it would end.
TEST_F(PlanTest, AnOldSlurmrestdServesNoAccountingWhereThereIsNone) {
    const auto rest = [&](std::vector<std::string> words = {"--role", "all,rest"}) {
        words.insert(words.begin(), {"--full-init", "--jwt"});
        const Plan made = plan(words).planned.plan;
        const auto found = std::ranges::find(made.services, "slurmrestd", &Service::name);
        EXPECT_NE(found, made.services.end());
        return found->environment.contains("SLURMRESTD_OPENAPI_PLUGINS");
    };
    EXPECT_FALSE(rest());
    bundle.version = bundle.packages[0].version = "24.11.5";
    EXPECT_TRUE(rest());
    // Far from the controller: it is told.
    host.put("/etc/munge/munge.key", std::string(1024, 'k'), 0400, {});
    EXPECT_FALSE(rest({"--role", "rest", "--controller", "head1"}));
    EXPECT_TRUE(rest({"--role", "rest", "--controller", "head1", "--without-accounting"}));
    with_accounting_plugin();
    with_mariadb();
    EXPECT_FALSE(rest());
}

TEST_F(PlanTest, WithoutControlGroupsEachSeriesGetsAPluginItKnows) {
    EXPECT_NE(file(plan({"--full-init"}).planned.plan, "/etc/slurm/cgroup.conf")
                  .find("\nCgroupPlugin=disabled\n"),
              std::string::npos);
    bundle.version = bundle.packages[0].version = "23.11.11";
    EXPECT_NE(file(plan({"--full-init"}).planned.plan, "/etc/slurm/cgroup.conf")
                  .find("\nCgroupPlugin=cgroup/v1\n"),
              std::string::npos);
}

TEST_F(PlanTest, AControllerWithSystemd) {
    host.put_folder("/run/systemd/system");
    host.cgroups = true;
    host.put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    const Outcome outcome =
        plan({"--full-init", "--role", "controller", "--nodes", "n[1-4]", "--dbd-host", "db1",
              "--node-parameters", "CPUs=4 RealMemory=8000"});
    ASSERT_TRUE(outcome.problems.empty()) << text_of(outcome.problems);
    compare("controller.plan.txt", to_text(outcome.planned.plan));
    compare("controller.slurm.conf", file(outcome.planned.plan, "/etc/slurm/slurm.conf"));
    compare("controller.cgroup.conf", file(outcome.planned.plan, "/etc/slurm/cgroup.conf"));
    compare("controller.slurmctld.service",
            file(outcome.planned.plan, "/etc/systemd/system/slurmctld.service"));
}

// slurmd would end: "systemd scope for slurmstepd could not be set".
TEST_F(PlanTest, WithoutDBusNoJobGetsAControlGroupOfSystemds) {
    host.put_folder("/run/systemd/system");
    const auto refused = [&](std::vector<std::string> words = {}) {
        words.insert(words.begin(), {"--full-init", "--without-accounting"});
        return text_of(plan(words).problems).find("slurmd asks systemd over D-Bus") !=
               std::string::npos;
    };
    EXPECT_FALSE(refused()) << "there are no control groups to ask for";
    host.cgroups = true;
    host.put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    EXPECT_TRUE(refused());
    expect_problem({"--full-init", "--without-accounting"}, "/run/dbus/system_bus_socket",
                   "apt-get install dbus");
    EXPECT_FALSE(refused({"--role", "controller", "--nodes", "n1"})) << "no slurmd runs there";
    host.put("/proc/self/net/unix",
             "ffff: 00000002 00000000 00010000 0001 01 42 /run/dbus/system_bus_socket\n");
    EXPECT_FALSE(refused());
}

TEST_F(PlanTest, AComputeNodeMakesNoSecrets) {
    expect_problem({"--full-init", "--role", "compute", "--controller", "head1"},
                   "/etc/munge/munge.key, is missing", "bring it from the controller");
    host.put("/etc/munge/munge.key", "k", 0400);
    const Outcome outcome = plan({"--full-init", "--role", "compute", "--controller", "head1"});
    ASSERT_TRUE(outcome.problems.empty()) << text_of(outcome.problems);
    ASSERT_EQ(outcome.planned.plan.secrets.size(), 1U);
    EXPECT_EQ(outcome.planned.plan.secrets[0].size, 0U);
    compare("compute.plan.txt", to_text(outcome.planned.plan));
    expect_problem({"--full-init", "--role", "compute"}, "must know where it runs",
                   "--controller HOST");
}

TEST_F(PlanTest, AnotherMachineThanTheBundlesIsRefused) {
    host.put("/usr/lib/os-release", "ID=ubuntu\nVERSION_ID=\"24.04\"\n");
    expect_problem({"--full-init"}, "this bundle is for Debian 12 (bookworm)", "take the bundle");
    host.put("/usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    host.put("/proc/cpuinfo", "flags : lm cx8 cmov fpu fxsr mmx syscall sse2\n");
    expect_problem({"--full-init"}, "level x86_64_v3, this one has x86_64", "older level");
}

TEST_F(PlanTest, WhatIsBuiltForARebuildOrItsParentIsTaken) {
    struct Case {
        Target target;
        const char* os_release;
        bool taken;
    };
    const Target el9{"Rocky Linux 9", "el", {"rocky", "9"}, "rockylinux9"};
    const Target noble{"Ubuntu 24.04 (noble)", "ubuntu", {"ubuntu", "24.04"}, "noble"};
    const Case cases[] = {
        {el9, "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n", true},
        {el9, "ID=almalinux\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=9.4\n", true},
        {el9, "ID=rhel\nID_LIKE=fedora\nVERSION_ID=8.10\n", false},
        {el9, "ID=fedora\nVERSION_ID=9\n", false},
        {noble, "ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\nUBUNTU_CODENAME=noble\n",
         true},
        {noble, "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=22.04\nUBUNTU_CODENAME=jammy\n", false},
    };
    for (const Case& each : cases) {
        target = each.target;
        host.put("/usr/lib/os-release", each.os_release);
        const std::string problems = text_of(plan({"--full-init"}).problems);
        EXPECT_EQ(problems.find("this bundle is for") == std::string::npos, each.taken)
            << each.os_release << problems;
    }
}

TEST_F(PlanTest, WhereNothingCanBeRunNothingIsInstalled) {
    EXPECT_TRUE(plan({"--full-init"}).problems.empty());
    noexec = true;
    expect_problem({"--full-init"}, "/opt/slurm is on a file system that is mounted noexec",
                   "--prefix");
}

TEST_F(PlanTest, AHiddenLzcntDoesNotCount) {
    std::string flags = host.text("/proc/cpuinfo");
    host.put("/proc/cpuinfo", base::replace_all(flags, " abm", ""));
    EXPECT_TRUE(plan({"--full-init"}).problems.empty());
    host.lzcnt = false;
    expect_problem({"--full-init"}, "this one has x86_64_v2", "older level");
}

TEST_F(PlanTest, MissingHostLibrariesAreNamed) {
    bundle.packages[0].host_requirements = {{"libc.so.6", {"GLIBC_2.34", "GLIBC_2.99"}},
                                            {"libpam.so.0", {}}};
    expect_problem({"--full-init"}, "libc.so.6 (GLIBC_2.99), libpam.so.0", "install the packages");
}

// No daemon needs it: a note, no refusal.
TEST_F(PlanTest, APerlThatIsNotWholeIsNoted) {
    const auto noted = [&] {
        const Outcome outcome = plan({"--full-init"});
        EXPECT_TRUE(outcome.problems.empty()) << text_of(outcome.problems);
        return std::ranges::any_of(outcome.planned.plan.notes, [](const std::string& note) {
            return note.find("apt-get install perl") != std::string::npos;
        });
    };
    EXPECT_FALSE(noted()) << "nothing of this bundle is Perl";
    model::FileEntry module;
    module.path = "lib/perl/Slurm.pm";
    bundle.packages[0].files.push_back(module);
    EXPECT_TRUE(noted());
    host.put("/usr/bin/perl", "");
    host.put_folder("/usr/share/perl");
    host.put_folder("/usr/share/perl/5.36.0");
    EXPECT_TRUE(noted()) << "that is perl-base";
    const std::array modules{"FindBin.pm", "Getopt/Long.pm", "Pod/Usage.pm"};
    for (const std::string module : modules) {
        EXPECT_TRUE(noted()) << module;
        host.put("/usr/share/perl/5.36.0/" + module, "");
    }
    EXPECT_FALSE(noted());
    // Enterprise Linux has each where it likes.
    for (const std::string module : modules) {
        host.nodes.erase("/usr/share/perl/5.36.0/" + module);
        EXPECT_TRUE(noted()) << module;
        host.put((module == "FindBin.pm" ? "/usr/share/perl5/" : "/usr/share/perl5/vendor_perl/") +
                     module,
                 "");
    }
    EXPECT_FALSE(noted());
}

TEST_F(PlanTest, AnotherSlurmIsNotClobbered) {
    host.put("/usr/sbin/slurmctld", "");
    expect_problem({"--full-init"}, "another Slurm is installed here: /usr/sbin/slurmctld",
                   "/opt/slurm/views/25.11.2/bin into PATH");
    host.nodes.erase("/usr/sbin/slurmctld");
    host.put_folder("/proc/77");
    host.put("/proc/77/comm", "slurmd\n");
    host.put_link("/proc/77/exe", "/usr/local/sbin/slurmd");
    expect_problem({"--full-init"}, "slurmd runs here already, as process 77", "stop it");
    // One of ours is no stranger.
    host.put_link("/proc/77/exe", "/opt/slurm/store/slurm-25.11.2-12345678/sbin/slurmd");
    EXPECT_TRUE(plan({"--full-init"}).problems.empty());
}

TEST_F(PlanTest, UidClashesAreRefused) {
    host.put("/etc/passwd", "root:x:0:0::/:/x\nanna:x:450:450::/:/x\n");
    expect_problem({"--full-init", "--slurm-uid", "450"},
                   "uid 450, wanted for slurm, belongs to anna", "free on all hosts");
    host.put("/etc/passwd", "root:x:0:0::/:/x\nslurm:x:64030:64030::/:/x\n");
    expect_problem({"--full-init", "--slurm-uid", "450"},
                   "user slurm exists with uid 64030, not 450", "never changed");
    EXPECT_TRUE(plan({"--full-init", "--slurm-uid", "64030"}).problems.empty());
    host.put("/etc/group", "root:x:0:\nusers:x:451:\n");
    host.put("/etc/passwd", "root:x:0:0::/:/x\n");
    expect_problem({"--full-init", "--munge-uid", "451"}, "gid 451, wanted for munge", "free");
}

TEST_F(PlanTest, PortsInUseAreNamed) {
    host.put("/proc/self/net/tcp",
             "  sl  local_address rem_address   st tx_queue\n"
             "   0: 00000000:1AA1 00000000:0000 0A 00000000:00000000\n"
             "   1: 00000000:1AA2 00000000:0000 01 00000000:00000000\n");
    expect_problem({"--full-init"}, "port 6817, which slurmctld needs, is in use", "ss -ltnp");
    EXPECT_EQ(text_of(plan({"--full-init"}).problems).find("6818"), std::string::npos);
}

TEST_F(PlanTest, PlantedAndOpenSecretsAreRefused) {
    host.put_link("/etc/munge/munge.key", "/etc/shadow");
    expect_problem({"--full-init"}, "/etc/munge/munge.key is a symlink", "find out who made it");
    host.put("/etc/munge/munge.key", "k", 0644);
    expect_problem({"--full-init"}, "/etc/munge/munge.key has mode 0644", "chmod 600");
}

TEST_F(PlanTest, SecretsOfStrangersAreRefused) {
    // As an archive that kept the numbers of another machine leaves it.
    host.put("/etc/munge/munge.key", "k", 0400, {1000, 1000});
    expect_problem({"--full-init"}, "/etc/munge/munge.key belongs to uid 1000, neither root nor",
                   "chown root:root /etc/munge/munge.key");
    EXPECT_TRUE(plan({"--full-init", "--munge-uid", "1000"}).problems.empty());
    host.put("/etc/passwd", host.text("/etc/passwd") + "munge:x:1000:1000::/:/x\n");
    EXPECT_TRUE(plan({"--full-init"}).problems.empty());
}

TEST_F(PlanTest, TwoUsersAreNotOneNumber) {
    expect_problem({"--full-init", "--slurm-uid", "64030", "--munge-uid", "64030"},
                   "--slurm-uid and --munge-uid are both 64030", "two numbers");
    host.put("/etc/passwd", host.text("/etc/passwd") + "slurmrestd:x:0:0::/:/x\n");
    expect_problem({"--full-init"}, "user slurmrestd has uid 0", "a number of its own");
}

TEST_F(PlanTest, StartingIsNoUpgrade) {
    expect_problem({"--start-services"}, "nothing was configured here yet", "--full-init");
    ASSERT_TRUE(set_up({"--full-init"}));
    EXPECT_TRUE(plan({"--start-services"}).problems.empty());
    host.done.clear();
    // Unpacked beside the version that is configured; the shared link of the installer is its.
    bundle.version = "26.05.0";
    bundle.packages[0].version = "26.05.0";
    expect_problem({"--start-services"},
                   "what was configured here is Slurm 25.11.2 in /opt/slurm, and this is 26.05.0",
                   "/opt/slurm/data/slurm_assets/25.11.2/slurm_install.sh --start-services");
    EXPECT_TRUE(plan({"--init-only"}).problems.empty());
}

// What a unit may write to must be there, or systemd does not start it.
TEST_F(PlanTest, UnitsFindTheFoldersTheyName) {
    with_accounting_plugin();
    with_mariadb();
    host.put_folder("/run/systemd/system");
    host.put("/etc/munge/munge.key", "k", 0400);
    for (const char* roles : {"all", "controller", "dbd", "compute", "login", "compute,login"}) {
        SCOPED_TRACE(roles);
        std::vector<std::string> words{"--full-init", "--role", roles, "--nodes", "n[1-2]"};
        if (std::string(roles) == "compute" || std::string(roles).ends_with("login"))
            words.insert(words.end(), {"--controller", "head1"});
        const Outcome outcome = plan(words);
        ASSERT_TRUE(outcome.problems.empty()) << text_of(outcome.problems);
        std::set<std::string> folders;
        for (const PlannedFolder& folder : outcome.planned.plan.folders)
            folders.insert(folder.path);
        for (const PlannedFile& each : outcome.planned.plan.files) {
            for (const std::string& line : base::split(each.content, '\n')) {
                if (!line.starts_with("ReadWritePaths=")) continue;
                for (const std::string& path : base::split(line.substr(15), ' '))
                    EXPECT_TRUE(path.starts_with('-') || folders.contains(path))
                        << each.path << ": " << path;
            }
        }
    }
}

// 25.11's slurmdbd has no --systemd, and never tells systemd that it is ready.
TEST_F(PlanTest, SlurmdbdIsStartedInWordsItKnows) {
    with_accounting_plugin();
    with_mariadb();
    host.put_folder("/run/systemd/system");
    const Plan made = plan({"--full-init"}).planned.plan;
    const std::string unit = file(made, "/etc/systemd/system/slurmdbd.service");
    EXPECT_NE(unit.find("\nType=simple\n"), std::string::npos) << unit;
    EXPECT_NE(unit.find("/sbin/slurmdbd -D -s\n"), std::string::npos) << unit;
    EXPECT_FALSE(made.database->start_server);  // systemd's
}

// slurmd, as root, reads its configuration below /run/slurm: nobody else may own that.
TEST_F(PlanTest, OnComputeHostsRunSlurmIsRoots) {
    host.put_folder("/run/systemd/system");
    host.put("/etc/munge/munge.key", "k", 0400);
    for (const char* roles : {"compute", "compute,login"}) {
        const Plan made =
            plan({"--full-init", "--role", roles, "--controller", "head1"}).planned.plan;
        EXPECT_EQ(file(made, "/etc/tmpfiles.d/slurm-factory.conf"),
                  "# Written by slurm_install.sh: what lies in /run is gone after a boot.\n"
                  "d /run/munge 0755 munge munge -\n"
                  "d /run/slurm 0755 root root -\n");
        EXPECT_EQ(file(made, "/etc/systemd/system/sackd.service"), "<not planned>") << roles;
    }
    const Plan login =
        plan({"--full-init", "--role", "login", "--controller", "head1"}).planned.plan;
    EXPECT_NE(file(login, "/etc/tmpfiles.d/slurm-factory.conf").find("/run/slurm 0755 slurm slurm"),
              std::string::npos);
    EXPECT_NE(file(login, "/etc/systemd/system/sackd.service"), "<not planned>");
}

// A rule for each log that is written here, and none of another role's.
TEST_F(PlanTest, LogsAreRotatedWhereTheyAre) {
    const std::string path = "/etc/logrotate.d/slurm-factory";
    const auto rotated = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"--full-init", "--without-accounting"});
        const Plan made = plan(words).planned.plan;
        std::set<std::string> logs;
        for (const std::string& line : base::split(file(made, path), '\n'))
            if (line.starts_with('/')) logs.insert(line);
        return logs;
    };
    const std::string ctld = "/var/log/slurm/*.log {";
    const std::string node = "/var/log/slurmd/slurmd.log {";
    const std::string consoles = "/var/log/slurmd/*.console.log /var/log/slurmd/supervisor.log {";
    host.put("/etc/munge/munge.key", "k", 0400);
    EXPECT_EQ(rotated({}), (std::set{ctld, node, consoles}));
    EXPECT_EQ(rotated({"--role", "login", "--controller", "h"}), (std::set{consoles}));
    host.put_folder("/run/systemd/system");
    EXPECT_EQ(rotated({}), (std::set{ctld, node}));
    EXPECT_EQ(rotated({"--role", "controller", "--nodes", "n1"}), (std::set{ctld}));
    EXPECT_EQ(rotated({"--role", "compute", "--controller", "h"}), (std::set{node}));
    EXPECT_EQ(rotated({"--role", "login", "--controller", "h"}), (std::set<std::string>{}));
    EXPECT_EQ(
        file(plan({"--full-init", "--role", "login", "--controller", "h"}).planned.plan, path),
        "<not planned>");
}

TEST_F(PlanTest, OurMungeStaysOursOnceItListens) {
    host.put_folder("/run/systemd/system");
    ASSERT_TRUE(set_up({"--full-init"}));
    host.put("/proc/self/net/unix",
             "ffff: 00000002 00000000 00010000 0001 01 42 /run/munge/munge.socket.2\n");
    const Plan again = plan({"--full-init"}).planned.plan;
    EXPECT_NE(file(again, "/etc/systemd/system/munge.service"), "<not planned>");
    EXPECT_TRUE(again.own_munge);
}

TEST_F(PlanTest, ADatabaseGetsTheTimeItNeeds) {
    with_accounting_plugin();
    with_mariadb();
    const Plan made = plan({"--full-init"}).planned.plan;
    const auto services = services_from_json(services_to_json(made.services).value()).value();
    for (const Service& service : services) {
        if (service.name == "mariadbd") EXPECT_EQ(service.patience.count(), 900);
        if (service.name == "slurmdbd") EXPECT_EQ(service.patience.count(), 3600);
        if (service.name == "slurmctld") EXPECT_EQ(service.patience.count(), 60);
    }
    EXPECT_EQ(services.size(), 5U);
}

TEST_F(PlanTest, AccountingNeedsAServer) {
    with_accounting_plugin();
    expect_problem({"--full-init"}, "accounting needs a MariaDB server",
                   "apt-get install mariadb-server");
    EXPECT_TRUE(plan({"--full-init", "--without-accounting"}).problems.empty());
    expect_problem({"--full-init", "--db-host", "db1"}, "needs its password", "--db-password-file");
}

TEST_F(PlanTest, WithoutThePluginThatIsSaid) {
    const Outcome all = plan({"--full-init"});
    ASSERT_TRUE(all.problems.empty());
    EXPECT_NE(to_text(all.planned.plan).find("no accounting: this bundle's Slurm has no plugin"),
              std::string::npos);
    expect_problem({"--full-init", "--role", "dbd"}, "no plugin for the database", "take a bundle");
}

TEST_F(PlanTest, AllProblemsAreToldAtOnce) {
    host.put("/usr/sbin/slurmd", "");
    host.put("/etc/munge/munge.key", "k", 0666);
    host.addresses.clear();
    EXPECT_EQ(plan({"--full-init"}).problems.size(), 3U);
}

TEST_F(PlanTest, ServicesAreReadBackStrictly) {
    const Plan made = plan({"--full-init"}).planned.plan;
    const std::string text = services_to_json(made.services).value();
    const auto again = services_from_json(text).value();
    ASSERT_EQ(again.size(), made.services.size());
    EXPECT_EQ(services_to_json(again).value(), text);
    for (
        const char* bad :
        {"", "{}", "[]", R"({"schema":2,"services":[]})", R"({"schema":1,"services":[{}]})",
         R"({"schema":1,"services":[{"name":"x","argv":["sh"],"environment":{},"user":"r","group":"r","log":"l","ready_socket":"","ready_port":1}]})"})
        EXPECT_FALSE(services_from_json(bad)) << bad;
}

// Each role asks for its own port and no other; who is connected from one does not hold it.
TEST_F(PlanTest, APortInUseIsNamedByTheRoleThatNeedsIt) {
    with_accounting_plugin();
    with_mariadb();
    host.put("/etc/munge/munge.key", "k", 0400);
    host.put("/run/slurm/conf/slurm.conf", "ClusterName=a\n");
    const std::vector<std::tuple<std::string, std::string, std::string, std::vector<std::string>>>
        ports{{"1AA1", "6817", "slurmctld", {"--role", "controller", "--nodes", "n1"}},
              {"1AA2", "6818", "slurmd", {"--role", "compute", "--controller", "head1"}},
              {"1AA2", "6818", "sackd", {"--role", "login", "--controller", "head1"}},
              {"1AA3", "6819", "slurmdbd", {"--role", "dbd"}}};
    for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
        for (const auto& [hex, port, daemon, role] : ports) {
            SCOPED_TRACE(table + daemon);
            host.put(table, "   0: 00000000:" + hex + " 00000000:0000 0A 00000000:00000000\n");
            for (const auto& [other_hex, other_port, other, words] : ports) {
                std::vector<std::string> call{"--full-init"};
                call.insert(call.end(), words.begin(), words.end());
                if (other_port != port) {
                    EXPECT_EQ(text_of(plan(call).problems), "") << other;
                    continue;
                }
                expect_problem(call, "port " + port + ", which " + other + " needs, is in use",
                               "ss -ltnp 'sport = :" + port + "'");
            }
            host.put(table, "   0: 00000000:" + hex + " 0100007F:1F90 01 00000000:00000000\n");
            std::vector<std::string> call{"--full-init"};
            call.insert(call.end(), role.begin(), role.end());
            EXPECT_EQ(text_of(plan(call).problems), "") << "it is connected, and does not listen";
        }
        host.put(table, "");
    }
    // slurmdbd's own place is free where there is none.
    host.put("/proc/self/net/tcp", "   0: 00000000:1AA3 00000000:0000 0A 00000000:00000000\n");
    expect_problem({"--full-init"}, "port 6819, which slurmdbd needs", "6819");
    EXPECT_EQ(text_of(plan({"--full-init", "--without-accounting"}).problems), "");
    // Ours is no stranger.
    host.put_folder("/proc/77");
    host.put("/proc/77/comm", "slurmdbd\n");
    host.put_link("/proc/77/exe", "/opt/slurm/store/slurm-25.11.2-12345678/sbin/slurmdbd");
    EXPECT_EQ(text_of(plan({"--full-init"}).problems), "");
}

// An administrator's files are kept, and his ports with them.
TEST_F(PlanTest, PortsAreThoseOfTheConfigurationThatIsThere) {
    with_accounting_plugin();
    with_mariadb();
    host.put("/etc/slurm/slurm.conf", "SlurmctldPort=7000-7003 SlurmdPort=7010\n");
    const std::string table = "/proc/self/net/tcp";
    host.put(table, "   0: 00000000:1AA1 00000000:0000 0A 00000000:00000000\n");  // 6817
    EXPECT_EQ(text_of(plan({"--full-init"}).problems), "");
    host.put(table, "   0: 00000000:1B58 00000000:0000 0A 00000000:00000000\n");  // 7000
    expect_problem({"--full-init"}, "port 7000, which slurmctld needs, is in use", "sport = :7000");
    host.put(table, "");
    const Plan made = plan({"--full-init"}).planned.plan;
    const std::vector<Service> services =
        services_from_json(services_to_json(made.services).value()).value();
    for (const auto& [daemon, source] :
         {std::pair{"slurmctld", "/etc/slurm/slurm.conf SlurmctldPort"},
          {"slurmd", "/etc/slurm/slurm.conf SlurmdPort"},
          {"slurmdbd", "/etc/slurm/slurmdbd.conf DbdPort"}}) {
        const auto service = std::ranges::find(services, daemon, &Service::name);
        ASSERT_NE(service, services.end());
        EXPECT_EQ(service->port.file + ' ' + service->port.name, source);
    }
}

// Before slurmctld has said which one it is, nobody is refused for a port.
TEST_F(PlanTest, ThePortOfSlurmdIsSlurmctldsToSay) {
    host.put("/etc/munge/munge.key", "k", 0400);
    for (const auto& [role, daemon] :
         {std::pair{"compute", "slurmd"}, {"login", "sackd"}, {"rest", "sackd"}}) {
        SCOPED_TRACE(role);
        const std::vector<std::string> call{"--full-init", "--role", role, "--controller", "head1"};
        host.put("/proc/self/net/tcp", "   0: 00000000:1AA2 00000000:0000 0A 0:0\n");  // 6818
        const Outcome outcome = plan(call);
        EXPECT_EQ(text_of(outcome.problems), "");
        EXPECT_THAT(outcome.planned.plan.notes,
                    ::testing::Contains(::testing::StartsWith(
                        fmt::format("port 6818 was in use here: {} needs it, unless", daemon))));
        host.put("/run/slurm/conf/slurm.conf", "SlurmdPort=7010\n");
        EXPECT_EQ(text_of(plan(call).problems), "");
        host.put("/proc/self/net/tcp", "   0: 00000000:1B62 00000000:0000 0A 0:0\n");  // 7010
        expect_problem(call, fmt::format("port 7010, which {} needs, is in use", daemon),
                       "sport = :7010");
        host.put("/run/slurm/conf/slurm.conf", "Include ports.conf\n");
        EXPECT_EQ(text_of(plan(call).problems), "");
        host.nodes.erase("/run/slurm/conf/slurm.conf");
    }
}

TEST_F(PlanTest, AControllerMayListenOnAnotherPort) {
    host.put("/etc/munge/munge.key", "k", 0400);
    const auto conf_server = [&](const std::string& controller) {
        const Plan made =
            plan({"--full-init", "--role", "compute", "--controller", controller}).planned.plan;
        const auto slurmd = std::ranges::find(made.services, "slurmd", &Service::name);
        // What it fetches says on which port slurmd listens.
        EXPECT_EQ(slurmd->port.file, "/run/slurm/conf/slurm.conf");
        return slurmd->argv.back();
    };
    EXPECT_EQ(conf_server("head1"), "head1:6817");
    EXPECT_EQ(conf_server("head1:7000"), "head1:7000");
    for (const char* wrong : {"head1:", "head1:0", "head1:65536", "head1:70x", ":7000", "a:1:2"}) {
        const auto options = parse_options({"--full-init", "--controller", wrong});
        ASSERT_FALSE(options) << wrong;
        EXPECT_EQ(options.error().code, base::Code::usage) << wrong;
    }
    // A host is not everywhere one with a port.
    EXPECT_FALSE(parse_options({"--full-init", "--dbd-host", "head1:7000"}));
    EXPECT_FALSE(parse_options({"--full-init", "--db-host", "head1:7000"}));
}

TEST(Ports, AreReadAsSlurmReadsThem) {
    EXPECT_EQ(port_in("", "SlurmdPort", 6818), 6818);
    EXPECT_EQ(port_in("slurmdport = 7001 # ours\n", "SlurmdPort", 6818), 7001);
    EXPECT_EQ(port_in("SlurmdPort=7001\nSlurmdPort=7002", "SlurmdPort", 6818), 7002);
    EXPECT_EQ(port_in("#SlurmdPort=7001\n", "SlurmdPort", 6818), 6818);
    EXPECT_EQ(port_in("SlurmctldPort=7000-7003", "SlurmctldPort", 6817), 7000);
    for (const char* none : {"SlurmdPort=", "SlurmdPort=0", "SlurmdPort=65536", "SlurmdPort=-1",
                             "SlurmdPort=7001x", "SlurmdPort=slurmd"})
        EXPECT_EQ(port_in(none, "SlurmdPort", 6818), 6818) << none;
    // Nor is it guessed.
    for (const char* unknown : {"Include ports.conf\n", "SlurmdPort=7001\nInclude ports.conf\n",
                                "NodeName=n1 Port=7001\n"})
        EXPECT_EQ(port_in(unknown, "SlurmdPort", 6818), std::nullopt) << unknown;
    EXPECT_EQ(port_in("NodeName=n1 Port=7001\n", "SlurmctldPort", 6817), 6817);
}

// slurmrestd ends where it finds no configuration: it is started once sackd has fetched it.
TEST_F(PlanTest, WhatNeedsAConfigurationWaitsForSackd) {
    host.put("/etc/munge/munge.key", "k", 0400);
    const Plan made = plan({"--full-init", "--role", "rest", "--controller", "head1"}).planned.plan;
    EXPECT_TRUE(made.runs_sackd);
    const std::vector<Service>& services = made.services;
    const auto sackd = std::ranges::find(services, "sackd", &Service::name);
    const auto rest = std::ranges::find(services, "slurmrestd", &Service::name);
    ASSERT_LT(sackd, rest);
    ASSERT_NE(rest, services.end());
    EXPECT_EQ(sackd->ready_port, 6818U);
    EXPECT_EQ(sackd->patience.count(), 30);
    EXPECT_EQ(sackd->boot_patience.count(), 60) << "its controller may boot with it";
    EXPECT_EQ(rest->boot_patience.count(), 0);
    const auto read = services_from_json(services_to_json(services).value()).value();
    EXPECT_EQ(std::ranges::find(read, "sackd", &Service::name)->boot_patience.count(), 60);
    // With systemd, by the units.
    host.put_folder("/run/systemd/system");
    const std::string after =
        file(plan({"--full-init", "--role", "rest", "--controller", "head1"}).planned.plan,
             "/etc/systemd/system/slurmrestd.service");
    for (const char* unit : {" sackd.service", " slurmctld.service"})
        EXPECT_NE(after.substr(0, after.find("[Service]")).find(unit), std::string::npos) << unit;
}

TEST_F(PlanTest, SlurmdTellsTheNode) {
    EXPECT_EQ(node_parameters_of("NodeName=n CPUs=2 Boards=1 RealMemory=10000\nUpTime=1\n").value(),
              "CPUs=2 Boards=1 RealMemory=9800");
    EXPECT_FALSE(node_parameters_of("error: no\n"));
    EXPECT_FALSE(node_parameters_of("NodeName=n CPUs=$(id)\n"));
}

}  // namespace
}  // namespace sf::deploy
