// SPDX-License-Identifier: Apache-2.0
// The parts `build` and `package` of a recipe, for each of its versions. Knows nothing of the rest
// of a recipe. No global state, any thread.
#pragma once

#include <string>
#include <vector>

#include "recipe/findings.hpp"
#include "recipe/recipe.hpp"

namespace sf::recipe {

// Fills `build` and `package` of each version; a part that is not there is nullptr. `dependencies`:
// the names that @dep:NAME@ may use.
void read_parts(const YamlNode* build, const YamlNode* package,
                const std::vector<std::string>& dependencies, std::vector<Version>& versions,
                Findings& findings);

}  // namespace sf::recipe
