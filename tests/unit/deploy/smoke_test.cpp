// SPDX-License-Identifier: Apache-2.0
// What is proved on hosts where no job runs: those of sackd and of slurmdbd alone, and a controller
// whose slurmdbd is elsewhere.
#include "deploy/smoke.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class SmokeTest : public ::testing::Test {
protected:
    SmokeTest() {
        subject.view = "/t/current";
        subject.node = "here";
        host.answer = [this](const base::Command& command, std::string_view) {
            base::Finished done;
            const std::string program = command.argv[0].substr(command.argv[0].rfind('/') + 1);
            const auto conf = command.environment.find("SLURM_CONF");
            confs.push_back(conf == command.environment.end() ? "" : conf->second);
            if (program == "unmunge") done.out = "STATUS: Success (0)";
            if (program == "scontrol" && command.argv[1] == "ping") done.out = ping;
            if (program == "scontrol" && command.argv[1] == "show")
                done.out = "AccountingStorageHost   = db1\nClusterName             = alpha\n";
            if (program == "sinfo") {
                sinfo_as = command.identity ? command.identity->uid : 0;
                done.out = "n1\nn2\nn1\n";
            }
            if (program == "sacctmgr") {
                if (host.nodes.contains(confs.back())) conf_of_dbd = host.text(confs.back());
                done.out = sacctmgr;
                if (sacctmgr.empty()) done.exit.code = 1;
            }
            return done;
        };
    }
    auto prove() { return smoke_test(subject, host, listener); }

    test::RecordingHost host;
    test::Listener listener;
    SmokeSubject subject;
    std::string ping = "Slurmctld(primary) at head is UP";
    std::string sacctmgr;
    std::string conf_of_dbd;
    std::vector<std::string> confs;  // SLURM_CONF of each call
    uid_t sinfo_as = 0;
};

TEST_F(SmokeTest, ALoginHostReachesSlurmctldByWhatSackdHasFetched) {
    subject.sackd = true;
    const auto nothing = prove();
    ASSERT_FALSE(nothing);
    EXPECT_THAT(nothing.error().text(), HasSubstr("sackd has fetched no /run/slurm/conf"));
    EXPECT_THAT(nothing.error().hint, HasSubstr("6817"));
    EXPECT_THAT(host.calls, Not(Contains(HasSubstr("sinfo"))));

    host.put("/run/slurm/conf/slurm.conf", "ClusterName=alpha\n");
    const auto proved = prove();
    ASSERT_TRUE(proved) << proved.error().text();
    EXPECT_THAT(*proved, Contains(HasSubstr("scontrol ping, by /run/slurm/conf/slurm.conf that")));
    EXPECT_THAT(*proved, Contains("sinfo, as nobody: 2 nodes"));
    EXPECT_EQ(sinfo_as, 65534U);
    EXPECT_THAT(confs, Not(Contains("/run/slurm/conf/slurm.conf"))) << "as users have it";

    ping = "Slurmctld(primary) at head is DOWN";
    const auto down = prove();
    ASSERT_FALSE(down);
    EXPECT_THAT(down.error().text(), HasSubstr("is DOWN"));
}

// It would prove that file, and not sackd.
TEST_F(SmokeTest, AnAdministratorsOwnSlurmConfIsNotSackds) {
    subject.sackd = true;
    host.put("/run/slurm/conf/slurm.conf", "ClusterName=alpha\n");
    host.put("/etc/slurm/slurm.conf", "ClusterName=other\n");
    ASSERT_TRUE(prove());
    EXPECT_EQ(confs.back(), "/run/slurm/conf/slurm.conf");
}

TEST_F(SmokeTest, AHostOfSlurmdbdAloneReadsItsDatabase) {
    subject.dbd = true;
    host.put("/etc/slurm/slurmdbd.conf", "DbdPort = 7031\nStoragePass=secretword\n", 0600);
    sacctmgr = "root";
    const auto proved = prove();
    ASSERT_TRUE(proved) << proved.error().text();
    EXPECT_THAT(*proved, Contains("sacctmgr: slurmdbd answers, and reads its database"));
    EXPECT_THAT(conf_of_dbd, HasSubstr("AccountingStoragePort=7031\n"));
    EXPECT_THAT(conf_of_dbd, Not(HasSubstr("secretword")));
    for (const auto& [path, node] : host.nodes)
        EXPECT_FALSE(path.starts_with("/run/slurm-setup")) << path;

    sacctmgr = "";
    EXPECT_FALSE(prove());
    for (const auto& [path, node] : host.nodes)
        EXPECT_FALSE(path.starts_with("/run/slurm-setup")) << path;
}

