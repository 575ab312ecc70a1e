// SPDX-License-Identifier: Apache-2.0
#include "unit/sandbox/harness.hpp"

#include <sys/file.h>
#include <sys/resource.h>

#include <fcntl.h>
#include <unistd.h>

namespace sf::sandbox {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t memory = RLIM_INFINITY;  // sanitizers reserve terabytes, or ask for all
#else
constexpr std::uint64_t memory = std::uint64_t{1} << 30;
#endif

BwrapOptions test_options() {
    BwrapOptions options;
    options.watch_interval = std::chrono::milliseconds(100);
    return options;
}

void give(const base::fs::path& path, const Lease& lease) {
    if (const auto identity = lease.identity())
        ASSERT_EQ(::chown(path.c_str(), identity->uid, identity->gid), 0);
}

}  // namespace

std::string why_not_run() {
    if (!base::find_program("bwrap")) return "NOT RUN: bubblewrap is not installed";
    return {};
}

SandboxPlan probe_plan(const base::fs::path& work) {
    SandboxPlan plan;
    plan.root = "/";
    plan.binds = {{work, "/w", true},
                  {work, "/ro", false},
                  {base::fs::read_symlink("/proc/self/exe"), "/t/probe", false}};
    plan.environment = {{"PATH", "/usr/bin"}, {"PLANNED", "yes"}};
    plan.directory = "/w";
    plan.limits.time = std::chrono::seconds(60);
    plan.limits.memory_bytes = memory;
    plan.limits.processes = 64;
    plan.limits.tmp_bytes = std::uint64_t{4} << 20;
    return plan;
}

SandboxRun::SandboxRun()
    : x_folder(base::TempDir::create(base::fs::temp_directory_path(), "sf-sandbox-").value()),
      x_options(test_options()) {}

void SandboxRun::SetUp() {
    if (const auto why = why_not_run(); !why.empty()) GTEST_SKIP() << why;
    x_runner = std::make_unique<BwrapRunner>(x_options);
    auto lease = x_runner->lease();
    ASSERT_TRUE(lease) << lease.error().text();
    x_lease = std::move(*lease);
    ASSERT_TRUE(base::make_dirs(work()));
    give(work(), *x_lease);
    x_plan = probe_plan(work());
    x_log = base::open_file(x_folder.path() / "log", O_RDWR | O_CREAT | O_APPEND).value();
}

RunResult SandboxRun::probe(const std::vector<std::string>& words) {
    x_plan.argv = {"/t/probe", "--probe"};
    x_plan.argv.insert(x_plan.argv.end(), words.begin(), words.end());
    return run();
}

RunResult SandboxRun::run() {
    auto result = x_runner->run(*x_lease, x_plan, x_log.get());
    if (!result) {
        ADD_FAILURE() << result.error().text() << "\n" << log();
        return {.outcome = Outcome::failed, .exit = {}, .resources = {}, .detail = "not started"};
    }
    return *result;
}

std::string SandboxRun::log() const { return base::read_file(x_folder.path() / "log").value(); }

bool lock_is_free(const base::fs::path& file) {
    const auto fd = base::open_file(file, O_RDONLY);
    return fd && ::flock(fd->get(), LOCK_EX | LOCK_NB) == 0;
}

bool SandboxRun::lock_is_free() const { return sandbox::lock_is_free(work() / "lock"); }

int hold_sandbox(const std::string& work) {
    BwrapRunner runner;
    auto lease = runner.lease();
    if (!lease) return 3;
    give(work, **lease);
    auto plan = probe_plan(work);
    plan.argv = {"/t/probe", "--probe", "hold"};
    const auto result = runner.run(**lease, plan, STDERR_FILENO);
    return result && result->exit.ok() ? 0 : 4;
}

int interactive_sandbox(const std::string& work) {
    BwrapRunner runner;
    auto lease = runner.lease();
    if (!lease) return 3;
    auto plan = probe_plan(work);
    plan.argv = {"/bin/sh", "-c", "test -t 0 && test -t 1 && read line && echo got $line; exit 5"};
    const auto result = runner.run_interactive(**lease, plan);
    return result ? result->exit.code : 4;
}

}  // namespace sf::sandbox
