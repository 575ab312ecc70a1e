// SPDX-License-Identifier: Apache-2.0
// Brings a whole plan up to date: what is in the store is taken, the rest is built, in parallel,
// the critical path first, under one budget of jobs.
#pragma once

#include <set>
#include <vector>

#include "build/builder.hpp"

namespace sf::build {

struct EngineOptions {
    unsigned jobs = 1;
    bool keep_going = false;  // after a failure, build what does not depend on it
    bool rebuild = false;     // --no-cache: build every node, whatever is in the store
    // Not built where they are not there: nothing that is built or asked for needs them
    // (needs.hpp).
    std::set<model::NodeId> unneeded{};
};

enum class NodeState { reused, built, unneeded, failed, skipped };

struct NodeOutcome {
    NodeState state = NodeState::skipped;
    model::Package package;                 // reused or built
    std::optional<Taken> taken;             // reused, and was not built here
    std::map<std::string, StepTime> steps;  // built
    base::Error error;                      // failed
    std::string reason;                     // why it was built
};

struct BuildReport {
    std::vector<NodeOutcome> nodes;  // by node
    double wall_seconds = 0;
    [[nodiscard]] bool ok() const;
    [[nodiscard]] base::Status status() const;  // all failures in one error
};

// Why a node has to be built ("never built here", "patches: … -> …"), or "" if the store has it.
// Reads the store only.
[[nodiscard]] base::Result<std::string> reason_to_build(const PackageStore& store,
                                                        const model::Spec& spec, bool rebuild);

// Seconds of CPU time a node is expected to take: as recorded, else guessed from its source's size.
[[nodiscard]] std::vector<double> estimate(const Plan& plan, History& history);

[[nodiscard]] base::Result<BuildReport> bring_up_to_date(const BuildContext& context,
                                                         const EngineOptions& options,
                                                         History& history);

}  // namespace sf::build
