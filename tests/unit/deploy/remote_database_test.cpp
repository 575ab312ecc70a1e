// SPDX-License-Identifier: Apache-2.0
// A database elsewhere: what slurmdbd is given, what it says, and that nothing of it stays. Its
// words are those of Slurm 25.11 with MariaDB 10.11.
#include "deploy/remote_database.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/conf_file.hpp"
#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
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
            EXPECT_EQ(command.identity.has_value(), question.slurm.has_value());
            if (command.identity) {
                EXPECT_EQ(command.identity->uid, 64030U);
                EXPECT_EQ(command.identity->gid, 64031U);
            }
            const std::string folder =
                command.environment.at("SLURM_CONF")
                    .substr(0, command.environment.at("SLURM_CONF").rfind('/'));
            conf = host.text(folder + "/slurmdbd.conf");
            const Ids owner = question.slurm.value_or(Ids{});
            for (const auto& [path, mode] :
                 {std::pair{folder, 0700U}, {folder + "/slurmdbd.conf", 0600U}}) {
                EXPECT_EQ(host.nodes[path].info.mode, mode);
                EXPECT_EQ(host.nodes[path].info.owner, owner);
            }
            host.put(folder + "/slurmdbd.pid", "1\n", 0644, owner);
            host.put(folder + "/core", "secretword", 0600, owner);
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

// What stands in it is user slurm's word, and we are root.
TEST_F(RemoteDatabaseTest, NothingThatSlurmdbdConfNamesIsRunOrLoaded) {
    question.slurm = Ids{64030, 64031};
    question.conf +=
        "PluginDir=/home/slurm/evil\nArchiveScript=/home/slurm/evil.sh\nArchiveDir=/home/slurm\n"
        "HashPlugin=hash/evil TLSType=tls/evil Parameters=Evil AuthInfo=socket=/home/slurm/s\n"
        "StorageParameters=SSL_CA=/etc/ca.pem # PluginDir=/home/slurm/evil\n";
    EXPECT_TRUE(ask());
    EXPECT_THAT(conf, HasSubstr("\nSlurmUser=slurm\nAuthType=auth/none\n"));
    EXPECT_THAT(conf, HasSubstr("\nStoragePass=secretword\n"));
    EXPECT_THAT(conf, HasSubstr("\nStorageParameters=SSL_CA=/etc/ca.pem\n"));
    EXPECT_THAT(conf, Not(HasSubstr("/home/slurm")));
    EXPECT_THAT(conf, Not(HasSubstr("evil")));
    EXPECT_THAT(conf, Not(HasSubstr("Evil")));

    // No value of theirs becomes a line of its own.
    question.conf += "StoragePass=a\\\nPluginDir=/home/slurm/evil\n";
    EXPECT_TRUE(ask());
    EXPECT_THAT(conf, HasSubstr("\nStoragePass=aPluginDir=/home/slurm/evil\n"));
    EXPECT_EQ(conf_value(conf, "PluginDir"), "");
    question.conf += "StoragePass=\"two words\" StorageUser=a\\#b\n";
    EXPECT_TRUE(ask());
    EXPECT_THAT(conf, HasSubstr("\nStoragePass=\"two words\"\n"));
    EXPECT_THAT(conf, HasSubstr("\nStorageUser=a\\#b\n"));
}

TEST_F(RemoteDatabaseTest, WhatCannotBeCarriedIsNotTried) {
    const std::string good = question.conf;
    EXPECT_EQ(why_not_asked(good), "");
    for (const auto& [line, why] :
         {std::pair{"Include /home/slurm/more.conf", "it includes other files"},
          {"StoragePassScript=/home/slurm/evil.sh", "StoragePassScript"},
          {"storagetype=accounting_storage/none", "StorageType is accounting_storage/none"},
          {"StoragePass=\"a\tb\"", "the value of StoragePass cannot be written"},
          {"what is this", "a line that slurmdbd would not read"}}) {
        question.conf = good + line + '\n';
        EXPECT_THAT(why_not_asked(question.conf), HasSubstr(why));
        const std::size_t before = options.size();
        EXPECT_FALSE(ask());
        EXPECT_EQ(options.size(), before) << line;
    }
}

