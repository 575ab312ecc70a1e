// SPDX-License-Identifier: Apache-2.0
// A database elsewhere: what slurmdbd is given, what it says, and that nothing of it stays. Its
// words are those of Slurm 25.11 with MariaDB 10.11.
#include "deploy/remote_database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* again =
    "slurmdbd: error: The database must be up when starting the MYSQL plugin.  Trying again in 5 "
    "seconds.\n";

class RemoteDatabaseTest : public ::testing::Test {
protected:
    RemoteDatabaseTest() {
        question.slurmdbd = "/t/views/25.11.2/sbin/slurmdbd";
        question.version = "25.11.2";
        question.password_place = "/root/password";
        question.conf =
            "# slurmdbd.conf\nSlurmUser=slurm\nAuthType=auth/munge\nAuthAltTypes=auth/jwt\n"
            "AuthAltParameters=jwt_key=/etc/slurm/jwt_hs256.key\nLogFile=/var/log/slurm/"
            "slurmdbd.log\n"
            "PidFile=/run/slurm/slurmdbd.pid\nStorageHost=db1\nStoragePort=3307\n"
            "StorageUser=acct\nStorageLoc=slurm_acct_db\nStoragePass=secretword\n";
        host.answer = [this](const base::Command& command, std::string_view) {
            patience.push_back(command.deadline.value());
            options.push_back(command.argv[1]);
            EXPECT_FALSE(command.identity);
            conf = host.text(command.environment.at("SLURM_CONF")
                                 .substr(0, command.environment.at("SLURM_CONF").rfind('/')) +
                             "/slurmdbd.conf");
            base::Finished done;
            done.out = out;
            done.err = err;
            done.timed_out = hangs;
            done.exit.code = code;
            return done;
        };
    }
    base::Status ask() {
        const base::Status answered = ask_database(question, host);
        for (const auto& [path, node] : host.nodes)
            EXPECT_FALSE(path.starts_with("/run/")) << path << " is left";
        const std::string said = answered ? "" : answered.error().text() + answered.error().hint;
        EXPECT_THAT(said, Not(HasSubstr("secretword")));
        for (const std::string& call : host.calls) EXPECT_THAT(call, Not(HasSubstr("secretword")));
        return answered;
    }

    test::RecordingHost host;
    DatabaseQuestion question;
    std::string out;
    std::string err;
    int code = 0;
    bool hangs = false;
    std::string conf;  // what slurmdbd has read
    std::vector<std::string> options;
    std::vector<std::chrono::milliseconds> patience;
};

TEST_F(RemoteDatabaseTest, WhoIsLetInIsTold) {
    out = "Slurm Database already at the highest version '17'. No conversion needed.\n";
    EXPECT_TRUE(ask());
    EXPECT_THAT(options, ElementsAre("-u"));
    EXPECT_THAT(conf, HasSubstr("\nStorageHost=db1\nStoragePort=3307\n"));
    EXPECT_THAT(conf, HasSubstr("\nStorageLoc=slurm_acct_db\n"));
    // Of the daemon that may run here nothing is touched.
    EXPECT_THAT(conf, HasSubstr("\nSlurmUser=root\nAuthType=auth/none\n"));
    EXPECT_THAT(conf, Not(HasSubstr("jwt")));
    EXPECT_THAT(conf, Not(HasSubstr("/run/slurm/slurmdbd.pid")));
    EXPECT_THAT(conf, Not(HasSubstr("/var/log")));
    out = "Slurm Database current version is '16' needs to be at '17'. Conversion needed.\n";
    code = 1;
    EXPECT_TRUE(ask());
}

TEST_F(RemoteDatabaseTest, AWrongPasswordIsToldAtOnce) {
    hangs = true;
    err = std::string(
              "slurmdbd: error: mysql_real_connect failed: 1045 Access denied for user "
              "'acct'@'10.9.9.5' (using password: YES)\n") +
          again;
    const auto refused = ask();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(),
                HasSubstr("the database server on db1, port 3307, does not let user acct in: 1045 "
                          "Access denied for user 'acct'@'10.9.9.5'"));
    EXPECT_THAT(refused.error().hint, HasSubstr("the password in /root/password"));
    EXPECT_THAT(refused.error().hint, HasSubstr("GRANT ALL ON slurm_acct_db.*"));
    ASSERT_EQ(patience.size(), 1U);
    EXPECT_LE(patience[0], std::chrono::seconds(5));
}

