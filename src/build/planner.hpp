// SPDX-License-Identifier: Apache-2.0
// From recipes, chosen versions and a root to the graph of specs, each with its identity: a SHA-256
// over canonical JSON of everything that can change the result. Pure: no I/O, no clock.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "model/dag.hpp"
#include "model/toolchain.hpp"
#include "recipe/catalog.hpp"

namespace sf::build {

// The way packages are made; raised when a change of the engine changes what comes out of it.
inline constexpr int engine_version = 2;
// SOURCE_DATE_EPOCH of every build: 2023-11-14T22:13:20Z. Any fixed value would do.
inline constexpr std::int64_t source_date_epoch = 1700000000;

struct PlanInput {
    const recipe::Catalog* catalog = nullptr;
    // Every package of the graph, dependencies before dependants, with its chosen version.
    std::vector<std::pair<std::string, std::string>> packages;
    model::RootRecord root;
    std::string target = "x86_64_v3";
    base::Digest sandbox_files;  // of the wrappers and the finish script
};

struct Plan {
    model::Dag dag;
    std::vector<const recipe::Recipe*> recipes;    // by node
    std::vector<const recipe::Version*> versions;  // by node
    std::string target;
    std::string target_flags;  // of the root's compiler
    std::string toolchain;

    [[nodiscard]] const recipe::Recipe& recipe(model::NodeId id) const {
        return *recipes.at(model::index(id));
    }
    [[nodiscard]] const recipe::Version& version(model::NodeId id) const {
        return *versions.at(model::index(id));
    }
};

// Pointers in the plan point into `input.catalog`, which must outlive it.
[[nodiscard]] base::Result<Plan> make_plan(const PlanInput& input);

// What differs between two identity texts, a line each ("patches: … -> …"); for --explain.
[[nodiscard]] std::vector<std::string> explain_difference(const std::string& before,
                                                          const std::string& now);

}  // namespace sf::build
