// SPDX-License-Identifier: Apache-2.0
// Starting and stopping: by systemd, as it is asked; by the supervisor, with real processes; a
// database server of ours is asked to end, never killed.
#include "deploy/services.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <fcntl.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/stop.hpp"
#include "deploy/backup.hpp"
#include "deploy/controller_state.hpp"
#include "deploy/database.hpp"
#include "deploy/linux_host.hpp"
#include "deploy/supervisor.hpp"
#include "deploy/uninstall.hpp"
#include "unit/deploy/machine.hpp"

namespace sf::deploy {
namespace {

using namespace std::chrono_literals;

constexpr const char* dbd_listens = "   0: 00000000:1AA3 00000000:0000 0A 00000000:00000000\n";
std::string listening(const std::string& sockets) {
    std::string table;
    for (const std::string& socket : base::split(sockets, ' '))
        table += "ffff: 00000002 00000000 00010000 0001 01 42 " + socket + '\n';
    return table;
}
base::Finished ended(int code, std::string out = {}) {
    base::Finished done;
    done.exit.code = code;
    done.out = std::move(out);
    return done;
}
bool says(const base::Command& command, const std::string& word) {
    return base::shell_join(command.argv).find(word) != std::string::npos;
}

// A machine with systemd and MariaDB; what is enabled and active is remembered.
class SystemdTest : public MachineTest {
protected:
    SystemdTest() {
        with_accounting_plugin();
        with_mariadb();
        host.put_folder("/run/systemd/system");
        dbd_appears();
        host.answer = [this](const base::Command& command, std::string_view input) {
            return answer(command, input);
        };
    }
    // Ours, so that its port is no stranger's.
    void dbd_appears() {
        host.put_folder("/proc/77");
        host.put("/proc/77/comm", "slurmdbd\n");
        host.put_link("/proc/77/exe", "/opt/slurm/store/slurm-25.11.2-12345678/sbin/slurmdbd");
    }
    void dbd_ends() {
        for (const char* path : {"/proc/77/comm", "/proc/77/exe", "/proc/77"})
            host.nodes.erase(path);
        host.put("/proc/self/net/tcp", "");
    }
    base::Finished answer(const base::Command& command, std::string_view) {
        if (command.argv[0] == "tail") return ended(0, last_line);
        if (says(command, "scontrol ping")) return ended(0, answering ? "node1 is UP" : "is DOWN");
        if (command.argv[0] != "systemctl") return ended(0, "1");
        const std::string& verb = command.argv[1];
        const std::string& unit = command.argv.back();
        if (verb == "is-enabled") return ended(enabled.contains(unit) ? 0 : 1);
        if (verb == "is-active") return ended(active.contains(unit) ? 0 : 3);
        if (verb == "enable") enabled.insert(unit);
        if (verb == "stop") {
            active.erase(unit);
            if (unit == "slurmdbd.service" && dbd_can_end) dbd_ends();
        }
        if (verb == "start" || verb == "restart") {
            // As the real one: the usage of accounts is written when it ends.
            if (unit == "slurmctld.service") put_state(active.contains(unit));
            active.insert(unit);
            if (unit == "munge.service") sockets += " /run/munge/munge.socket.2";
            if (unit == "mariadb.service") sockets += ' ' + mariadb_at;
            if (unit == "slurmdbd.service" && dbd_comes_up) {
                dbd_appears();
                host.put("/proc/self/net/tcp", dbd_listens);
            }
            host.put("/proc/self/net/unix", listening(sockets));
        }
        return ended(0);
    }
    void put_state(bool ended) {
        host.put("/var/lib/slurm/slurmctld/clustername", "cluster");
        if (ended) host.put("/var/lib/slurm/slurmctld/assoc_usage", "");
    }
    // As setup.cpp does it, to the end.
    base::Status install(const std::vector<std::string>& words) {
        Outcome outcome = plan(words);
        EXPECT_TRUE(outcome.problems.empty()) << text_of(outcome.problems);
        record.answers = outcome.planned.answers;
        Context context{host, listener, record, outcome.facts.accounts};
        if (outcome.planned.plan.backup) SF_CHECK(back_up(outcome.planned.plan, context));
        SF_CHECK(deploy::set_up(outcome.planned.plan, context, "pass4word"));
        SF_CHECK(bring_up(outcome.planned.plan, context, "/opt/slurm/slurm-setup"));
        changes = context.changes;
        return {};
    }
    [[nodiscard]] std::ptrdiff_t count(const std::string& call) const {
        return std::ranges::count_if(host.calls, [&](const std::string& each) {
            return each.find(call) != std::string::npos;
        });
    }
    std::set<std::string> enabled;
    std::set<std::string> active;
    std::string sockets;
    std::string mariadb_at = "/run/mysqld/mysqld.sock";
    std::string last_line = "-- Dump completed on 2026-01-01\n";
    bool answering = true;
    bool dbd_comes_up = true;
    bool dbd_can_end = true;
    int changes = 0;

