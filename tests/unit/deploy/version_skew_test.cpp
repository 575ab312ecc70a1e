// SPDX-License-Identifier: Apache-2.0
// Other hosts' versions. The tools' words are those of 23.11.4, 24.11.5 and 25.11.2, asking each
// other's slurmctld and slurmdbd.
#include "deploy/version_skew.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* connect_failure =
    "slurm_load_ctl_conf error:Unable to contact slurm controller (connect failure)\n";
constexpr const char* no_answer =
    "slurm_load_ctl_conf error:Zero Bytes were transmitted or received\n";
constexpr const char* no_init =
    "sacctmgr: error: slurm_persist_conn_open: Something happened with the receiving/processing of "
    "the persistent connection init message to db:6819: Failed to unpack SLURM_PERSIST_INIT "
    "message\n";

std::string answered_by(const std::string& number) {
    return "scontrol: NET_RAW: slurm_buffers_pack_msg: packed header [0000/0016] 0x2c 00 00 00 07\n"
           "scontrol: NET_RAW: slurm_unpack_received_msg: [head:6817] header version=" +
           number +
           " flags=0x40 msg_type=RESPONSE_SLURM_RC(0x1f41) body_length=4b ret_cnt=0\n"
           "slurm_load_ctl_conf error:Protocol authentication error\n";
}

class VersionSkewTest : public ::testing::Test {
protected:
    VersionSkewTest() {
        question.tools = "/t/views/25.11.2/bin";
        question.version = "25.11.2";
        host.answer = [this](const base::Command& command, std::string_view) {
            EXPECT_EQ(command.environment.at("SLURM_DEBUG_FLAGS"), "NetRaw");
            EXPECT_LE(command.deadline.value(), std::chrono::seconds(20));
            conf.clear();
            if (const auto path = command.environment.find("SLURM_CONF");
                path != command.environment.end()) {
                conf = host.text(path->second);
                EXPECT_EQ(host.nodes[path->second].info.mode, 0600U);
            }
            base::Finished done;
            done.out = out;
            done.err = err;
            done.exit.code = out.empty() ? 1 : 0;
            return done;
        };
    }
    base::Status ask() {
        const base::Status fits = goes_with_others(question, host);
        EXPECT_THAT(left_in_run(), IsEmpty());
        return fits;
    }
    base::Status ask_those_that_follow() {
        const base::Status all = others_follow(followers, host);
        EXPECT_THAT(left_in_run(), IsEmpty());
        return all;
    }
    std::vector<std::string> left_in_run() const {
        std::vector<std::string> left;
        for (const auto& [path, node] : host.nodes)
            if (path.starts_with("/run/")) left.push_back(path);
        return left;
    }
    // What is said, with the next step.
    static std::string text_of(const base::Status& status) {
        return status ? "" : status.error().text() + " | " + status.error().hint;
    }

    test::RecordingHost host;
    VersionQuestion question;
    FollowersQuestion followers{{"/t/current/bin"}, "25.11.2"};
    std::string out;
    std::string err;
    std::string conf;  // what the tool has read
};

TEST_F(VersionSkewTest, AHostLaterThanItsControllerIsRefused) {
    question.controller = "head";
    err = answered_by("0x2a00");
    const base::Status later = ask();
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, base::Code::refused);
    EXPECT_THAT(later.error().text(), HasSubstr("slurmctld on head is of Slurm 24.11, and 25.11.2, "
                                                "which is to be set up here, is of a later"));
    EXPECT_THAT(later.error().hint, HasSubstr("in this order: slurmdbd, slurmctld, all other"));
    EXPECT_THAT(later.error().hint, HasSubstr("the bundle of Slurm 24.11 for this host"));
    EXPECT_THAT(host.calls, ElementsAre("/t/views/25.11.2/bin/scontrol -v show config"));
    err = answered_by("0x2b00");
    EXPECT_THAT(text_of(ask()), HasSubstr("is of Slurm 25.05, and 25.11.2"));
    // The same, by what a release says of itself: nothing but a later one may answer so.
    out = "Configuration data as of 2026-11-27T05:42:26\nSLURM_VERSION           = 25.05.8\n";
    EXPECT_THAT(text_of(ask()), HasSubstr("is of Slurm 25.05.8, and 25.11.2"));
}