// Its words are user slurm's, and root's sacctmgr reads what is made of them.
TEST_F(SmokeTest, SlurmdbdIsAskedAsItsConfigurationSays) {
    subject.dbd = true;
    sacctmgr = "root";
    const auto put = [&](const std::string& conf) {
        host.put("/etc/slurm/slurmdbd.conf", conf, 0600);
        conf_of_dbd.clear();
    };
    put("DbdHost=db1\n");
    ASSERT_TRUE(prove());
    EXPECT_THAT(conf_of_dbd, HasSubstr("\nAuthType=auth/munge\nSlurmUser=slurm\n"
                                       "AccountingStoragePort=6819\n"));
    EXPECT_THAT(conf_of_dbd, Not(HasSubstr("CredType")));

    put("authtype=\"auth/slurm\" # by hand\nAuthInfo=use_client_ids SlurmUser=acct\n"
        "PluginDir=/home/slurm/evil\nInclude /home/slurm/evil.conf\nStoragePass=secretword\n");
    ASSERT_TRUE(prove());
    EXPECT_THAT(conf_of_dbd, HasSubstr("\nCredType=cred/slurm\nAuthType=auth/slurm\n"
                                       "AuthInfo=use_client_ids\nSlurmUser=acct\n"));
    EXPECT_THAT(conf_of_dbd, Not(HasSubstr("evil")));
    EXPECT_THAT(conf_of_dbd, Not(HasSubstr("secretword")));

    put("AuthInfo=socket=/run/m\\\nPluginDir=/evil\n");
    ASSERT_TRUE(prove());
    EXPECT_THAT(conf_of_dbd, HasSubstr("\nAuthInfo=socket=/run/mPluginDir=/evil\n"));
    for (const char* bad :
         {"AuthType=../evil", "AuthType=auth/../evil", "AuthType=auth/",
          "AuthType=\"auth/munge PluginDir=/evil\"", "AuthType=auth/munge AuthInfo=\"a\tb\""}) {
        put(bad);
        EXPECT_FALSE(prove()) << bad;
        EXPECT_EQ(conf_of_dbd, "") << bad;
    }
}

TEST_F(SmokeTest, AControllerIsKnownToSlurmdbd) {
    subject.controller = true;
    EXPECT_THAT(prove().value(), Not(Contains(HasSubstr("slurmdbd"))));
    subject.accounting = true;
    sacctmgr = "alpha|10.9.9.1|6817";
    const auto proved = prove();
    ASSERT_TRUE(proved) << proved.error().text();
    EXPECT_THAT(*proved, Contains("sacctmgr: slurmdbd on db1 knows slurmctld of cluster alpha"));
    // It is in the database, but not there: registered once, by an earlier run.
    sacctmgr = "alpha||0";
    const auto away = prove();
    ASSERT_FALSE(away);
    EXPECT_THAT(away.error().text(), HasSubstr("alpha||0"));
    EXPECT_THAT(away.error().text(), HasSubstr("not where slurmctld of alpha is"));
}

TEST_F(SmokeTest, AControllersAddressMayBeAnyKindOfAddress) {
    subject.controller = subject.accounting = true;
    for (const char* known : {"alpha|fd00::1|6817", "alpha|2001:db8::1|6817", "alpha|::1|6817",
                              "alpha|head|6817", "beta||0\nalpha|fe80::1|7000"}) {
        sacctmgr = known;
        EXPECT_TRUE(prove()) << known;
    }
    for (const char* unknown :
         {"alpha|fd00::1|0", "alpha||6817", "alpha|fd00::1|", "alphabet|fd00::1|6817",
          "alpha||0\nbeta|fd00::1|6817", "alpha|1"}) {
        sacctmgr = unknown;
        EXPECT_FALSE(prove()) << unknown;
    }
}

}  // namespace
}  // namespace sf::deploy
