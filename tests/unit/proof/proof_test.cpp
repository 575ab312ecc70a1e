// SPDX-License-Identifier: Apache-2.0
// Proving that a bundle runs, without running it: what the sandbox is asked to do, in which places,
// what is compared, kept and said, and that nothing is left. That real daemons do as planned is
// tests/e2e/verify.sh.
#include "proof/proof.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <unistd.h>

#include "base/text.hpp"
#include "proof/kept_logs.hpp"
#include "support/recording_runner.hpp"
#include "unit/install/bundle_maker.hpp"

namespace sf::proof {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class Silent : public base::Reporter {
public:
    void message(base::Level, const std::string& text) override { heard += text + '\n'; }
    std::string heard;
};

TEST(ProofPlan, TheSecondPlaceIsDeeperAndBothAreRandom) {
    const auto places = places_of("/state/work/verify-x", {"aa", "bb"});
    EXPECT_EQ(places[0].target, "/aa");
    EXPECT_EQ(places[0].inside, "/aa");
    EXPECT_EQ(places[0].tree, "/state/work/verify-x/aa");
    EXPECT_EQ(places[1].target, "/bb");
    EXPECT_TRUE(places[1].inside.starts_with("/bb/"));
    EXPECT_THAT(places[1].inside, HasSubstr(" "));
    EXPECT_EQ(places[1].tree.native(), "/state/work/verify-x" + places[1].inside);
    EXPECT_EQ(places[1].bound, "/state/work/verify-x/bb");
}

TEST(ProofPlan, OnlyTheStateIsWritable) {
    const auto places = places_of("/w", {"aa", "bb"});
    const RehearsalPlace here{"/root", "/bin/slurm-setup", "/w/state", "/w/etc", "25.11.2",
                              true,    places[1]};
    const sandbox::SandboxPlan plan = rehearsal_plan(here);
    ASSERT_TRUE(sandbox::check_plan(plan));
    for (const sandbox::Bind& bind : plan.binds)
        EXPECT_EQ(bind.writable, bind.source == "/w/state") << bind.target;
    EXPECT_THAT(plan.argv, Contains("--tree=" + places[1].inside));
    EXPECT_THAT(plan.argv, Contains("--gpu"));
    EXPECT_TRUE(plan.pass.empty());
    EXPECT_LE(plan.limits.time, std::chrono::seconds(600));
}

TEST(ProofPlan, AnAccountHasOneUser) {
    const auto files = account_files({60736, 60737});
    ASSERT_THAT(files, SizeIs(3));
    EXPECT_EQ(files[0].second, "root:x:0:0:root:/:/bin/sh\nrehearsal:x:60736:60737::/:/bin/sh\n");
    EXPECT_EQ(files[1].second, "root:x:0:\nrehearsal:x:60737:\n");
}

TEST(Rehearsed, WhatWasPrintedIsEscaped) {
    const Rehearsed said = read_rehearsal(
        "hwloc: noise\nstep: start\nstarted munged as process 3\nproved: a\x1b[2J\nstep: munge\n"
        "failed: while testing MUNGE: no\nproved:not ours\n");
    EXPECT_EQ(said.step, "munge");
    EXPECT_THAT(said.proved, ElementsAre("a\\x1b[2J"));
    EXPECT_EQ(said.failure, "while testing MUNGE: no");
}

TEST(Rehearsed, TheDaemonThatIsNamedTellsMost) {
    EXPECT_EQ(telling_daemon({"start", {}, "slurmctld ended by itself: exit status 1"}),
              "slurmctld");
    EXPECT_EQ(telling_daemon({"start", {}, "slurmd does not listen after 60 s"}), "slurmd");
    EXPECT_EQ(telling_daemon({"munge", {}, "no"}), "munged");
    EXPECT_EQ(telling_daemon({"srun", {}, "no"}), "slurmd");
    EXPECT_EQ(telling_daemon({"slurmrestd", {}, "the answer is not whole"}), "slurmrestd");
}

TEST(KeptLogs, NothingIsFollowed) {
    const auto room = base::TempDir::create("/tmp", "sft-").value();
    const fs::path state = room.path() / "state";
    ASSERT_TRUE(base::make_dirs(state / "log"));
    ASSERT_TRUE(base::write_file(room.path() / "secret", "secret"));
    ASSERT_TRUE(base::write_file(state / "log/slurmd.log", "said"));
    ASSERT_TRUE(base::write_file(state / "log/other.txt", "no log"));
    ASSERT_TRUE(base::write_file(state / "log/long.log", std::string(90, 'x') + "0123456789"));
    fs::create_symlink(room.path() / "secret", state / "log/planted.log");
    ASSERT_EQ(::mkfifo((state / "log/pipe.log").c_str(), 0644), 0);
    fs::create_directory(state / "log/folder.log");
    const fs::path to = room.path() / "kept";
    const auto kept = keep_logs(state, "log", to, {32, 10});
    ASSERT_TRUE(kept) << kept.error().text();
    EXPECT_EQ(*kept, 2U);
    EXPECT_THAT(base::list_dir(to).value(), ElementsAre("long.log", "slurmd.log"));
    EXPECT_EQ(base::read_file(to / "long.log").value(), "0123456789");

    // The folder itself may have been replaced.
    ASSERT_TRUE(base::remove_tree(state / "log"));
    fs::create_directory_symlink(room.path(), state / "log");
    EXPECT_EQ(keep_logs(state, "log", to).value(), 0U);
}

TEST(KeptLogs, TheLastLines) {
    const auto room = base::TempDir::create("/tmp", "sft-").value();
    ASSERT_TRUE(base::write_file(room.path() / "a.log", "1\n2\n3\x07\n"));
    EXPECT_EQ(last_lines(room.path() / "a.log", 2), "    2\n    3\\x07");
    EXPECT_EQ(last_lines(room.path() / "b.log", 2), "");
}

class Proofs : public install::BundleTest {
protected:
    base::Result<Proof> prove_it() {
        const install::VerifiedBundle verified = install::verify_bundle(make(), x_policy).value();
        const fs::path state = x_folder.path() / "state";
        const ProofRequest request{
            verified, "/", "/bin/true", state / "work", state / "locks", state / "logs", false};
        return prove(request, x_runner, x_silent);
    }
    // As slurm-setup would.
    static void say(int log_fd, const std::string& text) {
        ASSERT_TRUE(base::write_all(log_fd, base::as_bytes(text), "log"));
    }
    [[nodiscard]] std::vector<std::string> left() const {
        return base::list_dir(x_folder.path() / "state/work").value();
    }

