// SPDX-License-Identifier: Apache-2.0
#include "build/build_step.hpp"

#include <gtest/gtest.h>

#include "unit/build/example.hpp"

namespace sf::build {
namespace {

using testing_example::Example;

class StepsTest : public ::testing::Test {
protected:
    Example x_example;
    Plan x_plan;
    base::Result<std::vector<Step>> steps(const char* name) {
        x_plan = x_example.plan();
        return steps_of(x_plan, *x_plan.dag.find(name), {4, true});
    }
    std::string prefix(const char* name) {
        return placeholder_prefix(x_plan.dag.at(*x_plan.dag.find(name)));
    }
};

TEST_F(StepsTest, AutotoolsBuildInTheSourceUnlessToldApart) {
    x_example.munge().versions[0].build.configure = {"--with-zlib=@dep:zlib@", "--v=@version@"};
    const auto in_source = steps("munge");
    ASSERT_TRUE(in_source);
    ASSERT_EQ(in_source->size(), 4U);
    EXPECT_EQ(in_source->at(0).name, "configure");
    EXPECT_EQ(in_source->at(0).directory, "/build/src");
    EXPECT_EQ(in_source->at(0).script,
              "/build/src/configure --prefix=" + prefix("munge") + " --libdir=" + prefix("munge") +
                  "/lib --disable-dependency-tracking --with-zlib=" + prefix("zlib") + " --v=0.5");
    EXPECT_EQ(in_source->at(1).script, "make");
    EXPECT_TRUE(in_source->at(1).compiles);
    EXPECT_EQ(in_source->at(2).script, "make install");
    EXPECT_FALSE(in_source->at(2).compiles);
    EXPECT_EQ(in_source->at(3).script, "/sf/finish");
    x_example.munge().versions[0].build.parallel_install = true;
    EXPECT_TRUE(steps("munge")->at(2).compiles);

    x_example.munge().versions[0].build.out_of_tree = true;
    x_example.munge().versions[0].build.subdir = "src";
    const auto apart = steps("munge");
    EXPECT_EQ(apart->at(0).directory, "/build/obj");
    EXPECT_TRUE(apart->at(0).script.starts_with("/build/src/src/configure "));
}

TEST_F(StepsTest, UnknownWordsBetweenAtSignsAreErrors) {
    x_example.munge().versions[0].build.configure = {"--x=@prefx@"};
    const auto result = steps("munge");
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().text().find("@prefx@"), std::string::npos);
    x_example.munge().versions[0].build.configure = {"--x=@dep:openssl@"};
    EXPECT_FALSE(steps("munge"));
    x_example.munge().versions[0].build.configure = {"--mail=a@b.c", "--m4=@A_B@", "@"};
    EXPECT_TRUE(steps("munge")) << "other uses of @ stay as they are";
}

TEST_F(StepsTest, ArgumentsAreQuotedAndScriptsAreNot) {
    x_example.munge().versions[0].build.configure = {"CFLAGS=-O1 -g", "it's"};
    EXPECT_TRUE(steps("munge")->at(0).script.ends_with("'CFLAGS=-O1 -g' 'it'\\''s'"));
    x_example.munge().versions[0].build.system = recipe::BuildSystem::script;
    x_example.munge().versions[0].build.configure = {"./Configure && true"};
    x_example.munge().versions[0].build.install = {"make install PREFIX=@prefix@"};
    const auto script = steps("munge");
    EXPECT_EQ(script->at(0).script, "./Configure && true");
    EXPECT_EQ(script->at(1).script, "make install PREFIX=" + prefix("munge"));
}

TEST_F(StepsTest, RemovalRefusesWhatIsNoPlainGlob) {
    x_example.munge().versions[0].package.remove = {"etc", "share/doc/**"};
    const auto good = steps("munge");
    ASSERT_TRUE(good);
    EXPECT_NE(good->at(3).script.find("for path in share/doc;"), std::string::npos);
    for (const char* bad : {"a b", "$(reboot)", "x;y", "**/x", "a'b", "a\nb"}) {
        x_example.munge().versions[0].package.remove = {bad};
        EXPECT_FALSE(steps("munge")) << bad;
    }
}

TEST_F(StepsTest, TheEnvironmentIsCompleteAndNamesOnlyDependencies) {
    x_example.munge().versions[0].build.env = {{"CPPFLAGS", "-DX"}, {"OTHER", "@prefix@/y"}};
    x_example.munge().versions[0].package.public_sonames = {{"libmunge.so.2", "why"}};
    x_plan = x_example.plan();
    const model::NodeId munge = *x_plan.dag.find("munge");
    const base::Environment environment = *environment_of(x_plan, munge, {4, true});
    EXPECT_EQ(environment.at("CPPFLAGS"), "-I" + prefix("zlib") + "/include -DX");
    EXPECT_EQ(environment.at("LDFLAGS"), "-L" + prefix("zlib") + "/lib");
    EXPECT_EQ(environment.at("SF_RPATHS"), prefix("munge") + "/lib:" + prefix("zlib") + "/lib");
    EXPECT_EQ(environment.at("SF_PUBLIC_SONAMES"), "libmunge.so.2");
    EXPECT_EQ(environment.at("SF_TARGET_FLAGS"), "-march=x86-64-v3");
    EXPECT_EQ(environment.at("OTHER"), prefix("munge") + "/y");
    EXPECT_EQ(environment.at("SF_CCACHE"), "1");
    EXPECT_FALSE(environment_of(x_plan, munge, {4, false})->contains("SF_CCACHE"));
    EXPECT_FALSE(environment.contains("MAKEFLAGS")) << "whoever holds the jobserver adds it";
}

}  // namespace
}  // namespace sf::build
