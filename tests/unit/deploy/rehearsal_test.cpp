// SPDX-License-Identifier: Apache-2.0
// The cluster that shows that a tree runs, as it is planned: everything below one folder, nobody
// but this user. That it runs is tests/e2e/verify.sh.
#include "deploy/rehearsal.hpp"

#include <gmock/gmock.h>

#include "deploy/local_http.hpp"
#include "deploy/rehearsal_plan.hpp"
#include "deploy/smoke.hpp"
#include "support/recording_host.hpp"

namespace sf::deploy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

RehearsalRequest example() {
    return {
        "/aa/tree with blanks", "25.11.2", "/rehearsal/state", "node1", "rehearsal", true, false};
}

std::string content(const RehearsalPlan& plan, const std::string& name) {
    for (const PlannedFile& file : plan.files)
        if (file.path.ends_with('/' + name)) return file.content;
    return "<absent>";
}

TEST(RehearsalPlan, NothingIsOutsideItsFolder) {
    const auto plan = plan_rehearsal(example());
    ASSERT_TRUE(plan) << plan.error().text();
    for (const PlannedFolder& folder : plan->folders)
        EXPECT_TRUE(folder.path.starts_with("/rehearsal/state/")) << folder.path;
    for (const PlannedFile& file : plan->files)
        EXPECT_TRUE(file.path.starts_with("/rehearsal/state/")) << file.path;
    for (const Service& service : plan->services) {
        EXPECT_TRUE(service.argv[0].starts_with("/aa/tree with blanks/views/25.11.2/sbin/"));
        EXPECT_TRUE(service.log.starts_with("/rehearsal/state/log/"));
        EXPECT_EQ(service.owner.user, "rehearsal");
    }
    for (const char* name : {"slurm.conf", "slurmrestd.conf"}) {
        const std::string text = content(*plan, name);
        for (const char* machine : {"=/etc", "=/var", "=/run"})
            EXPECT_THAT(text, Not(HasSubstr(machine))) << name;
        // Slurm finds itself: no path of the tree is told it.
        EXPECT_THAT(text, Not(HasSubstr("/aa/"))) << name;
    }
    EXPECT_EQ(plan->munge_key.mode, 0400U);
    EXPECT_EQ(plan->munge_key.size, 1024U);
}

TEST(RehearsalPlan, DaemonsStartInTheirOrder) {
    auto request = example();
    const auto plan = plan_rehearsal(request).value();
    std::vector<std::string> names;
    for (const Service& service : plan.services) names.push_back(service.name);
    EXPECT_EQ(names, (std::vector<std::string>{"munged", "slurmctld", "slurmd", "slurmrestd"}));
    EXPECT_EQ(plan.services[0].ready_socket, plan.munge_socket);
    EXPECT_EQ(plan.services[1].ready_port, 6817);
    // slurmrestd refuses SlurmUser's uid.
    EXPECT_THAT(content(plan, "slurm.conf"), HasSubstr("SlurmUser=rehearsal\n"));
    EXPECT_THAT(content(plan, "slurmrestd.conf"), HasSubstr("SlurmUser=root\n"));
    EXPECT_THAT(plan.services[3].environment.at("SLURM_CONF"), HasSubstr("slurmrestd.conf"));
    EXPECT_EQ(content(plan, "cgroup.conf"), "CgroupPlugin=disabled\n");
    EXPECT_FALSE(plan.services[3].environment.contains("SLURMRESTD_OPENAPI_PLUGINS"));
    request.version = "23.11.11";
    EXPECT_EQ(plan_rehearsal(request)->services[3].environment.at("SLURMRESTD_OPENAPI_PLUGINS"),
              "openapi/slurmctld");
    EXPECT_EQ(content(*plan_rehearsal(request), "cgroup.conf"), "CgroupPlugin=cgroup/v1\n");
    request.rest = false;
    EXPECT_THAT(plan_rehearsal(request)->services, SizeIs(3));
    EXPECT_EQ(content(*plan_rehearsal(request), "slurmrestd.conf"), "<absent>");
}

TEST(RehearsalPlan, DevicesAreLookedForOnRequest) {
    auto request = example();
    EXPECT_EQ(content(*plan_rehearsal(request), "gres.conf"), "<absent>");
    request.gpu = true;
    const auto plan = plan_rehearsal(request).value();
    EXPECT_EQ(content(plan, "gres.conf"), "AutoDetect=nvml\n");
    EXPECT_THAT(content(plan, "slurm.conf"), HasSubstr("GresTypes=gpu\n"));
    EXPECT_TRUE(
        tells_of_missing_nvml("[x] We were configured with nvml functionality, but that lib wasn't "
                              "found on the system."));
    EXPECT_FALSE(tells_of_missing_nvml(
        "[x] We were configured to autodetect nvml functionality, but we weren't able to find "
        "that lib when Slurm was configured."));
}