TEST_F(VersionSkewTest, OfTheSameSeriesOrEarlierItGoesWithIt) {
    question.controller = "head";
    // Answered, without MUNGE, in the number of the question.
    err = answered_by("0x2c00");
    EXPECT_TRUE(ask());
    out = "SLURMD_VERSION = 1\nSLURM_VERSION           = 25.11.7\n";
    EXPECT_TRUE(ask());
    out = "SLURM_VERSION           = 26.05.3\n";
    EXPECT_TRUE(ask());
}

TEST_F(VersionSkewTest, AHostFarTooEarlyIsRefused) {
    question.controller = "head";
    question.version = "24.11.5";
    err =
        "scontrol: error: unpack_header: protocol_version 11776 not supported\n"
        "slurm_load_ctl_conf error: Incompatible versions of client and server code\n";
    const base::Status early = ask();
    ASSERT_FALSE(early);
    EXPECT_THAT(early.error().text(),
                HasSubstr("slurmctld on head is of Slurm 26.11, and 24.11.5"));
    EXPECT_THAT(early.error().text(), HasSubstr("too early a series"));
    EXPECT_THAT(early.error().hint, HasSubstr("a bundle of a later series"));
}

TEST_F(VersionSkewTest, AnEarlierControllerThatOnlyClosesTheConnectionIsNamed) {
    question.controller = "head:7817";
    err = no_answer;
    const base::Status closed = ask();
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error().code, base::Code::refused);
    EXPECT_THAT(closed.error().text(), HasSubstr("slurmctld on head:7817 takes the connection and "
                                                 "closes it without an answer: before 24.11"));
    EXPECT_THAT(closed.error().text(), HasSubstr("25.11.2"));
    EXPECT_THAT(closed.error().hint,
                HasSubstr("'Incompatible versions of client and server code'"));
}

// It may be down, or not reached: that is told by who needs it.
TEST_F(VersionSkewTest, WhoDoesNotAnswerSpeaksAgainstNothing) {
    question.controller = "head";
    question.dbd = "db";
    for (const char* said :
         {"", connect_failure, "slurm_load_ctl_conf error:Protocol authentication error\n",
          "scontrol: error: get_addr_info: getaddrinfo() failed: Name or service not known\n",
          "sacctmgr: error: Sending PersistInit msg: Connection refused\n"}) {
        err = said;
        EXPECT_TRUE(ask()) << said;
    }
    // Numbers that no Slurm has.
    for (const char* number : {"0x", "0xzz", "0x0", "0x2700", "0xffff"}) {
        err = answered_by(number);
        EXPECT_TRUE(ask()) << number;
    }
    err = answered_by("0x2c00");
    for (const char* version : {"", "new", "\x1b[2J25.11", "2.5.7"}) {
        out = "SLURM_VERSION = " + std::string(version) + "\n";
        EXPECT_TRUE(ask()) << version;
    }
}

TEST_F(VersionSkewTest, WhatItSaysOfItselfCannotDriveATerminal) {
    question.controller = "head";
    out = "SLURM_VERSION = 24.11.\x1b[2J\n";
    const std::string said = text_of(ask());
    EXPECT_THAT(said, HasSubstr("24.11."));
    EXPECT_THAT(said, Not(HasSubstr("\x1b")));
}

