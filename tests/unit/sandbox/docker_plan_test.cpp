// SPDX-License-Identifier: Apache-2.0
// What a plan means to Docker. That Docker means the same by it is tested with a real daemon, end
// to end.
#include "sandbox/docker_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sandbox/docker_runner.hpp"

namespace sf::sandbox {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

SandboxPlan example() {
    SandboxPlan plan;
    plan.root = "/state/root";
    plan.binds = {{"/state/work", "/build", true}, {"/data/a,b \"c\"", "/sf", false}};
    plan.environment = {{"PATH", "/sf/bin"}, {"CFLAGS", "-O2 -g"}};
    plan.directory = "/build/src";
    plan.argv = {"/bin/sh", "-c", "make"};
    plan.limits.memory_bytes = 1 << 20;
    return plan;
}

std::vector<std::string> words() {
    return docker_create_words(example(), {"sf-1", "image:tag", {60736, 60736}});
}

std::vector<std::string> behind(const std::string& option) {
    const auto all = words();
    std::vector<std::string> found;
    for (auto it = all.begin(); it != all.end(); ++it)
        if (*it == option) found.push_back(*std::next(it));
    return found;
}

TEST(DockerPlan, IsolatesAsBubblewrapDoes) {
    EXPECT_THAT(behind("--network"), ElementsAre("none"));
    EXPECT_THAT(behind("--cap-drop"), ElementsAre("ALL"));
    EXPECT_THAT(behind("--security-opt"), ElementsAre("no-new-privileges"));
    EXPECT_THAT(behind("--user"), ElementsAre("60736:60736"));
    EXPECT_THAT(behind("--hostname"), ElementsAre("builder"));
    EXPECT_THAT(behind("--pull"), ElementsAre("never"));
    EXPECT_THAT(words(), Contains("--read-only"));
    EXPECT_THAT(words(), Not(Contains("--privileged")));
}

TEST(DockerPlan, BindsAreReadOnlyUnlessSaidAndAnyPathIsOneField) {
    EXPECT_THAT(behind("--mount"),
                ElementsAre("type=bind,source=/state/work,target=/build",
                            "type=bind,\"source=/data/a,b \"\"c\"\"\",target=/sf,readonly"));
}

TEST(DockerPlan, TheEnvironmentIsThePlansAlone) {
    const auto all = words();
    const auto image = std::find(all.begin(), all.end(), "image:tag");
    ASSERT_NE(image, all.end());
    EXPECT_EQ(*(image - 1), "/usr/bin/env");
    const std::vector<std::string> command(image + 1, all.end());
    ASSERT_EQ(command.size(), 3U + 5U + 3U);
    EXPECT_THAT((std::vector<std::string>(command.begin(), command.begin() + 3)),
                ElementsAre("-i", "CFLAGS=-O2 -g", "PATH=/sf/bin"));
    EXPECT_THAT((std::vector<std::string>(command.end() - 4, command.end())),
                ElementsAre("1024", "/bin/sh", "-c", "make"));
    EXPECT_THAT(all, Not(Contains("--env")));
}

TEST(DockerPlan, OnlyTheVisiblePartsOfARootAreTaken) {
    RootLayout layout;
    layout.links = {{"bin", "usr/bin"}};
    layout.folders = {"lib"};
    layout.dpkg_database = true;
    EXPECT_THAT(visible_parts(layout), ElementsAre("bin", "etc", "lib", "usr", "var/lib/dpkg"));
}

TEST(DockerRunner, RefusesWhatDockerCannotDo) {
    DockerRunner runner;
    EXPECT_FALSE(runner.passes_descriptors());
    class Nobody : public Lease {
        std::optional<base::Identity> identity() const override { return {{60736, 60736}}; }
    } lease;
    SandboxPlan plan = example();
    plan.pass = {{0, 3}};
    const auto result = runner.run(lease, plan, -1);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::Code::refused);
    class Root : public Lease {
        std::optional<base::Identity> identity() const override { return {{0, 0}}; }
    } root;
    ASSERT_FALSE(runner.run(root, example(), -1));
}

}  // namespace
}  // namespace sf::sandbox