    void take(const std::string& version) {
        bundle.version = version;
        bundle.packages[0].version = version;
    }
    // Where among the calls; -1: never.
    [[nodiscard]] std::ptrdiff_t place(const std::string& call) const {
        const auto found = std::ranges::find_if(host.calls, [&](const std::string& each) {
            return each.find(call) != std::string::npos;
        });
        return found == host.calls.end() ? -1 : found - host.calls.begin();
    }
};

TEST_F(SystemdTest, AnUpgradeSavesWhatItConverts) {
    host.put("/usr/bin/mariadb-dump", "");
    take("24.11.5");
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(place("mariadb-dump"), -1);
    active.erase("slurmctld.service");  // it may be on its way up: it is stopped all the same
    take("25.11.2");
    host.calls.clear();
    const auto upgraded = install({"--full-init"});
    ASSERT_TRUE(upgraded) << upgraded.error().text();
    EXPECT_GE(place("--no-data"), 0);
    EXPECT_LT(place("--no-data"), place("systemctl stop slurmctld.service"));
    EXPECT_LT(place("systemctl stop slurmctld.service"), place("cp -a"));
    EXPECT_GE(place("systemctl stop slurmdbd.service"), 0);
    EXPECT_LT(place("systemctl stop slurmdbd.service"), place("--result-file=/var/lib/slurm"));
    EXPECT_LT(place("--result-file=/var/lib/slurm"), place("mv -T"));
    EXPECT_LT(place("mv -T"), place("systemctl start slurmdbd.service"));
    EXPECT_NE(listener.heard.find("/var/lib/slurm/backup/24.11.5-to-25.11.2"), std::string::npos);
    host.calls.clear();
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(changes, 0);
    EXPECT_EQ(place("mariadb-dump"), -1);
}

// No folder of slurmctld's is there.
TEST_F(SystemdTest, AHostWithTheDatabaseAloneIsUpgradedToo) {
    host.put("/usr/bin/mariadb-dump", "");
    host.put("/etc/munge/munge.key", "brought", 0600);
    take("24.11.5");
    ASSERT_TRUE(install({"--full-init", "--role", "dbd"}));
    take("25.11.2");
    host.done.clear();
    const auto upgraded = install({"--full-init"});
    ASSERT_TRUE(upgraded) << upgraded.error().text();
    const auto made = [&](const std::string& folder) {
        return std::ranges::find_if(host.done,
                                    [&](const std::string& each) {
                                        return each.find(folder + " ") != std::string::npos;
                                    }) -
               host.done.begin();
    };
    EXPECT_LT(made("/var/lib/slurm"), made("/var/lib/slurm/backup"));
    EXPECT_LT(made("/var/lib/slurm/backup"), std::ssize(host.done));
}

TEST_F(SystemdTest, WhoWritesBesideTheCopyIsNamed) {
    host.put("/usr/bin/mariadb-dump", "");
    take("24.11.5");
    ASSERT_TRUE(install({"--full-init"}));
    take("25.11.2");
    dbd_can_end = false;
    const auto refused = install({"--full-init"});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("slurmdbd still runs, as process 77"), std::string::npos);
    EXPECT_EQ(host.text("/opt/slurm/current"), "views/24.11.5");
}

TEST_F(SystemdTest, WithoutAWholeCopyNothingIsUpgraded) {
    host.put("/usr/bin/mariadb-dump", "");
    take("24.11.5");
    ASSERT_TRUE(install({"--full-init"}));
    take("25.11.2");
    last_line = "INSERT INTO";
    const auto failed = install({"--full-init"});
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().text().find("is not whole"), std::string::npos);
    EXPECT_NE(failed.error().hint.find("/24.11.5/slurm_install.sh --start-services"),
              std::string::npos);
    EXPECT_EQ(host.text("/opt/slurm/current"), "views/24.11.5");
    EXPECT_EQ(load_record(host).value().version, "24.11.5");
}