TEST_F(VersionSkewTest, AControllerLaterThanItsSlurmdbdIsRefused) {
    question.dbd = "db";
    err = std::string(no_init) +
          "sacctmgr: error: Sending PersistInit msg: Incompatible versions of client and server "
          "code\n";
    const base::Status later = ask();
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, base::Code::refused);
    EXPECT_THAT(later.error().text(), HasSubstr("slurmdbd on db does not talk with Slurm 25.11.2"));
    EXPECT_THAT(later.error().hint, HasSubstr("in this order: slurmdbd, slurmctld"));
    EXPECT_THAT(host.calls, ElementsAre("/t/views/25.11.2/bin/sacctmgr -n -P show cluster "
                                        "format=Cluster"));
    EXPECT_THAT(conf, HasSubstr("\nAccountingStorageHost=db\nAccountingStoragePort=6819\n"));
    // Of its own series, whom nobody has told who asks.
    err = std::string(no_init) +
          "sacctmgr: error: Sending PersistInit msg: Header lengths are longer than data "
          "received\n";
    EXPECT_TRUE(ask());
}

TEST_F(VersionSkewTest, AsksAsSomebodyOnlyWhereMungedRuns) {
    question.controller = "head:7817";
    EXPECT_TRUE(ask());
    EXPECT_THAT(conf, HasSubstr("\nSlurmctldHost=head\nSlurmctldPort=7817\n"));
    EXPECT_THAT(conf, HasSubstr("\nAuthType=auth/none\n"));
    question.munge = true;
    question.controller = "10.9.9.1";
    EXPECT_TRUE(ask());
    EXPECT_THAT(conf, HasSubstr("\nSlurmctldHost=10.9.9.1\nSlurmctldPort=6817\n"));
    EXPECT_THAT(conf, HasSubstr("\nAuthType=auth/munge\n"));
    // A name becomes no line of its own.
    question.controller = "head\nPluginDir=/evil";
    EXPECT_FALSE(ask());
}

TEST_F(VersionSkewTest, NodesThatWouldBeLeftBehindAreNamed) {
    followers.nodes = true;
    out = "n1 24.11.5\nn2 24.05.8\nn2 24.05.8\nn3 25.05.1\nn4 N/A\n";
    EXPECT_TRUE(ask_those_that_follow());
    EXPECT_THAT(host.calls, ElementsAre("/t/current/bin/sinfo -h -r -N -o '%N %v'"));
    EXPECT_EQ(conf, "") << "this host's own";
    out += "n8 23.11.4\nn9 23.11.4\nn9 23.11.4\n";
    const base::Status behind = ask_those_that_follow();
    ASSERT_FALSE(behind);
    EXPECT_EQ(behind.error().code, base::Code::refused);
    EXPECT_THAT(behind.error().text(), HasSubstr("slurmctld of Slurm 25.11.2"));
    EXPECT_THAT(behind.error().text(), HasSubstr("nodes: n8 (23.11.4), n9 (23.11.4)"));
    EXPECT_THAT(behind.error().text(), Not(HasSubstr("n2")));
    EXPECT_THAT(behind.error().hint, HasSubstr("upgrade these nodes first"));
    for (int i = 10; i < 20; ++i) out += fmt::format("n{} 23.11.4\n", i);
    EXPECT_THAT(ask_those_that_follow().error().text(), HasSubstr("(23.11.4) and 7 more"));
    // slurmctld does not answer.
    out.clear();
    EXPECT_TRUE(ask_those_that_follow());
}

TEST_F(VersionSkewTest, ClustersThatWouldBeLeftBehindAreNamed) {
    followers.dbd_port = 7031;
    out = "alpha|6817|10752\nbeta|6817|10496\nold|0|10240\nolder||10240\n";
    EXPECT_TRUE(ask_those_that_follow());
    EXPECT_THAT(conf, HasSubstr("\nAuthType=auth/munge\n"));
    EXPECT_THAT(conf, HasSubstr("\nAccountingStorageHost=localhost\nAccountingStoragePort=7031\n"));
    out += "gamma|6817|10240\n";
    const base::Status behind = ask_those_that_follow();
    ASSERT_FALSE(behind);
    EXPECT_THAT(behind.error().text(), HasSubstr("slurmdbd of Slurm 25.11.2"));
    EXPECT_THAT(behind.error().text(), HasSubstr("clusters: gamma (23.11)"));
    EXPECT_THAT(behind.error().hint, HasSubstr("upgrade their slurmctld first"));
    followers.dbd_port = 0;
    host.calls.clear();
    EXPECT_TRUE(ask_those_that_follow());
    EXPECT_THAT(host.calls, IsEmpty());
}