TEST_F(RemoteDatabaseTest, AServerThatIsDownIsToldAtOnce) {
    hangs = true;
    err = std::string(
              "slurmdbd: error: mysql_real_connect failed: 2002 Can't connect to server on "
              "'db1' (111)\n") +
          again;
    const auto away = ask();
    ASSERT_FALSE(away);
    EXPECT_THAT(away.error().text(),
                HasSubstr("on db1, port 3307, cannot be reached: 2002 Can't connect"));
    EXPECT_THAT(away.error().hint, HasSubstr("bind-address"));
    EXPECT_EQ(patience.size(), 1U);
}

// Behind a firewall that drops what comes, or a server that takes its time.
TEST_F(RemoteDatabaseTest, WhoSaysNothingIsAskedOnceMoreAndThenGivenUp) {
    hangs = true;
    const auto silent = ask();
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().code, base::Code::exhausted);
    EXPECT_THAT(silent.error().text(), HasSubstr("does not answer within 15 s"));
    EXPECT_THAT(silent.error().hint, HasSubstr("firewall"));
    ASSERT_EQ(patience.size(), 2U);
    EXPECT_LE(patience[0] + patience[1], std::chrono::seconds(20));
}

TEST_F(RemoteDatabaseTest, WhatItComesInToMustBeOfUse) {
    code = 1;
    err =
        "slurmdbd: fatal: mysql_query failed: 1044 Access denied for user 'acct'@'%' to database "
        "'slurm_acct_db'\ncreate database slurm_acct_db\n";
    const auto rights = ask();
    ASSERT_FALSE(rights);
    EXPECT_THAT(rights.error().text(), HasSubstr("cannot use slurm_acct_db"));
    EXPECT_THAT(rights.error().text(), HasSubstr("1044 Access denied"));
    EXPECT_THAT(rights.error().hint, HasSubstr("GRANT ALL ON slurm_acct_db.*"));
    err =
        "slurmdbd: fatal: Database schema is from a newer version of Slurm, downgrading is not "
        "possible.\n";
    const auto newer = ask();
    ASSERT_FALSE(newer);
    EXPECT_THAT(newer.error().text(), HasSubstr("downgrading is not possible"));
}

// For a plan that is only shown not even an empty database is made.
TEST_F(RemoteDatabaseTest, OnlyToLookIsOnlyToComeIn) {
    question.only_login = true;
    out = "Slurm Database is somehow higher than expected\n";
    code = 1;
    EXPECT_TRUE(ask());
    EXPECT_THAT(conf, HasSubstr("\nStorageLoc=information_schema\n"));
    EXPECT_THAT(conf, Not(HasSubstr("StorageLoc=slurm_acct_db")));
}

// Its slurmdbd cannot be asked alone: it goes on to its tables, where it can make none.
TEST_F(RemoteDatabaseTest, AnOlderSlurmdbdIsLedToWhereItCanChangeNothing) {
    question.version = "23.11.11";
    code = 1;
    err =
        "slurmdbd: error: mysql_query failed: 1044 Access denied for user 'acct'@'%' to database "
        "'information_schema'\nslurmdbd: fatal: Unable to initialize accounting storage plugin\n";
    EXPECT_TRUE(ask());
    EXPECT_THAT(options, ElementsAre("-D"));
    EXPECT_THAT(conf, HasSubstr("\nStorageLoc=information_schema\n"));
    err = "slurmdbd: fatal: cannot find accounting_storage plugin\n";
    EXPECT_FALSE(ask());
}

TEST(IsElsewhere, AsSlurmdbdReadsIt) {
    EXPECT_TRUE(is_elsewhere("storagehost = db1\n"));
    EXPECT_FALSE(is_elsewhere("StorageHost=localhost\n"));
    EXPECT_FALSE(is_elsewhere("#StorageHost=db1\n"));
    EXPECT_FALSE(is_elsewhere(""));
}

}  // namespace
}  // namespace sf::deploy
