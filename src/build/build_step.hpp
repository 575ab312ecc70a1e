// SPDX-License-Identifier: Apache-2.0
// What happens in the sandbox to build one package, as data: the steps of each build system and the
// environment they run in (docs/formats/recipe.md). Pure; knows no folder of this machine.
#pragma once

#include <string>
#include <vector>

#include "base/process.hpp"
#include "build/planner.hpp"

namespace sf::build {

struct Step {
    std::string name;       // "configure"
    std::string script;     // for /bin/sh -eu
    std::string directory;  // in the sandbox
    bool compiles = false;  // takes part in the job budget beyond its own process
};

// Where things are inside every sandbox.
namespace inside {
inline constexpr const char* build = "/build";
inline constexpr const char* source = "/build/src";
inline constexpr const char* objects = "/build/obj";
inline constexpr const char* patches = "/patches";
inline constexpr const char* wrappers = "/sf";
inline constexpr const char* ccache = "/ccache";
}  // namespace inside

// "/<placeholder>/<store name>": the prefix of a node while building and in what is built.
[[nodiscard]] std::string placeholder_prefix(const model::Spec& spec);

struct StepOptions {
    unsigned fixed_jobs = 1;  // for steps that speak no jobserver
    bool ccache = true;
};

[[nodiscard]] base::Result<std::vector<Step>> steps_of(const Plan& plan, model::NodeId id,
                                                       const StepOptions& options);

// Complete: nothing is inherited. MAKEFLAGS is added by whoever holds the jobserver.
[[nodiscard]] base::Result<base::Environment> environment_of(const Plan& plan, model::NodeId id,
                                                             const StepOptions& options);

}  // namespace sf::build