TEST_F(SystemdTest, AnUpgradeThatCannotBeSavedIsRefusedBefore) {
    take("24.11.5");
    ASSERT_TRUE(install({"--full-init"}));
    take("25.11.2");
    EXPECT_NE(text_of(plan({"--full-init"}).problems).find("mariadb-dump, which saves"),
              std::string::npos);
    host.put("/usr/bin/mariadb-dump", "");
    EXPECT_TRUE(plan({"--full-init"}).problems.empty());
    EXPECT_NE(text_of(plan({"--full-init", "--no-start"}).problems).find("--without-backup"),
              std::string::npos);
    EXPECT_FALSE(plan({"--full-init", "--no-start", "--without-backup"}).planned.plan.backup);
    take("23.11.4");
    EXPECT_NE(text_of(plan({"--full-init"}).problems).find("later series"), std::string::npos);
    take("26.11.0");
    EXPECT_NE(text_of(plan({"--full-init"}).problems).find("series in between"), std::string::npos);
}

TEST_F(SystemdTest, TheSecondTimeNothingChangesAndNothingIsOwed) {
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_FALSE(load_record(host).value().restart_due);
    EXPECT_EQ(count("systemctl start slurmctld.service"), 1);
    host.calls.clear();
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(changes, 0);
    EXPECT_EQ(count("start"), 0);
    EXPECT_EQ(count("daemon-reload"), 0);
}

// Killed before it wrote that file a new slurmctld would not start again.
TEST_F(SystemdTest, ANewSlurmctldWritesTheUsageOfAccountsDownAtOnce) {
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(count("systemctl restart slurmctld.service"), 1);
    EXPECT_LT(place("systemctl restart slurmctld.service"), place("start slurmd.service"));
    host.nodes.erase("/var/lib/slurm/slurmctld/assoc_usage");  // interrupted before
    host.calls.clear();
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(count("systemctl restart slurmctld.service"), 1);
    host.nodes.erase("/var/lib/slurm/slurmctld/assoc_usage");
    host.nodes.erase("/var/lib/slurm/slurmctld/clustername");  // the state is kept elsewhere
    host.calls.clear();
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(count("restart"), 0);
}

// The supervisor starts again what ends; slurmctld is asked to, by its own tool.
TEST_F(SystemdTest, TheSupervisorsSlurmctldToo) {
    Plan plan;
    plan.tree = "/opt/slurm";
    plan.runs_controller = true;
    plan.accounting = true;
    Accounts accounts;
    Context context{host, listener, record, accounts};
    EXPECT_FALSE(usage_is_owed(plan, host).value());
    put_state(false);
    answering = false;
    EXPECT_FALSE(usage_is_owed(plan, host).value());
    answering = true;
    EXPECT_TRUE(usage_is_owed(plan, host).value());
    bool wrote = false;
    host.answer = [&](const base::Command& command, std::string_view input) {
        if (says(command, "shutdown slurmctld")) put_state(wrote);
        return answer(command, input);
    };
    EXPECT_EQ(save_usage(plan, context).error().code, base::Code::exhausted);
    wrote = true;
    ASSERT_TRUE(save_usage(plan, context));
    EXPECT_EQ(host.calls.back(), "/opt/slurm/current/bin/scontrol shutdown slurmctld");
    EXPECT_FALSE(usage_is_owed(plan, host).value());
    host.answer = [](const base::Command&, std::string_view) { return ended(1); };
    EXPECT_EQ(save_usage(plan, context).error().code, base::Code::failed);
    host.nodes.erase("/var/lib/slurm/slurmctld/assoc_usage");
    plan.accounting = false;
    EXPECT_FALSE(usage_is_owed(plan, host).value());
}

