// SPDX-License-Identifier: Apache-2.0
// Whole builds with a recording runner in place of the sandbox: everything else is real.
#include "build/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "build/debug_bundle.hpp"
#include "support/recording_runner.hpp"
#include "unit/build/example.hpp"

namespace sf::build {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_example::Example;

class Quiet : public BuildObserver {
public:
    void package_reused(const model::Package& package) override { note("reused", package.name); }
    void package_started(const std::string&, const std::string& reason) override {
        note("started", reason);
    }
    void step_started(const std::string&, const std::string&) override {}
    void package_built(const model::Package& package,
                       const std::map<std::string, StepTime>&) override {
        note("built", package.name);
    }
    void package_failed(const std::string& name, const base::Error&) override {
        note("failed", name.substr(0, name.find('-')));
    }
    void package_skipped(const std::string& name) override {
        note("skipped", name.substr(0, name.find('-')));
    }
    void waiting_for_lock(const std::string&) override {}
    [[nodiscard]] std::vector<std::string> take() { return std::exchange(*x_notes.lock(), {}); }

private:
    void note(const std::string& what, const std::string& who) {
        x_notes.lock()->push_back(what + " " + who);
    }
    base::Synced<std::vector<std::string>> x_notes;
};

class EngineTest : public ::testing::Test {
protected:
    void SetUp() override {
        // One source archive serves both packages: a folder with one file.
        ASSERT_TRUE(base::make_dirs(x_dir.path() / "top"));
        ASSERT_TRUE(base::write_file(x_dir.path() / "top" / "f", "x"));
        base::Command tar;
        tar.argv = {"tar", "-czf", x_dir.path() / "a.tar.gz", "-C", x_dir.path(), "top"};
        ASSERT_TRUE(base::run(tar)->exit.ok());
        x_source = base::sha256_file(x_dir.path() / "a.tar.gz").value();
        ASSERT_TRUE(base::make_dirs(x_dir.path() / "wrappers"));
        x_runner.script([this](const sandbox::SandboxPlan& plan, int) { return play(plan); });
    }

    // What the "sandbox" does: make install leaves a file, unless the step is to fail.
    base::Result<sandbox::RunResult> play(const sandbox::SandboxPlan& plan) {
        const std::string& script = plan.argv.back();
        const std::string prefix = plan.environment.at("SF_PREFIX");
        if (!x_fail.empty() && prefix.find("/" + x_fail + "-") != std::string::npos &&
            script.find("install") == std::string::npos) {
            if (x_before_failing) x_before_failing(plan);
            SF_CHECK(base::check_stop());
            return support::ended_with(2);
        }
        if (script == "make install") {
            const auto out = support::host_path(plan, prefix);
            EXPECT_TRUE(base::make_dirs(out / "share"));
            EXPECT_TRUE(base::write_file(out / "share" / "it", "made"));
        }
        return support::ended_with(0);
    }

    base::Result<BuildReport> build(EngineOptions options = {2, false, false}) {
        for (auto& [name, recipe] : x_example.catalog.recipes)
            recipe.versions[0].source.sha256 = x_source;
        x_plan = x_example.plan();
        History history(x_dir.path() / "times.json");
        BuilderOptions builder;
        builder.run_id = "test";
        builder.jobs = 2;
        builder.keep_failed = x_keep_failed;
        const BuildContext context{x_plan,
                                   {x_dir.path() / "state"},
                                   "/",
                                   {},
                                   x_dir.path() / "wrappers",
                                   std::vector(x_plan.dag.size(), x_dir.path() / "a.tar.gz"),
                                   x_runner,
                                   x_seen,
                                   builder,
                                   x_doubt};
        return bring_up_to_date(context, options, history);
    }
    std::filesystem::path package(const char* name) {
        const auto folder = StateDir{x_dir.path() / "state"}.packages();
        return folder / x_plan.dag.at(*x_plan.dag.find(name)).store_name();
    }