    support::RecordingRunner x_runner;
    Silent x_silent;
};

TEST_F(Proofs, TheTreeIsThereInBothPlacesAndGoneAfterwards) {
    std::vector<std::string> seen;
    x_runner.script([&](const sandbox::SandboxPlan& plan, int log_fd) {
        const std::string inside = plan.argv[2].substr(std::string("--tree=").size());
        const sandbox::Bind& tree = plan.binds[0];
        const fs::path host = tree.source.native() + inside.substr(tree.target.size());
        EXPECT_TRUE(base::exists(host / "views/25.11.2/bin/srun")) << host;
        seen.push_back(inside);
        say(log_fd, "step: start\nproved: all run\nstep: end\nproved: every daemon has ended\n");
        return support::ended_with(0);
    });
    const auto proof = prove_it();
    ASSERT_TRUE(proof) << proof.error().text() << proof.error().hint;
    ASSERT_THAT(seen, SizeIs(2));
    EXPECT_NE(seen[0], seen[1].substr(0, seen[0].size()));
    EXPECT_GT(proof->files, 10U);
    ASSERT_THAT(proof->places, SizeIs(2));
    EXPECT_THAT(proof->places[1].proved, ElementsAre("all run", "every daemon has ended"));
    EXPECT_THAT(left(), IsEmpty());
    EXPECT_TRUE(base::exists(x_folder.path() / "state/logs/verify-2/rehearsal.log"));
}

TEST_F(Proofs, AFailureNamesTheStepTheLogAndWhereAllAre) {
    x_runner.script([&](const sandbox::SandboxPlan& plan, int log_fd) {
        const fs::path log = support::host_path(plan, "/rehearsal/log");
        EXPECT_TRUE(base::make_dirs(log));
        EXPECT_TRUE(base::write_file(log / "slurmd.log", "fatal: no spool\x1b\n"));
        // Our own report is not to be had from there.
        EXPECT_TRUE(base::write_file(log / "rehearsal.log", "step: end\nproved: lies\n"));
        say(log_fd, "step: start\nfailed: slurmd ended by itself: exit status 1\n");
        return support::ended_with(1);
    });
    const auto proof = prove_it();
    ASSERT_FALSE(proof);
    EXPECT_THAT(proof.error().text(), HasSubstr("step 'start': slurmd ended by itself"));
    EXPECT_THAT(proof.error().text(), HasSubstr("fatal: no spool\\x1b"));
    EXPECT_THAT(proof.error().text(), HasSubstr("logs/verify-1/slurmd.log"));
    EXPECT_THAT(proof.error().hint, HasSubstr("logs/verify-1"));
    EXPECT_THAT(x_runner.plans(), SizeIs(1));
    EXPECT_THAT(left(), IsEmpty());
}

// A zero exit code alone proves nothing: the sandbox's command may have been something else.
TEST_F(Proofs, SilenceIsNoProof) {
    const auto proof = prove_it();
    ASSERT_FALSE(proof);
    EXPECT_THAT(proof.error().text(), HasSubstr("step 'sandbox'"));
}

TEST_F(Proofs, AFileThatChangedMeanwhileIsFound) {
    int runs = 0;
    x_runner.script([&](const sandbox::SandboxPlan& plan, int log_fd) {
        if (++runs == 1) {
            const fs::path file =
                plan.binds[0].source / "data/slurm_assets/25.11.2/config/slurm.conf";
            EXPECT_TRUE(base::write_file(file, "ClusterName=@CLUSTER@\n"));
        }
        say(log_fd, "step: end\n");
        return support::ended_with(0);
    });
    const auto proof = prove_it();
    ASSERT_FALSE(proof);
    EXPECT_THAT(proof.error().text(), HasSubstr("slurm.conf"));
    EXPECT_THAT(proof.error().text(), HasSubstr("SHA-256"));
    EXPECT_EQ(runs, 1);
}

TEST_F(Proofs, LimitsAndStopsAreTold) {
    x_runner.script([&](const sandbox::SandboxPlan&, int log_fd) {
        say(log_fd, "step: srun\n");
        sandbox::RunResult result;
        result.outcome = sandbox::Outcome::timed_out;
        result.detail = "it was still running after 5 min 00 s";
        return result;
    });
    const auto late = prove_it();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, base::Code::exhausted);
    EXPECT_THAT(late.error().text(), HasSubstr("step 'srun': it was still running"));
    x_runner.script([&](const sandbox::SandboxPlan&, int) {
        sandbox::RunResult result;
        result.outcome = sandbox::Outcome::stopped;
        return result;
    });
    const auto stopped = prove_it();
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, base::Code::interrupted);
}

TEST_F(Proofs, WhatAKilledRunLeftIsRemoved) {
    const fs::path old = x_folder.path() / "state/work/verify-old";
    ASSERT_TRUE(base::make_dirs(old / "x"));
    ASSERT_TRUE(base::make_dirs(x_folder.path() / "state/work/slurm-1-abc"));
    ASSERT_FALSE(prove_it());
    EXPECT_THAT(left(), ElementsAre("slurm-1-abc"));
}

}  // namespace
}  // namespace sf::proof