// Counted by the clock: a ping to a slurmctld that hangs takes as long as it may.
TEST_F(SystemdTest, ASlurmctldThatHangsIsWaitedForAMinute) {
    Plan plan;
    plan.tree = "/opt/slurm";
    plan.runs_controller = true;
    plan.accounting = true;
    std::vector<std::chrono::milliseconds> allowed;
    host.answer = [&](const base::Command& command, std::string_view) {
        allowed.push_back(command.deadline.value());
        host.clock += std::min<std::chrono::milliseconds>(25s, allowed.back());
        return ended(1);
    };
    const auto begin = host.clock;
    EXPECT_FALSE(usage_is_owed(plan, host).value());
    EXPECT_LE(host.clock - begin, 61s);
    ASSERT_EQ(allowed.size(), 3U);
    EXPECT_LT(allowed.back(), 10s);
}

TEST_F(SystemdTest, WhatChangedIsRestartedEvenAfterAnInterruption) {
    ASSERT_TRUE(install({"--full-init"}));
    host.put("/etc/slurm/.slurm-factory.json",
             base::replace_all(host.text("/etc/slurm/.slurm-factory.json"),
                               "\"restart_due\": false", "\"restart_due\": true"));
    host.calls.clear();
    ASSERT_TRUE(install({"--full-init", "--no-start"}));
    EXPECT_EQ(count("restart"), 0);
    ASSERT_TRUE(install({"--full-init"}));
    for (const char* unit : {"munge", "slurmdbd", "slurmctld", "slurmd"})
        EXPECT_EQ(count("restart " + std::string(unit) + ".service"), 1) << unit;
    EXPECT_EQ(count("restart mariadb"), 0);
    EXPECT_FALSE(load_record(host).value().restart_due);
}

// On Enterprise Linux the socket is elsewhere: that is seen only once the server runs.
TEST_F(SystemdTest, TheServersOwnSocketIsUsed) {
    mariadb_at = "/var/lib/mysql/mysql.sock";
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_GT(count("--socket=/var/lib/mysql/mysql.sock"), 0);
    EXPECT_EQ(count("--socket=/run/mysqld/mysqld.sock"), 0);
}

TEST_F(SystemdTest, NoServerOfOursIsRunBesideSystemds) {
    mariadb_at = "/somewhere/else.sock";
    const auto installed = install({"--full-init"});
    ASSERT_FALSE(installed);
    EXPECT_NE(installed.error().text().find("listens on none of the sockets known"),
              std::string::npos);
    EXPECT_EQ(count("start slurmdbd"), 0);
    ASSERT_TRUE(install({"--full-init", "--no-start"}));
    EXPECT_NE(listener.heard.find("the database is made by --start-services"), std::string::npos);
}

TEST_F(SystemdTest, SlurmctldWaitsUntilSlurmdbdListens) {
    dbd_comes_up = false;
    const auto slow = install({"--full-init"});
    ASSERT_FALSE(slow);
    EXPECT_NE(slow.error().text().find("slurmdbd.service runs, but does not listen yet"),
              std::string::npos);
    EXPECT_NE(slow.error().hint.find("must not be stopped"), std::string::npos);
    EXPECT_EQ(count("start slurmctld"), 0);
    EXPECT_EQ(count("stop"), 0);
    // On another port, as an administrator wants it.
    host.put("/etc/slurm/slurmdbd.conf", host.text("/etc/slurm/slurmdbd.conf") + "DbdPort=6917\n",
             0600);
    host.put("/proc/self/net/tcp", dbd_listens);
    EXPECT_FALSE(install({"--full-init"}));
    host.put("/proc/self/net/tcp", "   0: 00000000:1B05 00000000:0000 0A 00000000:00000000\n");
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_EQ(count("systemctl start slurmctld"), 1);
}

TEST_F(SystemdTest, AnUninstallationStopsWhatWasNotRecordedYetAndCanBeRepeated) {
    ASSERT_TRUE(install({"--full-init"}));
    record.units.clear();  // interrupted before it was written down
    host.nodes.erase("/etc/systemd/system/slurmd.service");  // taken back before
    host.calls.clear();
    Accounts accounts;
    Context context{host, listener, record, accounts};
    ASSERT_TRUE(uninstall(context, true));
    EXPECT_NE(listener.heard.find("would stop and disable slurmctld.service"), std::string::npos);
    EXPECT_TRUE(host.calls.empty());
    ASSERT_TRUE(uninstall(context, false));
    EXPECT_EQ(count("disable --now slurmd.service"), 0);
    EXPECT_EQ(count("disable --now slurmctld.service"), 1);
    EXPECT_EQ(count("disable --now mariadb.service"), 0);
    EXPECT_EQ(host.calls.back(), "systemctl daemon-reload");
}

