// SPDX-License-Identifier: Apache-2.0
// From what was asked, what the machine is and what the bundle brings to a plan. Everything that
// speaks against it is found here, all of it, before anything is touched. Pure, any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "deploy/facts.hpp"
#include "deploy/options.hpp"
#include "deploy/plan.hpp"
#include "deploy/record.hpp"
#include "model/manifest.hpp"

namespace sf::deploy {

struct Target {  // target.json of the assets: what the bundle is for
    std::string title;
    std::string family;
    model::OsRelease os;
    std::string codename;  // "noble"; empty in bundles that do not say it
};
[[nodiscard]] base::Result<Target> parse_target(std::string_view json);

// By their paths below the version's assets.
using Templates = std::map<std::string, std::string>;

struct PlanInputs {
    const Options& options;
    const Facts& facts;
    const Record& record;
    const model::Bundle& bundle;
    const Target& target;
    Templates templates;
    std::string tree;  // where the software will be
    bool copy = false;
    std::string node_parameters;  // as slurmd finds them; empty: not asked
    std::string shared;           // why other hosts may run from `tree`; empty: none is known of
    bool noexec = false;          // `tree` is on a file system that runs no programs
};

struct Planned {
    Plan plan;
    Answers answers;  // with every default filled in: what the record keeps
};

// What was asked now, else before, else the defaults.
[[nodiscard]] Answers effective_answers(const Options& options, const Record& record,
                                        const Facts& facts);

// All reasons not to go on; empty: none.
[[nodiscard]] std::vector<base::Error> find_problems(const PlanInputs& inputs,
                                                     const Answers& answers);

[[nodiscard]] base::Result<Planned> make_plan(const PlanInputs& inputs, const Answers& answers);

// Is there such a plugin of Slurm in the bundle?
[[nodiscard]] bool has_plugin(const model::Bundle& bundle, std::string_view file);

}  // namespace sf::deploy