class DatabaseQuestionTest : public ::testing::Test {
protected:
    DatabaseQuestionTest() {
        facts.host = "db9";
        facts.accounts.users = {{"slurm", 64030, 64039}};
        facts.accounts.groups = {{"slurm", 64031}};
        plan.version = "25.11.2";
        plan.database.emplace().local = false;
        plan.files.push_back({"/etc/slurm/slurmdbd.conf",
                              {"slurm", "slurm"},
                              0600,
                              "StorageHost=db1\nStoragePass=@db_password@\n",
                              true});
    }
    std::optional<DatabaseQuestion> make(bool only_start = false) {
        listener.heard.clear();
        const DatabaseAsker asker{plan,       facts, "/t/views/25.11.2", "pass4word", "/root/p",
                                  only_start, false};
        return database_question(asker, host, listener).value();
    }
    void keep(const std::string& conf, Ids owner = {64030, 64031}) {
        host.put("/etc/slurm/slurmdbd.conf", conf, 0600, owner);
    }

    test::RecordingHost host;
    test::Listener listener;
    Facts facts;
    Plan plan;
};

TEST_F(DatabaseQuestionTest, OursIsAskedAsRootAndTheirsAsUserSlurm) {
    const auto ours = make();
    ASSERT_TRUE(ours);
    EXPECT_FALSE(ours->slurm);
    EXPECT_EQ(ours->conf, "StorageHost=db1\nStoragePass=pass4word\n");
    EXPECT_EQ(ours->password_place, "/root/p");
    EXPECT_EQ(ours->slurmdbd, "/t/views/25.11.2/sbin/slurmdbd");

    keep("StorageHost=db1\nStoragePass=theirs\n");
    const auto theirs = make();
    ASSERT_TRUE(theirs);
    EXPECT_EQ(theirs->slurm, (Ids{64030, 64031}));
    EXPECT_THAT(theirs->conf, EndsWith("theirs\n"));
    EXPECT_EQ(theirs->password_place, "/etc/slurm/slurmdbd.conf");
    // Root's, whoever it is brought for: it is user slurm's in a moment.
    keep("StorageHost=db1\n", {});
    EXPECT_EQ(make()->slurm, (Ids{64030, 64031}));
    facts.accounts.users.clear();
    EXPECT_FALSE(make()->slurm);
    keep("StorageHost=db1\n", {1000, 1000});
    EXPECT_FALSE(make());
    EXPECT_THAT(listener.heard, HasSubstr("belongs to a user who is not slurm"));
}

TEST_F(DatabaseQuestionTest, WhoCannotBeAskedIsNotAndThatIsSaid) {
    keep("StorageHost=db1\nStoragePassScript=/etc/slurm/pass.sh\n");
    EXPECT_FALSE(make());
    EXPECT_THAT(listener.heard, HasSubstr("is not asked before slurmdbd is started: "
                                          "/etc/slurm/slurmdbd.conf: a program of the site"));
    keep("StorageHost=db1\n");
    host.put_folder("/t", 0700);
    EXPECT_FALSE(make());
    EXPECT_THAT(listener.heard, HasSubstr("does not reach /t/views/25.11.2"));
    host.put_folder("/t", 0755);
    EXPECT_TRUE(make());
    EXPECT_EQ(listener.heard, "");
}