    base::TempDir x_dir =
        *base::TempDir::create(std::filesystem::temp_directory_path(), "sf-engine-");
    Example x_example;
    Doubt x_doubt;
    base::Digest x_source;
    Plan x_plan;
    support::RecordingRunner x_runner;
    Quiet x_seen;
    std::string x_fail;
    bool x_keep_failed = false;
    std::function<void(const sandbox::SandboxPlan&)> x_before_failing;
};

TEST_F(EngineTest, BuildsDependenciesFirstAndNothingTwice) {
    const auto first = build();
    ASSERT_TRUE(first && first->ok()) << first->status().error().text();
    EXPECT_THAT(x_seen.take(), ElementsAre("started never built here", "built zlib",
                                           "started never built here", "built munge"));
    const std::size_t runs = x_runner.plans().size();
    EXPECT_EQ(runs, 3U + 4U);  // make, install, finish; configure as well

    const auto second = build();
    ASSERT_TRUE(second && second->ok());
    EXPECT_THAT(x_seen.take(), ElementsAre("reused zlib", "reused munge"));
    EXPECT_EQ(x_runner.plans().size(), runs);
    EXPECT_EQ(x_runner.leases_held(), 0);
}

// A build cache had all that is needed.
TEST_F(EngineTest, WhatNobodyNeedsIsLeftOut) {
    ASSERT_TRUE(build()->ok());
    static_cast<void>(x_seen.take());
    const std::size_t runs = x_runner.plans().size();
    const auto zlib = package("zlib");
    ASSERT_TRUE(base::remove_tree(zlib));
    EngineOptions options{2, false, false};
    options.unneeded = {*x_plan.dag.find("zlib")};
    const auto left_out = build(options);
    ASSERT_TRUE(left_out && left_out->ok());
    EXPECT_EQ(left_out->nodes[0].state, NodeState::unneeded);
    EXPECT_THAT(x_seen.take(), ElementsAre("reused munge"));
    EXPECT_EQ(x_runner.plans().size(), runs);
    EXPECT_FALSE(base::exists(zlib));
    // It was decided on what was there then.
    ASSERT_TRUE(base::remove_tree(package("munge")));
    const auto failed = build(options);
    ASSERT_TRUE(failed);
    EXPECT_THAT(failed->status().error().text(),
                HasSubstr("has to be built after all, and zlib-1.3-"));
    EXPECT_EQ(x_runner.plans().size(), runs);
    ASSERT_TRUE(build()->ok());
}

// The package becomes one that was taken.
base::Status as_taken(const PackageStore& store, const std::string& name, const Taken& taken) {
    SF_TRY(const auto there, store.find(name));
    SF_TRY(const base::TempDir room,
           base::TempDir::create(store.folder(name).parent_path().parent_path(), "room-"));
    std::filesystem::copy(store.folder(name), room.path() / "folder");
    std::filesystem::copy(store.tree(name), room.path() / "tree",
                          std::filesystem::copy_options::recursive);
    return store.commit(there.value(), room.path() / "tree", room.path() / "folder", taken);
}

TEST_F(EngineTest, WhatIsInDoubtIsBuiltAgainAndWhatWasBuiltWithIt) {
    const StateDir state{x_dir.path() / "state"};
    ASSERT_TRUE(build()->ok());
    const PackageStore store(state);
    const auto name_of = [&](const char* name) {
        return x_plan.dag.at(*x_plan.dag.find(name)).store_name();
    };
    const Taken taken{"/srv/cache", "", "", 0, "A", "A", 1};
    ASSERT_TRUE(as_taken(store, name_of("zlib"), taken));
    ASSERT_TRUE(base::remove_tree(package("munge")));
    ASSERT_TRUE(build()->ok());
    ASSERT_EQ(store.made_of(name_of("munge")).value().size(), 1U);
    EXPECT_EQ(store.made_of(name_of("munge")).value()[0].from, taken);
    const auto cache = state.ccache() / x_plan.dag.at(model::NodeId{0}).toolchain / "munge";
    const auto record = cache.native() + ".made-of.json";
    EXPECT_TRUE(base::exists(record));
    ASSERT_TRUE(base::write_file(cache / "object", "compiled with it"));

    std::string believed = "A";
    x_doubt = [&](const TakenPackage& each) -> base::Result<std::optional<std::string>> {
        if (each.from.signer == believed) return std::nullopt;
        return "nobody trusts it";
    };
    EXPECT_THAT(x_seen.take(), ::testing::Not(::testing::IsEmpty()));
    ASSERT_TRUE(build()->ok());
    EXPECT_THAT(x_seen.take(), ::testing::Each(::testing::StartsWith("reused")));
    EXPECT_TRUE(base::exists(cache / "object"));

    believed = "B";
    const auto report = build();
    ASSERT_TRUE(report && report->ok());
    EXPECT_EQ(report->nodes[0].state, NodeState::built);
    EXPECT_EQ(report->nodes[0].reason, "taken from /srv/cache, signed by A: nobody trusts it");
    EXPECT_EQ(report->nodes[1].state, NodeState::built);
    EXPECT_THAT(report->nodes[1].reason, HasSubstr("built with " + name_of("zlib")));
    EXPECT_TRUE(store.made_of(name_of("munge")).value().empty());
    EXPECT_FALSE(base::exists(cache / "object"));
    EXPECT_TRUE(made_of_from_json(base::read_file(record).value()).value().empty());
    // One of nobody knows when.
    ASSERT_TRUE(base::write_file(cache / "object", "compiled with who knows what"));
    ASSERT_TRUE(base::remove_file(record));
    ASSERT_TRUE(base::remove_tree(package("munge")));
    ASSERT_TRUE(build()->ok());
    EXPECT_FALSE(base::exists(cache / "object"));
}

TEST_F(EngineTest, WhatWasTakenIsNotSaidToBeBuilt) {
    ASSERT_TRUE(build()->ok());
    const PackageStore store(StateDir{x_dir.path() / "state"});
    const std::string name = x_plan.dag.at(*x_plan.dag.find("zlib")).store_name();
    EXPECT_EQ(store.taken(name).value(), std::nullopt);
    const Taken taken{"/srv/cache",         "bookworm/slurm/deps", std::string(32, 'a'), 7,
                      std::string(40, 'A'), std::string(40, 'B'),  1'790'000'000};
    ASSERT_TRUE(as_taken(store, name, taken));
    EXPECT_EQ(store.taken(name).value(), taken);
    const auto report = build();
    ASSERT_TRUE(report && report->ok());
    EXPECT_EQ(report->nodes[0].state, NodeState::reused);
    EXPECT_EQ(report->nodes[0].taken, taken);
    EXPECT_EQ(report->nodes[1].taken, std::nullopt);
    // A record that cannot be read is not taken for none.
    ASSERT_TRUE(base::write_file(store.folder(name) / "taken.json", "{}"));
    EXPECT_FALSE(build()->ok());
    // Built here, it is this machine's.
    ASSERT_TRUE(build({2, false, true})->ok());
    EXPECT_EQ(store.taken(name).value(), std::nullopt);
}

TEST_F(EngineTest, AnEngineThatPassesNoDescriptorsIsToldTheJobs) {
    x_runner.pass_no_descriptors();
    ASSERT_TRUE(build({1, false, false})->ok());
    for (const sandbox::SandboxPlan& plan : x_runner.plans()) {
        EXPECT_TRUE(plan.pass.empty());
        const auto flags = plan.environment.find("MAKEFLAGS");
        if (plan.argv.back() == "make") EXPECT_EQ(flags->second, " -j1");
        if (flags != plan.environment.end())
            EXPECT_EQ(flags->second.find("jobserver"), std::string::npos);
    }
}

TEST_F(EngineTest, AChangedRecipeIsBuiltAgainAndSaysWhy) {
    ASSERT_TRUE(build()->ok());
    static_cast<void>(x_seen.take());
    x_example.munge().versions[0].build.configure = {"--new"};
    ASSERT_TRUE(build()->ok());
    EXPECT_THAT(x_seen.take(), ElementsAre("reused zlib", HasSubstr("build.configure: + \"--new\""),
                                           "built munge"));
}

// Whatever was fetched when: what is built is what the recipe names.
TEST_F(EngineTest, ADamagedSourceIsNotBuilt) {
    ASSERT_TRUE(base::write_file(x_dir.path() / "a.tar.gz", "something else"));
    const auto report = build();
    ASSERT_TRUE(report);
    EXPECT_FALSE(report->ok());
    EXPECT_THAT(report->status().error().text(), ::testing::HasSubstr("a.tar.gz is damaged"));
    EXPECT_FALSE(base::exists(package("zlib")));
}

TEST_F(EngineTest, AFailureIsNamedLeavesNothingVisibleAndTheNextRunGoesOn) {
    x_fail = "munge";
    const auto failed = build();
    ASSERT_TRUE(failed);
    EXPECT_FALSE(failed->ok());
    const base::Error error = failed->status().error();
    EXPECT_THAT(error.text(), HasSubstr("configure of munge-0.5-"));
    EXPECT_THAT(error.text(), HasSubstr("exit status 2"));
    EXPECT_THAT(error.hint, HasSubstr("01-configure.log"));
    EXPECT_FALSE(base::exists(package("munge")));
    EXPECT_TRUE(base::list_dir(StateDir{x_dir.path() / "state"}.work())->empty());
    static_cast<void>(x_seen.take());

    x_fail.clear();
    ASSERT_TRUE(build()->ok());
    EXPECT_THAT(x_seen.take(),
                ElementsAre("reused zlib", "started never built here", "built munge"));
}

TEST_F(EngineTest, AKeptBuildFolderIsSaid) {
    const StateDir state{x_dir.path() / "state"};
    x_fail = "munge";
    x_keep_failed = true;
    const auto failed = build();
    ASSERT_TRUE(failed);
    const auto kept = state.work() / package("munge").filename();
    const base::Error error = failed->status().error();
    EXPECT_THAT(error.hint, HasSubstr("01-configure.log; the build folder was kept: " +
                                      kept.string() + " (slurm-factory clean deletes it)"));
    EXPECT_TRUE(base::is_dir(kept / "build" / "src"));
    EXPECT_THAT(*base::list_dir(state.work()), ElementsAre(kept.filename().string()));
    // What was stopped did not fail.
    x_before_failing = [](const sandbox::SandboxPlan&) { base::request_stop(SIGTERM); };
    const auto stopped = build();
    base::clear_stop();
    ASSERT_TRUE(stopped && !stopped->ok());
    EXPECT_TRUE(base::list_dir(state.work())->empty());
    // And what is built leaves nothing.
    x_fail.clear();
    ASSERT_TRUE(build()->ok());
    EXPECT_TRUE(base::list_dir(state.work())->empty());
}

TEST_F(EngineTest, OfSeveralFailuresEachHintIsSaid) {
    BuildReport report;
    report.nodes.resize(3);
    for (NodeOutcome& node : report.nodes) node.state = NodeState::failed;
    report.nodes[0].error = {base::Code::failed, "a failed", {}, "the whole log is a"};
    report.nodes[1].error = {base::Code::failed, "b failed", {}, "the whole log is b"};
    report.nodes[2].error = {base::Code::failed, "c failed", {}, "the whole log is a"};
    const base::Status status = report.status();
    EXPECT_EQ(status.error().text(), "3 packages failed:\na failed\nb failed\nc failed");
    EXPECT_EQ(status.error().hint, "the whole log is a; the whole log is b");
}

TEST_F(EngineTest, AFailureLeavesEvidenceInTheLogs) {
    x_fail = "munge";
    x_before_failing = [](const sandbox::SandboxPlan& plan) {
        const auto folder = support::host_path(plan, "/build/obj");
        ASSERT_TRUE(base::write_file(folder / "config.log", "no C compiler\n"));
        // What upstream code could plant to be shown a file of ours.
        ASSERT_TRUE(base::make_dirs(folder / "sub"));
        std::filesystem::create_symlink("/etc/passwd", folder / "sub" / "config.log");
        std::filesystem::create_directory_symlink("/etc", folder / "meson-log.txt");
    };
    ASSERT_FALSE(build()->ok());
    const StateDir state{x_dir.path() / "state"};
    const auto logs = state.logs() / "test" / package("munge").filename();
    EXPECT_EQ(*base::read_file(logs / "found" / "obj_config.log"), "no C compiler\n");
    EXPECT_THAT(*base::list_dir(logs / "found"), ElementsAre("obj_config.log"));
    EXPECT_THAT(*base::read_file(logs / "environment.txt"), HasSubstr("SOURCE_DATE_EPOCH="));

    const auto bundle = write_debug_bundle(state, "test", {{"plan.json", "{}"}});
    ASSERT_TRUE(bundle) << bundle.error().text();
    base::Command tar;
    tar.argv = {"tar", "--zstd", "-tf", *bundle};
    const std::string listed = base::run(tar)->out;
    EXPECT_THAT(listed, HasSubstr("test/plan.json\n"));
    EXPECT_THAT(listed, HasSubstr("test/logs/munge-0.5-"));
    EXPECT_THAT(listed, HasSubstr("/found/obj_config.log\n"));
    EXPECT_THAT(listed, HasSubstr("/01-configure.log\n"));
    EXPECT_THAT(listed, ::testing::Not(HasSubstr("debug.tar")));
}

TEST_F(EngineTest, DependantsOfAFailureAreSkipped) {
    x_fail = "zlib";
    x_example.add("other", "1", {}).versions[0].build.system = recipe::BuildSystem::make;
    x_example.input.packages.insert(x_example.input.packages.begin(), {"other", "1"});
    const auto report = build({1, true, false});
    ASSERT_TRUE(report);
    EXPECT_EQ(report->nodes[0].state, NodeState::built) << "--keep-going builds what it can";
    EXPECT_EQ(report->nodes[1].state, NodeState::failed);
    EXPECT_EQ(report->nodes[2].state, NodeState::skipped);
}

TEST_F(EngineTest, AStopIsToldOnceAndIsNoFailureOfAPackage) {
    x_fail = "zlib";
    x_before_failing = [](const sandbox::SandboxPlan&) { base::request_stop(SIGTERM); };
    const auto report = build();
    const base::Status status = report->status();
    base::clear_stop();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::interrupted);
    EXPECT_EQ(status.error().text(), "stopped by Terminated as asked");
    EXPECT_THAT(status.error().hint, HasSubstr("the same command goes on"));
    EXPECT_THAT(x_seen.take(),
                ElementsAre("started never built here", "skipped zlib", "skipped munge"));
}

TEST_F(EngineTest, EstimatesAreWhatWasTimedThenWhatTheRecipeSaysThenByTheSize) {
    History history(x_dir.path() / "times.json");
    EXPECT_THAT(estimate(x_example.plan(), history), ElementsAre(17, 17));
    x_example.zlib().cpu_seconds = 5;
    x_example.munge().cpu_seconds = 60;
    history.record("munge", {{"compile", {1, 2}}});
    EXPECT_THAT(estimate(x_example.plan(), history), ElementsAre(5, 2));
}

TEST_F(EngineTest, ADamagedPackageIsBuiltAgain) {
    ASSERT_TRUE(build()->ok());
    static_cast<void>(x_seen.take());
    ASSERT_TRUE(base::write_file(package("zlib") / "run.tar.zst", "cut"));
    ASSERT_TRUE(build()->ok());
    EXPECT_THAT(x_seen.take(), ::testing::Contains("built zlib"));
}

TEST_F(EngineTest, ThePackageIsTheSameWhoeverBuiltIt) {
    ASSERT_TRUE(build()->ok());
    const auto digest = *base::sha256_file(package("munge") / "run.tar.zst");
    ASSERT_TRUE(build({1, false, true})->ok());
    EXPECT_EQ(*base::sha256_file(package("munge") / "run.tar.zst"), digest);
}

TEST_F(EngineTest, TheSandboxSeesOnlyWhatIsDeclared) {
    ASSERT_TRUE(build()->ok());
    for (const sandbox::SandboxPlan& plan : x_runner.plans()) {
        const bool munge = plan.environment.at("SF_PREFIX").find("/munge-") != std::string::npos;
        for (const sandbox::Bind& bind : plan.binds) {
            const bool own = bind.target == plan.environment.at("SF_PREFIX");
            const bool zlib = bind.target.find("/zlib-") != std::string::npos;
            EXPECT_EQ(bind.writable, own || bind.target == "/build" || bind.target == "/ccache")
                << bind.target;
            EXPECT_TRUE(munge || own || !zlib) << bind.target;
        }
        EXPECT_FALSE(plan.environment.contains("SSH_AUTH_SOCK"));
    }
}

}  // namespace
}  // namespace sf::build
