// SPDX-License-Identifier: Apache-2.0
// Real processes: what a child inherits, how it ends, who outlives it.
#include "base/process.hpp"

#include <gmock/gmock.h>

#include <fcntl.h>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"

namespace sf::base {
namespace {

using namespace std::chrono_literals;

Command shell(const std::string& script) {
    Command command;
    command.argv = {"/bin/sh", "-c", script};
    return command;
}

TEST(Process, CapturesBothStreamsAndTheStatus) {
    const Finished done = *run(shell("echo out; echo err >&2; exit 3"));
    EXPECT_EQ(done.out, "out\n");
    EXPECT_EQ(done.err, "err\n");
    EXPECT_EQ(done.exit.code, 3);
    EXPECT_EQ(done.exit.text(), "exit status 3");
}

TEST(Process, FeedsInputLargerThanAPipe) {
    const std::string input(1 << 20, 'x');
    Command command;
    command.argv = {"wc", "-c"};
    EXPECT_EQ(run(command, input)->out, "1048576\n");
}

TEST(Process, StdinIsEmptyIfNobodySaysOtherwise) {
    EXPECT_EQ(run(shell("cat; echo end"))->out, "end\n");
}

TEST(Process, AMissingProgramIsAbsent) {
    Command command;
    command.argv = {"no-such-program-here"};
    EXPECT_EQ(run(command).error().code, Code::absent);
}

TEST(Process, AFolderThatCannotBeEnteredIsSaid) {
    Command command = shell("true");
    command.directory = "/no/such/folder";
    const auto result = run(command);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().text().find("working directory"), std::string::npos);
}

TEST(Process, TheEnvironmentIsOnlyWhatIsGiven) {
    ::setenv("SF_CANARY", "leaked", 1);
    Command command;
    command.argv = {"/usr/bin/env"};
    command.environment = {{"ONLY", "this"}};
    EXPECT_EQ(run(command)->out, "ONLY=this\n");
}

TEST(Process, OnlyNamedDescriptorsArePassed) {
    const Fd canary(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC, on purpose
    const Fd high(::fcntl(canary.get(), F_DUPFD, 200));
    Command command = shell("ls -1 /proc/self/fd | tr '\\n' ' '");
    EXPECT_EQ(run(command)->out, "0 1 2 3 ") << "3 is the folder that ls reads";
    command.pass = {{canary.get(), 7}};
    EXPECT_EQ(run(command)->out, "0 1 2 3 7 ");
}

TEST(Process, DescriptorsMaySwapNumbers) {
    int a[2], b[2];
    ASSERT_EQ(::pipe2(a, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(b, O_CLOEXEC), 0);
    const Fd ar(a[0]), aw(a[1]), br(b[0]), bw(b[1]);
    Command command = shell("echo A >&5; echo B >&6");
    command.pass = {{aw.get(), 5}, {bw.get(), 6}};
    ASSERT_TRUE(run(command)->exit.ok());
    char text[3] = {};
    ASSERT_EQ(::read(ar.get(), text, 2), 2);
    EXPECT_STREQ(text, "A\n");
    ASSERT_EQ(::read(br.get(), text, 2), 2);
    EXPECT_STREQ(text, "B\n");
}

TEST(Process, ADeadlineEndsTheWholeGroup) {
    Command command = shell("sleep 600 & echo $!; wait");
    Finished done;
    // On a machine that has other work the shell may come too late to say anything.
    for (auto deadline = 300ms; done.out.empty() && deadline < 60s; deadline *= 2) {
        command.deadline = deadline;
        const auto start = std::chrono::steady_clock::now();
        done = *run(command);
        EXPECT_TRUE(done.timed_out);
        EXPECT_EQ(done.exit.signal, SIGKILL);
        EXPECT_LT(std::chrono::steady_clock::now() - start, deadline + 10s);
    }
    ASSERT_NE(done.out, "");
    const pid_t grandchild = std::stoi(done.out);
    for (int i = 0; i < 100 && ::kill(grandchild, 0) == 0; ++i) std::this_thread::sleep_for(20ms);
    // A zombie whose parent died is reaped by init; where init does not, it is a zombie still.
    const auto stat = read_file("/proc/" + std::to_string(grandchild) + "/stat");
    EXPECT_TRUE(!stat || stat->find(") Z ") != std::string::npos);
}

TEST(Process, AStopRequestEndsARun) {
    clear_stop();
    std::jthread stopper([] {
        std::this_thread::sleep_for(200ms);
        request_stop(SIGTERM);
    });
    const auto result = run(shell("sleep 60"));
    clear_stop();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::interrupted);
}

TEST(Process, ADestroyedChildIsKilledAndReaped) {
    pid_t pid = 0;
    {
        const Child child = *Child::spawn(shell("sleep 60"));
        pid = child.pid();
    }
    EXPECT_NE(::kill(pid, 0), 0);
}

// Around the fork of the test below: the child is slow to go on, and its parent cannot read what
// it reports.
bool slow_child = false;
int report_end = -1;
void be_slow() {
    if (slow_child) std::this_thread::sleep_for(std::chrono::seconds(3));
}
void lose_report() {
    if (!slow_child) return;
    const Fd unreadable(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ::dup3(unreadable.get(), report_end, O_CLOEXEC);
}

TEST(Process, AChildThatHasOnlyJustBeenForkedIsEnded) {
    auto dir = TempDir::create("/tmp", "sf-test-");
    ASSERT_TRUE(dir);
    ASSERT_EQ(::pthread_atfork(nullptr, lose_report, be_slow), 0);
    // The lowest number that is free is the next one's.
    report_end = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
    slow_child = true;
    Command command;
    command.argv = {"touch", (dir->path() / "went on").native()};
    const auto child = Child::spawn(command);
    slow_child = false;
    ASSERT_FALSE(child);
    EXPECT_THAT(child.error().text(), ::testing::HasSubstr("learn whether touch started"));
    EXPECT_FALSE(base::exists(dir->path() / "went on")) << "it was waited for";
}

TEST(Process, LimitsHold) {
    Command command = shell("ulimit -c; ulimit -n");
    command.limits.open_files = 50;
    EXPECT_EQ(run(command)->out, "0\n50\n");
    Command writer = shell("head -c 100000 /dev/zero > \"$1\"");
    const TempDir dir = *TempDir::create(fs::temp_directory_path(), "sf-limit-");
    writer.argv = {"/bin/sh", "-c", "head -c 100000 /dev/zero > \"$0\"", dir.path() / "f"};
    writer.limits.file_bytes = 1024;
    EXPECT_FALSE(run(writer)->exit.ok());
    EXPECT_LE(fs::file_size(dir.path() / "f"), 1024U);
}

TEST(Process, RootBecomesAnotherUserForGood) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: becoming another user needs root";
    Command command = shell("id -u; id -g; id -G; exec 2>&1; cat /proc/self/status | grep CapEff");
    command.identity = Identity{61000, 61000};
    EXPECT_EQ(run(command)->out, "61000\n61000\n61000\nCapEff:\t0000000000000000\n");
}

TEST(Process, RootReachesClosedFoldersThroughPrivateMounts) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: private mounts need root";
    const TempDir closed = *TempDir::create(fs::temp_directory_path(), "sf-closed-");  // 0700
    ASSERT_TRUE(make_dirs(closed.path() / "open"));
    ASSERT_TRUE(write_file(closed.path() / "open" / "f", "seen"));
    Command command = shell("cat /mnt/it/f; cat " + (closed.path() / "open" / "f").string());
    command.identity = Identity{61000, 61000};
    command.mounts = PrivateMounts{"/mnt", {{closed.path() / "open", "it"}}};
    const Finished done = *run(command);
    EXPECT_EQ(done.out, "seen");
    EXPECT_FALSE(done.exit.ok()) << "the path itself stays closed";
    EXPECT_FALSE(base::exists("/mnt/it")) << "nobody outside sees the mount";
}

TEST(FindProgram, LooksInPathOnly) {
    EXPECT_TRUE(find_program("sh"));
    EXPECT_FALSE(find_program("no-such-program-here"));
    EXPECT_FALSE(find_program("/no/such/program"));
}

}  // namespace
}  // namespace sf::base