TEST(RehearsalPlan, NamesThatAreNoneAreRefused) {
    auto request = example();
    request.host = "node1\nSlurmUser=root";
    EXPECT_FALSE(plan_rehearsal(request));
    request = example();
    request.folder = "/a b";
    EXPECT_FALSE(plan_rehearsal(request));
    request = example();
    request.version = "../x";
    EXPECT_FALSE(plan_rehearsal(request));
}

TEST(Rehearsal, ItsWords) {
    const auto options =
        parse_rehearsal({"--tree=/a b", "--version=25.11.2", "--folder=/s", "--gpu"});
    ASSERT_TRUE(options);
    EXPECT_EQ(options->tree, "/a b");
    EXPECT_TRUE(options->gpu);
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{}, {"--tree=/a", "--version=1"}, {"--tree", "/a"}}) {
        const auto wrong = parse_rehearsal(words);
        ASSERT_FALSE(wrong);
        EXPECT_EQ(wrong.error().code, base::Code::usage);
    }
}

TEST(Rehearsal, NeverAsRoot) {
    test::RecordingHost host;
    test::Listener listener;
    const auto status = rehearse({"/aa", "25.11.2", "/s", false}, host, listener);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::refused);
    EXPECT_TRUE(host.done.empty());
    EXPECT_TRUE(host.calls.empty());
}

// The same questions as after an installation, to another tree and as another user.
TEST(Smoke, AsksTheTreeItIsGiven) {
    test::RecordingHost host;
    test::Listener listener;
    std::string folder;
    host.answer = [&](const base::Command& command, std::string_view) {
        base::Finished done;
        const std::string program = command.argv[0].substr(command.argv[0].rfind('/') + 1);
        EXPECT_TRUE(command.argv[0].starts_with("/t/views/1/bin/"));
        EXPECT_EQ(command.environment.at("SLURM_CONF"), "/s/etc/slurm.conf");
        EXPECT_FALSE(command.identity);
        if (program == "unmunge") done.out = "STATUS: Success (0)";
        if (program == "scontrol") done.out = "Slurmctld(primary) at node1 is UP";
        if (program == "sinfo") done.out = "idle";
        if (program == "srun") done.out = "node1\n";
        if (program == "sbatch") {
            for (const std::string& word : command.argv)
                if (word.starts_with("--output=")) folder = word.substr(9, word.rfind('/') - 9);
            for (const char* task : {"1", "2", "3"})
                host.put(folder + '/' + task + ".out", std::string(task) + " node1\n");
            done.out = "7";
        }
        return done;
    };
    SmokeSubject subject;
    subject.view = "/t/views/1";
    subject.node = "node1";
    subject.controller = true;
    subject.compute = true;
    subject.user = {1000, 1000};
    subject.user_name = "rehearsal";
    subject.become_user = false;
    subject.munge_socket = "/s/run/munge.socket";
    subject.scratch = "/s/out";
    subject.environment = {{"SLURM_CONF", "/s/etc/slurm.conf"}};
    std::vector<std::string> steps;
    subject.begins = [&](std::string_view name) { steps.emplace_back(name); };
    const auto proved = smoke_test(subject, host, listener);
    ASSERT_TRUE(proved) << proved.error().text();
    EXPECT_EQ(steps, (std::vector<std::string>{"munge", "slurmctld", "node", "srun", "sbatch"}));
    EXPECT_THAT(host.calls, Contains("/t/views/1/bin/munge -n --socket=/s/run/munge.socket"));
    EXPECT_THAT(folder, HasSubstr("/s/out/slurm-setup-"));
    EXPECT_EQ(host.text(folder), "<absent>");  // and it is removed
    EXPECT_THAT(*proved, Contains(HasSubstr("as rehearsal: job 7, 3 tasks")));
}

TEST(LocalHttp, OnlyAWholeGoodAnswerCounts) {
    EXPECT_EQ(body_of_answer("HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabcdef").value(), "abc");
    for (const char* wrong :
         {"", "HTTP/1.1 200 OK", "HTTP/1.1 401 UNAUTHORIZED\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 200 OK\r\n\r\nabc", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc"})
        EXPECT_FALSE(body_of_answer(wrong)) << wrong;
    EXPECT_FALSE(local_http_get("/nowhere/socket", "/"));
    EXPECT_FALSE(local_http_get(std::string(200, 'x'), "/"));
}

}  // namespace
}  // namespace sf::deploy
