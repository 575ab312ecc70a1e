// SPDX-License-Identifier: Apache-2.0
// Builds one package whose dependencies are in the store: unpack, patch, the recipe's steps in the
// sandbox, gate, archives, commit. Nothing of it is visible before the commit; what a killed build
// leaves in <state>/work is deleted by the next. Thread-safe for different packages.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <string>

#include "build/build_step.hpp"
#include "build/history.hpp"
#include "build/job_budget.hpp"
#include "build/observer.hpp"
#include "build/package_store.hpp"
#include "build/planner.hpp"
#include "build/state_dir.hpp"
#include "sandbox/runner.hpp"

namespace sf::build {

struct BuilderOptions {
    unsigned jobs = 1;  // for steps that speak no jobserver
    bool ccache = true;
    bool keep_failed = false;
    sandbox::SandboxLimits limits;
    std::string run_id;         // names the folder of this run's logs
    int compression_level = 0;  // 0: the archive writer's own
};

struct BuildContext {
    const Plan& plan;
    StateDir state;
    std::filesystem::path root;                  // unpacked root of the toolchain
    std::vector<std::string> host_libraries;     // sonames the distribution provides
    std::filesystem::path sandbox_files;         // templates/sandbox
    std::vector<std::filesystem::path> sources;  // by node
    sandbox::Runner& runner;
    BuildObserver& observer;
    BuilderOptions options;
    Doubt doubt{};  // who is to be believed of what was taken; none: everybody
};

struct Built {
    model::Package package;
    std::map<std::string, StepTime> steps;  // "gate", "pack" and the like included
};

// The caller holds the package's lock and a share of the job budget.
[[nodiscard]] base::Result<Built> build_package(const BuildContext& context, model::NodeId id,
                                                JobBudget::Share& share);

}  // namespace sf::build
