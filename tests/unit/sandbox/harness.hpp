// SPDX-License-Identifier: Apache-2.0
// A sandbox over this machine's own programs, with one writable folder and this program as
// /t/probe.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "sandbox/bwrap_runner.hpp"

namespace sf::sandbox {

class SandboxRun : public testing::Test {
protected:
    SandboxRun();
    void SetUp() override;

    // Runs `--probe words…`; fails the test if the sandbox did not start.
    RunResult probe(const std::vector<std::string>& words);
    RunResult run();  // x_plan as it is
    [[nodiscard]] std::string log() const;
    [[nodiscard]] base::fs::path work() const { return x_folder.path() / "work"; }
    // True if no process holds the lock that a probe took on /w/lock.
    [[nodiscard]] bool lock_is_free() const;

    base::TempDir x_folder;
    BwrapOptions x_options;
    std::unique_ptr<BwrapRunner> x_runner;
    std::unique_ptr<Lease> x_lease;
    SandboxPlan x_plan;
    base::Fd x_log;
};

// Whether a sandbox under ordinary conditions can be had at all; tests skip with this otherwise.
[[nodiscard]] std::string why_not_run();

[[nodiscard]] SandboxPlan probe_plan(const base::fs::path& work);
// Runs a sandbox that never ends, as a program of its own: to be killed.
int hold_sandbox(const std::string& work);
// Runs a shell that reads a line, in the terminal we are in.
int interactive_sandbox(const std::string& work);
[[nodiscard]] bool lock_is_free(const base::fs::path& file);

}  // namespace sf::sandbox
