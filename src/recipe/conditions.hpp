// SPDX-License-Identifier: Apache-2.0
// Items of lists that hold for some versions only (docs/formats/recipe.md):
//   - when: ">=24.11"            the items of `then` stand here for those versions
//     then: [--enable-cgroupv2]
//   - when: ">=24.11"            this item stands here for those versions
//     paths: [lib/a.so]
// Knows YAML nodes and versions, not what the lists are for. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "recipe/findings.hpp"

namespace sf::recipe {

// Conditions that cannot be read, or that hold for none of `versions`.
void check_conditions(const YamlNode& node, const std::vector<std::string>& versions,
                      Findings& findings);

// The node as it is for one version, without conditions. A condition that cannot be read holds.
[[nodiscard]] YamlNode node_for(const YamlNode& node, const std::string& version);

// The node with all that any version has: for finding mistakes.
[[nodiscard]] YamlNode node_for_all(const YamlNode& node);

}  // namespace sf::recipe
