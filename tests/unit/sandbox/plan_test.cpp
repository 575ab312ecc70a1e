// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <cstdlib>

#include "base/files.hpp"
#include "base/text.hpp"
#include "sandbox/sandbox_plan.hpp"

namespace sf::sandbox {
namespace {

SandboxPlan example() {
    SandboxPlan plan;
    plan.root = "/state/roots/bookworm/abc";
    // On purpose not in order: a folder must come before what lies in it.
    plan.binds = {{"/state/builds/1/src", "/build/src", true},
                  {"/state/builds/1", "/build", true},
                  {"/usr/share/slurm-factory/sandbox", "/sf", false}};
    plan.environment = {{"PATH", "/sf/bin:/usr/bin"}, {"CFLAGS", "-O2 -g"}};
    plan.directory = "/build/src";
    plan.argv = {"/usr/bin/make", "-j2", "V=1 2"};
    plan.pass = {{7, 3}, {8, 4}};
    return plan;
}

std::vector<base::fs::path> sources_of(const SandboxPlan& plan) {
    std::vector<base::fs::path> sources{plan.root};
    for (const auto& bind : plan.binds) sources.push_back(bind.source);
    return sources;
}

TEST(SandboxPlan, BecomesTheseBwrapArguments) {
    const auto plan = example();
    std::string text;
    for (const auto& word : bwrap_arguments(plan, sources_of(plan))) text += word + "\n";
    const base::fs::path golden = base::fs::path(SF_GOLDEN) / "sandbox/bwrap_arguments.txt";
    if (std::getenv("SF_UPDATE_GOLDEN") != nullptr) {
        ASSERT_TRUE(base::write_file(golden, text));
    }
    EXPECT_EQ(text, base::read_file(golden).value());
}

TEST(SandboxPlan, SaysWhatItIs) {
    const auto text = to_text(example());
    EXPECT_EQ(text,
              "root       /state/roots/bookworm/abc (read-only)\n"
              "bind       /state/builds/1/src at /build/src (writable)\n"
              "bind       /state/builds/1 at /build (writable)\n"
              "bind       /usr/share/slurm-factory/sandbox at /sf (read-only)\n"
              "environ    CFLAGS='-O2 -g'\n"
              "environ    PATH=/sf/bin:/usr/bin\n"
              "descriptor 3\n"
              "descriptor 4\n"
              "limits     2 h 00 min of time, 16.0 GiB of memory a process, 4096 processes, "
              "4.0 GiB a file, 20.0 GiB of disk, 2.0 GiB in /tmp\n"
              "host name  builder\n"
              "directory  /build/src\n"
              "run        /usr/bin/make -j2 'V=1 2'\n");
}

TEST(SandboxPlan, ReadsMergedAndUnmergedRoots) {
    const auto folder =
        base::TempDir::create(base::fs::temp_directory_path(), "sf-layout-").value();
    const auto merged = folder.path() / "merged";
    const auto split = folder.path() / "split";
    for (const auto* name : {"usr/bin", "usr/lib", "etc", "var/lib/dpkg"})
        ASSERT_TRUE(base::make_dirs(merged / name));
    base::fs::create_symlink("usr/bin", merged / "bin");
    base::fs::create_symlink("/usr/lib", merged / "lib");
    for (const auto* name : {"usr/bin", "etc", "bin", "lib", "lib64"})
        ASSERT_TRUE(base::make_dirs(split / name));

    const auto one = read_layout(merged).value();
    EXPECT_THAT(one.links, testing::ElementsAre(testing::Pair("bin", "usr/bin"),
                                                testing::Pair("lib", "usr/lib")));
    EXPECT_TRUE(one.folders.empty());
    EXPECT_TRUE(one.dpkg_database);
    const auto two = read_layout(split).value();
    EXPECT_TRUE(two.links.empty());
    EXPECT_THAT(two.folders, testing::ElementsAre("bin", "lib", "lib64"));
    EXPECT_FALSE(two.dpkg_database);
    EXPECT_EQ(read_layout(folder.path()).error().code, base::Code::absent);

    SandboxPlan plan = example();
    plan.root = split;
    const auto words = bwrap_arguments(plan, sources_of(plan), two);
    const auto text = base::join(words, " ");
    EXPECT_THAT(text, testing::HasSubstr("--ro-bind " + (split / "bin").string() + " /bin"));
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("dpkg")));
}

TEST(SandboxPlan, RefusesWhatNoEngineCanRun) {
    const auto broken = [](auto change) {
        auto plan = example();
        change(plan);
        const auto status = check_plan(plan);
        return status ? std::string("accepted") : status.error().text();
    };
    EXPECT_TRUE(check_plan(example()));
    EXPECT_EQ(broken([](auto& p) { p.root = "root"; }), "the root 'root' is not an absolute path");
    EXPECT_EQ(broken([](auto& p) { p.argv.clear(); }), "the plan has no command");
    EXPECT_EQ(broken([](auto& p) { p.argv[0] = "make"; }),
              "program 'make' is not an absolute, normal path");
    EXPECT_EQ(broken([](auto& p) { p.argv[1].push_back('\0'); }), "an argument holds a NUL byte");
    EXPECT_EQ(broken([](auto& p) { p.directory = "/build/../etc"; }),
              "working directory '/build/../etc' is not an absolute, normal path");
    EXPECT_EQ(broken([](auto& p) { p.binds[0].target = "build"; }),
              "bind target 'build' is not an absolute, normal path");
    EXPECT_EQ(broken([](auto& p) { p.binds[0].target = "/proc/1"; }),
              "nothing can be bound at '/proc/1'");
    EXPECT_EQ(broken([](auto& p) { p.binds[0].target = "/"; }), "nothing can be bound at '/'");
    EXPECT_EQ(broken([](auto& p) { p.environment["A=B"] = "c"; }),
              "'A=B' cannot be set in an environment");
    EXPECT_EQ(broken([](auto& p) { p.pass[0].child = 2; }), "descriptor 7 cannot be passed as 2");
}

}  // namespace
}  // namespace sf::sandbox