// It is not up before we start it.
TEST_F(DatabaseQuestionTest, AServerOfThisMachineIsNotWaitedForAfterABoot) {
    plan.database->local = true;
    keep("StorageHost=127.0.0.1\n");
    EXPECT_FALSE(make());
    EXPECT_FALSE(make(true));
    keep("StorageHost=db1\n");
    EXPECT_FALSE(make(true)) << "MariaDB is ours to start";

    plan.database->local = false;
    EXPECT_TRUE(make(true));
    for (const char* here : {"127.0.0.1", "db9.example.org", "localhost  # here"}) {
        keep(std::string("StorageHost=") + here + '\n');
        EXPECT_FALSE(make(true)) << here;
    }
    // A site's own server on this machine, named by --db-host: that it lets us in is to be known.
    keep("StorageHost=db9\n");
    EXPECT_TRUE(make());
    host.nodes.clear();
    EXPECT_FALSE(make(true)) << "there is no slurmdbd.conf";
    EXPECT_EQ(listener.heard, "");
}

// So that a dry run waits its turn before it looks at the machine.
TEST(MayBeAsked, IsKnownFromWhatIsSaidNowOrWasBefore) {
    const auto may = [](const std::vector<std::string>& before,
                        const std::vector<std::string>& words) {
        Record record;
        record.answers = parse_options(before).value().answers;
        const Options options = parse_options(words).value();
        return may_be_asked(record.answers.overridden_by(options.answers));
    };
    const std::vector<std::string> here{"--full-init"};
    const std::vector<std::string> elsewhere{"--full-init", "--db-host", "db1"};
    EXPECT_FALSE(may(here, {"--full-init", "--dry-run"}));
    EXPECT_TRUE(may(here, {"--full-init", "--dry-run", "--db-host", "db1"}));
    EXPECT_TRUE(may(elsewhere, {"--full-init", "--dry-run"}));
    EXPECT_TRUE(may(elsewhere, {"--start-services", "--dry-run"}));
    EXPECT_FALSE(may(elsewhere, {"--full-init", "--dry-run", "--db-host", "localhost"}));
}

TEST(IsElsewhere, AsSlurmdbdReadsIt) {
    Facts facts;
    facts.host = "Db9";
    facts.addresses = {"10.9.9.5", "2001:db8::5"};
    facts.accounts.addresses = {"10.9.9.6", "127.0.1.1"};
    const auto elsewhere = [&](const std::string& conf) { return is_elsewhere(conf, facts); };
    for (const char* conf :
         {"storagehost = db1\n", "StorageHost=\"db1\"\n", "DbdHost=db9 StorageHost=db1\n",
          "StorageHost=localhost\nSTORAGEHOST=db1 # localhost\n", "StorageHost=db\\\n1\n",
          "StorageHost=10.9.9.50\n", "StorageHost=2001:db8::6\n", "StorageHost=db91\n",
          "StorageHost=128.0.0.1\n"})
        EXPECT_TRUE(elsewhere(conf)) << conf;
    for (const char* conf : {"",
                             "StorageHost=localhost\n",
                             "#StorageHost=db1\n",
                             "StorageHost=localhost  # here\n",
                             "StorageHost=\"localhost\"\n",
                             "StorageHost=LocalHost\n",
                             "StorageHost=127.0.0.1\n",
                             "StorageHost=127.1.2.3\n",
                             "StorageHost=::1\n",
                             "StorageHost=0:0:0:0:0:0:0:1\n",
                             "StorageHost=::ffff:127.0.0.1\n",
                             "StorageHost=localhost.localdomain\n",
                             "StorageHost=ip6-localhost\n",
                             "StorageHost=db9\n",
                             "StorageHost=DB9.example.org\n",
                             "StorageHost=10.9.9.5\n",
                             "StorageHost=10.9.9.6\n",
                             "StorageHost=2001:DB8:0::5\n",
                             "StorageHost=db1\nStorageUser=a StorageHost=localhost\n",
                             "StorageHost=local\\\nhost\n"})
        EXPECT_FALSE(elsewhere(conf)) << conf;
}

}  // namespace
}  // namespace sf::deploy
