// SPDX-License-Identifier: Apache-2.0
// recipes/<name>/recipe.yaml to a Recipe, with everything that can be found wrong in that one file
// and its patches (docs/formats/recipe.md). Knows no other recipe: names it depends on are checked
// by lint. Reads patch files only. No global state, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "recipe/findings.hpp"

namespace sf::recipe {

struct ReadRecipe {
    Recipe recipe;
    std::map<std::string, int> dependency_lines;  // by name
    std::map<std::string, int> source_lines;      // by version
    std::map<std::string, int> host_lines;        // by soname
};

// `findings.file()` is the path of recipe.yaml. Whatever is wrong is a finding; the recipe holds
// what could be read.
[[nodiscard]] ReadRecipe read_recipe(std::string_view text, Findings& findings);

}  // namespace sf::recipe