// Interrupted between its user and what that user may do.
TEST_F(SystemdTest, AHalfMadeDatabaseIsCompleted) {
    bool granted = false;
    std::string password_file;
    host.answer = [&](const base::Command& command, std::string_view input) {
        if (says(command, "--defaults-file=")) {
            password_file = command.argv[1].substr(command.argv[1].find('=') + 1);
            EXPECT_EQ(host.nodes[password_file].info.mode, 0600U);
            return ended(says(command, "USE slurm_acct_db") && !granted ? 1 : 0);
        }
        if (input.find("GRANT ALL ON slurm_acct_db.*") != std::string_view::npos) {
            EXPECT_EQ(input.find("CREATE USER"), std::string_view::npos);
            granted = true;
        }
        return answer(command, input);
    };
    ASSERT_TRUE(install({"--full-init"}));
    EXPECT_TRUE(granted);
    EXPECT_EQ(host.text(password_file), "<absent>");
    for (const std::string& call : host.calls)
        EXPECT_EQ(call.find("pass4word"), std::string::npos) << call;
}

TEST_F(SystemdTest, APasswordThatOthersCanReadIsRefused) {
    PlannedDatabase database;
    database.password_file = "/root/password";
    host.put("/root/password", "secretword\n", 0644);
    const auto open = new_password(database, host);
    ASSERT_FALSE(open);
    EXPECT_NE(open.error().hint.find("chmod 600 /root/password"), std::string::npos);
    EXPECT_EQ((open.error().text() + open.error().hint).find("secretword"), std::string::npos);
    host.put("/root/password", "secretword\n", 0600);
    EXPECT_EQ(new_password(database, host).value(), "secretword");
}

// The supervisor's MariaDB is down by then, and nobody listens on that port.
TEST_F(SystemdTest, ADatabaseByALoopbackAddressIsCopiedFromOurServer) {
    PlannedDatabase database;
    Accounts accounts;
    Context context{host, listener, record, accounts};
    host.put("/etc/slurm/slurmdbd.conf",
             "StorageHost=127.0.0.1\nStorageUser=slurm\nStoragePass=abc\n", 0600);
    const std::string head = "sl local_address rem_address st\n";
    host.put("/proc/self/net/tcp", head);
    host.put("/proc/self/net/unix", "");
    host.calls.clear();
    ASSERT_TRUE(can_dump(database, "/usr/bin/mariadb-dump", context));
    EXPECT_TRUE(host.calls.empty()) << "nobody can be asked now";
    host.put("/proc/self/net/unix",
             "Num RefCount Protocol Flags Type St Inode Path\n"
             "0: 00000002 00000000 00010000 0001 01 1 /run/mysqld/mysqld.sock\n");
    ASSERT_TRUE(can_dump(database, "/usr/bin/mariadb-dump", context));
    EXPECT_EQ(count("--protocol=socket --socket=/run/mysqld/mysqld.sock"), 1);
    host.put("/proc/self/net/tcp", head + "0: 0100007F:0CEA 00000000:0000 0A 0 0 0\n");
    ASSERT_TRUE(can_dump(database, "/usr/bin/mariadb-dump", context));
    EXPECT_EQ(count("--protocol=tcp --host=127.0.0.1"), 1);
}

// With scripts for daemons, in a folder of their own.
class RealProcesses : public ::testing::Test {
protected:
    ~RealProcesses() override { base::clear_stop(); }
    [[nodiscard]] std::string at(const std::string& name) const {
        return (x_room.path() / name).native();
    }
    // Says ".up" when it runs; asked to end it takes `slow` seconds, and says ".end".
    std::string daemon(const std::string& name, const std::string& slow) {
        EXPECT_TRUE(base::write_file(at(name),
                                     "#!/bin/sh\ntrap 'sleep " + slow + "; : >" + at(name) +
                                         ".end; exit 0' TERM\n: >" + at(name) +
                                         ".up\nwhile :; do sleep 0.05; done\n",
                                     0755));
        return at(name);
    }
    void wait_for(const std::string& name) const {
        for (int i = 0; i < 1000 && !base::exists(at(name)); ++i) std::this_thread::sleep_for(20ms);
    }
    base::TempDir x_room = base::TempDir::create("/tmp", "sft-").value();
    test::Listener listener;
};

