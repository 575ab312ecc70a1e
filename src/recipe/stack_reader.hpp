// SPDX-License-Identifier: Apache-2.0
// stacks/*.yaml, toolchains/*.yaml and advisories.yaml to values, with what is wrong in that one
// file (docs/formats/recipe.md). Names of recipes and versions are checked by lint, which knows
// them all. Pure, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/findings.hpp"

namespace sf::recipe {

struct ReadStack {
    Stack stack;
    std::map<std::string, int> slurm_lines;    // by version
    std::map<std::string, int> package_lines;  // by name
    int packages_line = 0;
};

struct ReadAdvisories {
    std::map<std::string, std::vector<Advisory>> advisories;
    std::map<std::string, int> package_lines;
};

// `findings.file()` gives the file's name, which must fit the content.
[[nodiscard]] ReadStack read_stack(std::string_view text, Findings& findings);
[[nodiscard]] model::Toolchain read_toolchain(std::string_view text, Findings& findings);
[[nodiscard]] ReadAdvisories read_advisories(std::string_view text, Findings& findings);

// "2027-05-31": a day that exists.
[[nodiscard]] bool is_iso_date(std::string_view text);

}  // namespace sf::recipe
