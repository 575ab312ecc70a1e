// SPDX-License-Identifier: Apache-2.0
// The budget with real pipes, and once with real makes.
#include "build/job_budget.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/stop.hpp"

namespace sf::build {
namespace {

using namespace std::chrono_literals;

template <class Condition>
bool soon(Condition condition) {
    for (int i = 0; i < 6000; ++i) {  // a minute, on a machine that has other work
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

char take(const JobBudget::Share& share) {
    char byte = 0;
    EXPECT_EQ(::read(share.read_end(), &byte, 1), 1);
    return byte;
}

TEST(JobBudget, AHungryShareGetsWhatIsFreeAndEverythingComesBack) {
    JobBudget budget(4);
    {
        auto share = *budget.join(1);
        for (int i = 0; i < 3; ++i) take(*share);  // blocks until the broker has offered it
        EXPECT_TRUE(soon([&] { return budget.free_jobs() == 0; }));
    }  // as if make had been killed with all its tokens
    EXPECT_TRUE(soon([&] { return budget.free_jobs() == 4; }));
}

TEST(JobBudget, IdleTokensGoToTheOneWhoWaitsToStart) {
    JobBudget budget(2);
    auto first = *budget.join(1);
    EXPECT_TRUE(soon([&] { return budget.free_jobs() == 0; })) << "offered, not read";
    auto second = budget.join(2);
    ASSERT_TRUE(second);
    EXPECT_EQ(budget.free_jobs(), 0U);
}

TEST(JobBudget, AShareThatDoesNotCompileKeepsNothing) {
    JobBudget budget(3);
    auto share = *budget.join(1);
    share->set_hungry(false);
    EXPECT_TRUE(soon([&] { return budget.free_jobs() == 2; }));
    EXPECT_EQ(share->hold_fixed(8), 3U);
    EXPECT_EQ(budget.free_jobs(), 0U);
    share->release_fixed();
    EXPECT_EQ(budget.free_jobs(), 2U);
}

TEST(JobBudget, ForgedTokensHarmNobodyElse) {
    JobBudget budget(2);
    {
        auto share = *budget.join(1);
        const std::string forged(100, '+');
        ASSERT_EQ(::write(share->write_end(), forged.data(), forged.size()), 100);
        std::this_thread::sleep_for(100ms);
        EXPECT_LE(budget.free_jobs(), 1U);
    }
    EXPECT_TRUE(soon([&] { return budget.free_jobs() == 2; }));
}

TEST(JobBudget, WaitersAreServedByPriority) {
    JobBudget budget(1);
    auto holder = *budget.join(9);
    std::vector<int> order;
    std::mutex mutex;
    const auto wait = [&](double priority, int name) {
        auto share = budget.join(priority);
        const std::lock_guard lock(mutex);
        order.push_back(name);
    };
    std::jthread low([&] { wait(1, 1); });
    EXPECT_TRUE(soon([&] { return budget.waiting() == 1; }));
    std::jthread high([&] { wait(5, 5); });
    EXPECT_TRUE(soon([&] { return budget.waiting() == 2; }));
    holder.reset();
    high.join();
    low.join();
    EXPECT_EQ(order, (std::vector<int>{5, 1}));
}

TEST(JobBudget, AStopRequestEndsTheWait) {
    JobBudget budget(1);
    auto holder = *budget.join(1);
    base::request_stop(15);
    const auto result = budget.join(1);
    base::clear_stop();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::Code::interrupted);
}

// Two real makes under one budget of three never run more than three jobs at once, and all finish.
TEST(JobBudget, RealMakesShareTheBudget) {
    const base::TempDir dir =
        *base::TempDir::create(std::filesystem::temp_directory_path(), "sf-make-");
    std::string makefile = "all: ";
    for (int i = 0; i < 8; ++i) makefile += "j" + std::to_string(i) + " ";
    makefile +=
        "\nj%:\n\t@touch $(RUN)/$(NAME)-$@; ls $(RUN) | wc -l; sleep 0.1; rm $(RUN)/$(NAME)-$@\n";
    ASSERT_TRUE(base::write_file(dir.path() / "Makefile", makefile));
    ASSERT_TRUE(base::make_dirs(dir.path() / "run"));
    JobBudget budget(3);
    std::atomic<int> most{0};
    const auto build = [&](const std::string& name) {
        const auto share = *budget.join(1);
        base::Command command;
        command.argv = {"make", "-f", dir.path() / "Makefile", "NAME=" + name,
                        "RUN=" + (dir.path() / "run").string()};
        // Its own environment: a make that runs these tests must not be taken for this one's
        // parent.
        command.environment = {{"PATH", "/usr/bin:/bin"},
                               {"MAKEFLAGS", " -j --jobserver-auth=3,4"}};
        command.pass = {{share->read_end(), 3}, {share->write_end(), 4}};
        const auto done = base::run(command);
        ASSERT_TRUE(done);
        EXPECT_TRUE(done->exit.ok()) << done->err;
        std::istringstream counts(done->out);
        for (int count = 0; counts >> count;)
            for (int now = most; count > now && !most.compare_exchange_weak(now, count);) {
            }
    };
    {
        std::jthread one([&] { build("a"); });
        std::jthread two([&] { build("b"); });
    }
    EXPECT_LE(most, 3);
    EXPECT_GE(most, 2) << "they did not run in parallel at all";
    EXPECT_TRUE(soon([&] { return budget.free_jobs() == 3; }));
}

}  // namespace
}  // namespace sf::build