// The tree was moved, or is gone, while its daemons run.
TEST_F(VersionSkewTest, TheToolsAreLookedForWhereTheyMayBe) {
    followers.tools.emplace_back("/new/views/24.11.5/bin");
    followers.nodes = true;
    followers.dbd_port = 7031;
    const auto answers = host.answer;
    std::string there = "/new/";
    host.answer = [&](const base::Command& command,
                      std::string_view input) -> base::Result<base::Finished> {
        if (!command.argv[0].starts_with(there))
            return base::fail(base::Code::absent, "program {} is not on this machine",
                              command.argv[0]);
        return answers(command, input);
    };
    out = "n8 23.11.4\n";
    EXPECT_THAT(text_of(ask_those_that_follow()), HasSubstr("n8 (23.11.4)"));
    out = "gamma|6817|10240\n";
    EXPECT_THAT(text_of(ask_those_that_follow()), HasSubstr("gamma (23.11)"));
    there = "nowhere";
    const base::Status nobody = ask_those_that_follow();
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, base::Code::absent);
    // Where the likelier ones are, the others are not asked.
    there = "/t/";
    host.calls.clear();
    EXPECT_FALSE(ask_those_that_follow());
    EXPECT_THAT(host.calls, testing::Each(HasSubstr("/t/current/bin/")));
}

TEST_F(VersionSkewTest, WhatCannotBeAskedIsAnError) {
    question.controller = "head";
    host.seed = 6;
    ASSERT_TRUE(ask());
    ASSERT_THAT(host.done, Contains(HasSubstr("new /run/slurm-setup-")));
    // The private file cannot be written.
    const std::string made = host.done.front();
    const std::size_t begin = made.find('/');
    const std::string path = made.substr(begin, made.find(' ', begin) - begin);
    host.seed = 6;
    host.fail_at = path;
    EXPECT_THAT(text_of(ask()), HasSubstr("no space left"));
}

// Which hosts have whom asked, by what they were told.
TEST(VersionQuestion, OnlyOfDaemonsElsewhere) {
    Facts facts;
    const auto asked = [&](const std::vector<std::string>& words) {
        std::vector<std::string> all{"--full-init"};
        all.insert(all.end(), words.begin(), words.end());
        const Answers answers = parse_options(all).value().answers;
        const VersionQuestion question = version_question(answers, facts);
        const std::string whom = question.controller + "," + question.dbd;
        EXPECT_EQ(others_may_be_asked(answers), whom != ",");
        return whom;
    };
    EXPECT_EQ(asked({}), ",");
    EXPECT_EQ(asked({"--role", "all", "--dbd-host", "db"}), ",");
    EXPECT_EQ(asked({"--role", "controller"}), ",");
    EXPECT_EQ(asked({"--role", "controller", "--dbd-host", "db"}), ",db");
    EXPECT_EQ(asked({"--role", "controller", "--dbd-host", "db", "--without-accounting"}), ",");
    EXPECT_EQ(asked({"--role", "controller,dbd"}), ",");
    EXPECT_EQ(asked({"--role", "dbd", "--controller", "head"}), ",");
    for (const char* role : {"compute", "login", "rest", "login,rest", "dbd,compute"})
        EXPECT_EQ(asked({"--role", role, "--controller", "head:7817"}), "head:7817,") << role;

    EXPECT_FALSE(version_question({}, facts).munge);
    facts.listeners.sockets.insert("/run/munge/munge.socket.2");
    EXPECT_TRUE(version_question({}, facts).munge);
}

}  // namespace
}  // namespace sf::deploy