// Of this process, on the loopback interface.
class OpenPort {
public:
    OpenPort() {
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof place;
        auto* const address = reinterpret_cast<sockaddr*>(&place);
        EXPECT_EQ(::bind(x_socket.get(), address, size), 0);
        EXPECT_EQ(::getsockname(x_socket.get(), address, &size), 0);
        EXPECT_EQ(::listen(x_socket.get(), 1), 0);
        x_number = ::ntohs(place.sin_port);
    }
    [[nodiscard]] std::uint16_t number() const { return x_number; }

private:
    base::Fd x_socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::uint16_t x_number = 0;
};

TEST_F(RealProcesses, AServerOfOursIsAskedToEndWhateverHappens) {
    test::RecordingHost host;
    host.put("/proc/self/net/tcp", "");
    host.put("/proc/self/net/unix", "");
    host.put("/etc/slurm/slurmdbd.conf", "StoragePass=abc\n");
    PlannedDatabase database;
    database.server = daemon("mariadbd", "0.3");
    database.socket = "/run/mysqld/mysqld.sock";
    database.log = at("log");
    Record record;
    Accounts accounts;
    Context context{host, listener, record, accounts};
    std::thread impatient([&] {
        wait_for("mariadbd.up");
        base::request_stop(SIGINT);
    });
    const auto made = make_database(database, context);
    impatient.join();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, base::Code::interrupted);
    EXPECT_TRUE(base::exists(at("mariadbd.end"))) << "it was killed";
}

TEST_F(RealProcesses, EachDaemonHasItsOwnPatience) {
    Service quick;
    quick.name = "quick";
    quick.log = at("log");
    quick.owner = {std::to_string(::getuid()), std::to_string(::getgid())};
    Service slow = quick;
    quick.argv = {daemon("quick", "5")};
    quick.patience = 1s;
    slow.name = "slow";
    slow.argv = {daemon("slow", "1.5")};
    slow.patience = 60s;
    ASSERT_TRUE(base::write_file(at("list"), services_to_json({slow, quick}).value()));
    LinuxHost host;
    base::Status status;
    std::thread supervisor([&] {
        status = supervise({at("list"), at("pid"), -1}, host, listener);
    });
    wait_for("slow.up");
    wait_for("quick.up");
    struct stat info {};
    EXPECT_EQ(::stat(at("pid").c_str(), &info), 0);
    // Whoever could open it could lock it, and be taken for the supervisor.
    EXPECT_EQ(info.st_mode & 07777U, 0600U);
    EXPECT_EQ(running_supervisor(at("pid")).value(), ::getpid());
    base::request_stop(SIGTERM);
    supervisor.join();
    EXPECT_TRUE(status);
    EXPECT_TRUE(base::exists(at("slow.end")));
    EXPECT_FALSE(base::exists(at("quick.end")));
    EXPECT_NE(listener.heard.find("quick does not end: killed"), std::string::npos);
}

// sackd runs without its port as well, and never hears of a change.
TEST_F(RealProcesses, WhoHeldThePortBeforeIsNotTheDaemon) {
    const OpenPort other;
    Service service;
    service.name = "late";
    service.log = at("log");
    service.owner = {std::to_string(::getuid()), std::to_string(::getgid())};
    service.argv = {daemon("late", "0")};
    service.ready_port = other.number();
    service.patience = 60s;
    ASSERT_TRUE(base::write_file(at("list"), services_to_json({service}).value()));
    LinuxHost host;
    const base::Status status = supervise({at("list"), at("pid"), -1, false}, host, listener);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::refused);
    EXPECT_NE(status.error().text().find("which late needs, is in use"), std::string::npos);

    // What it will have fetched may name another port.
    base::clear_stop();
    service.port = {at("conf"), "SlurmdPort"};
    service.patience = 1s;
    ASSERT_TRUE(base::write_file(at("list"), services_to_json({service}).value()));
    const base::Status waited = supervise({at("list"), at("pid"), -1, false}, host, listener);
    ASSERT_FALSE(waited);
    EXPECT_NE(waited.error().text().find("late does not listen after 1 s"), std::string::npos);

    // Where its port cannot be told, it is ready when it has run for a while.
    base::clear_stop();
    service.patience = 60s;
    ASSERT_TRUE(base::write_file(at("conf"), "Include ports.conf\n"));
    ASSERT_TRUE(base::write_file(at("list"), services_to_json({service}).value()));
    int told[2];
    ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
    base::Status ended;
    std::thread supervisor([&] {
        ended = supervise({at("list"), at("pid"), told[1], false}, host, listener);
    });
    std::string said;
    for (char c = 0; ::read(told[0], &c, 1) == 1 && c != '\n';) said += c;
    EXPECT_EQ(said, "ready");
    ::close(told[0]);
    base::request_stop(SIGTERM);
    supervisor.join();
    EXPECT_TRUE(ended);
}

