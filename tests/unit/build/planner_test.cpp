// SPDX-License-Identifier: Apache-2.0
// Identities: what changes them, what does not, and how a difference is explained.
#include "build/planner.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "build/target.hpp"
#include "unit/build/example.hpp"

namespace sf::build {
namespace {

using testing_example::Example;

std::string identity(const Plan& plan, const char* name) {
    return plan.dag.at(*plan.dag.find(name)).identity.hex();
}

TEST(Planner, TheSameInputGivesTheSameIdentity) {
    const Example example;
    EXPECT_EQ(identity(example.plan(), "munge"), identity(example.plan(), "munge"));
    EXPECT_NE(identity(example.plan(), "munge"), identity(example.plan(), "zlib"));
}

TEST(Planner, WhateverChangesTheResultChangesTheIdentityAndThatOfDependants) {
    const Example before;
    const auto changes_both = [&](const auto& change) {
        Example after;
        change(after);
        const Plan plan = after.plan();
        return identity(plan, "zlib") != identity(before.plan(), "zlib") &&
               identity(plan, "munge") != identity(before.plan(), "munge");
    };
    using E = Example;
    EXPECT_TRUE(
        changes_both([](E& e) { e.zlib().versions[0].build.configure.emplace_back("--x"); }));
    EXPECT_TRUE(changes_both([](E& e) { e.zlib().versions[0].build.env["CFLAGS"] = "-O1"; }));
    EXPECT_TRUE(
        changes_both([](E& e) { e.zlib().versions[0].source.sha256 = base::sha256("other"); }));
    EXPECT_TRUE(changes_both([](E& e) {
        e.zlib().versions[0].patches.push_back({"/p/fix.patch", "fix.patch", base::sha256("p")});
    }));
    EXPECT_TRUE(
        changes_both([](E& e) { e.zlib().versions[0].package.remove.emplace_back("share"); }));
    EXPECT_TRUE(changes_both([](E& e) { e.input.root.packages.emplace_back("gcc-12=12.2.0-15"); }));
    EXPECT_TRUE(changes_both([](E& e) { e.input.target = "x86_64"; }));
    EXPECT_TRUE(changes_both([](E& e) { e.input.sandbox_files = base::sha256("wrappers"); }));
}

TEST(Planner, WhatCannotChangeTheResultDoesNotChangeTheIdentity) {
    const Example before;
    Example after;
    after.zlib().summary = "Another summary";
    after.zlib().homepage = "https://example.org/";
    after.zlib().versions[0].source.places.push_back({"https://mirror.example.org/z", "", ""});
    after.zlib().versions[0].build.jobs = recipe::Jobs::serial;
    after.zlib().versions[0].package.expect.emplace_back("lib/libz.so");
    after.input.root.digest = base::sha256("another archive of the same packages");
    EXPECT_EQ(identity(after.plan(), "munge"), identity(before.plan(), "munge"));
}

TEST(Planner, AChangeInADependantLeavesItsDependencyAlone) {
    const Example before;
    Example after;
    after.munge().versions[0].build.configure.emplace_back("--y");
    EXPECT_EQ(identity(after.plan(), "zlib"), identity(before.plan(), "zlib"));
    EXPECT_NE(identity(after.plan(), "munge"), identity(before.plan(), "munge"));
}

TEST(Planner, ExplainsADifferenceByKey) {
    const Example before;
    Example after;
    after.zlib().versions[0].build.env["CFLAGS"] = "-O1";
    const Plan old_plan = before.plan();
    const Plan new_plan = after.plan();
    const auto text = [](const Plan& plan) {
        return plan.dag.at(*plan.dag.find("zlib")).identity_text;
    };
    EXPECT_EQ(explain_difference(text(old_plan), text(new_plan)),
              (std::vector<std::string>{"build.env.CFLAGS: (none) -> \"-O1\""}));
    EXPECT_TRUE(explain_difference(text(old_plan), text(old_plan)).empty());
}

TEST(Planner, ExplainsListsByItemAndDigestsByTheirBeginning) {
    const std::string old_digest(64, 'a');
    const std::string new_digest = "0123456789abcdef" + std::string(48, '0');
    const base::Json before{{"configure", {"--a", "--b"}},
                            {"flags", {"-x", "-y", "-y"}},
                            {"order", {1, 2}},
                            {"sandbox", old_digest}};
    const base::Json now{{"configure", {"--b", "--c"}},
                         {"flags", {"-x", "-x", "-x", "-y"}},
                         {"order", {2, 1}},
                         {"sandbox", new_digest}};
    EXPECT_EQ(explain_difference(before.dump(), now.dump()),
              (std::vector<std::string>{
                  "configure: + \"--c\"", "configure: - \"--a\"", "flags: + \"-x\" (2 times)",
                  "flags: - \"-y\"", "order: in another order", "sandbox: aaaaaaaa -> 01234567"}));
}

// What the flags of GCC 9 mean is what GCC 11 means by the level's name: the compiler of this
// machine knows both.
TEST(Target, AnOldCompilerIsToldTheInstructionsOneByOne) {
    EXPECT_EQ(target_flags("x86_64_v3", "gcc 12.2.0-14").value(), "-march=x86-64-v3");
    EXPECT_EQ(target_flags("x86_64_v3", "gcc 11.4.0-1ubuntu1").value(), "-march=x86-64-v3");
    EXPECT_EQ(target_flags("x86_64", "gcc 8.5.0-28.el8_10").value(), "-march=x86-64");
    const auto macros = [](const std::string& flags) {
        base::Command command;
        command.argv = {"g++", "-dM", "-E", "-x", "c++", "/dev/null"};
        for (const std::string& flag : base::split(flags, ' ')) command.argv.push_back(flag);
        command.environment = {{"PATH", "/usr/bin:/bin"}};
        std::vector<std::string> lines = base::split(base::run(command).value().out, '\n');
        std::ranges::sort(lines);
        return lines;
    };
    for (const char* target : {"x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4"}) {
        const std::string spelled = target_flags(target, "gcc 9.4.0-1ubuntu1~20.04.2").value();
        const auto meant = macros(spelled);
        EXPECT_GT(meant.size(), 300U) << target;
        EXPECT_EQ(meant, macros(target_flags(target, "gcc 12.2.0-14").value())) << target;
    }
    EXPECT_EQ(target_flags("x86_64_v3", "").value(), "-march=x86-64-v3");
    EXPECT_EQ(target_flags("z80", "gcc 12.2.0-14").error().code, base::Code::usage);
    EXPECT_EQ(target_flags("x86_64", "gcc 99999999999.1").error().code, base::Code::failed);
    EXPECT_EQ(target_flags("x86_64", "clang 14.0").error().code, base::Code::failed);
}

TEST(Planner, UnknownThingsAreNamed) {
    Example example;
    example.input.catalog = &example.catalog;
    example.input.target = "z80";
    EXPECT_EQ(make_plan(example.input).error().code, base::Code::usage);
    example.input.target = "x86_64";
    example.input.packages = {{"munge", "0.5"}};
    EXPECT_NE(make_plan(example.input).error().text().find("zlib"), std::string::npos)
        << "a dependency that is not planned before";
}

}  // namespace
}  // namespace sf::build