// A login host that boots before its controller: nothing listens for a while.
TEST_F(RealProcesses, AfterABootThereIsMorePatienceForOtherHosts) {
    Service late;
    late.name = "late";
    late.log = at("log");
    late.owner = {std::to_string(::getuid()), std::to_string(::getgid())};
    late.argv = {daemon("late", "0")};
    late.ready_socket = at("socket");
    late.ready_port = 1;
    late.port = {at("conf"), "SlurmdPort"};
    late.patience = 1s;
    late.boot_patience = 60s;
    ASSERT_TRUE(base::write_file(at("list"), services_to_json({late}).value()));
    LinuxHost host;
    const base::Status impatient = supervise({at("list"), at("pid"), -1, false}, host, listener);
    ASSERT_FALSE(impatient);
    EXPECT_NE(impatient.error().text().find("late does not listen after 1 s"), std::string::npos);

    base::clear_stop();
    int told[2];
    ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
    base::Status status;
    std::thread supervisor([&] {
        status = supervise({at("list"), at("pid"), told[1], true}, host, listener);
    });
    std::string said;
    const auto read_line = [&] {
        said.clear();
        for (char c = 0; ::read(told[0], &c, 1) == 1 && c != '\n';) said += c;
    };
    read_line();
    EXPECT_NE(said.find("late does not listen after 1 s, and has 60 s"), std::string::npos) << said;
    const base::Fd listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    ASSERT_LT(at("socket").size(), sizeof name.sun_path);
    at("socket").copy(name.sun_path, sizeof name.sun_path - 1);
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(listening.get(), 1), 0);
    // Nor is it where it listens by default, but where what it has fetched meanwhile says.
    const OpenPort other;
    ASSERT_TRUE(base::write_file(at("conf"), fmt::format("SlurmdPort={}", other.number())));
    read_line();
    EXPECT_EQ(said, "ready");
    ::close(told[0]);
    base::request_stop(SIGTERM);
    supervisor.join();
    EXPECT_TRUE(status);
}

// A tool for the supervisor: here one that is not ready yet, and asked to end meanwhile.
TEST_F(RealProcesses, AnImpatientCallerDoesNotKillTheSupervisor) {
    ASSERT_TRUE(base::write_file(at("helper"),
                                 "#!/bin/sh\necho \"$@\" >" + at("words") + "\nexec >" + at("out") +
                                     " 2>&1\ntrap ': >" + at("helper") +
                                     ".end; exit 0' TERM\necho 'waiting: for it' "
                                     ">&3\n: >" +
                                     at("helper") + ".up\nwhile :; do sleep 0.05; done\n",
                                 0755));
    std::thread impatient([&] {
        wait_for("helper.up");
        std::this_thread::sleep_for(200ms);
        base::request_stop(SIGINT);
    });
    const auto started = start_supervisor(at("helper"), listener, true, at("log"));
    impatient.join();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, base::Code::interrupted);
    EXPECT_NE(listener.heard.find("for it"), std::string::npos);
    EXPECT_EQ(base::read_file(at("words")).value(), "supervise --ready-fd=3 --after-boot\n");
    wait_for("helper.end");
    EXPECT_TRUE(base::exists(at("helper.end"))) << "it was killed";
}

}  // namespace
}  // namespace sf::deploy
