// SPDX-License-Identifier: Apache-2.0
// Which packages of a plan have to be there for what is asked for: what is built needs all it is
// built with, what is there already only what it runs with. Pure, any thread.
#pragma once

#include <functional>
#include <vector>

#include "model/dag.hpp"

namespace sf::build {

// By node. `ready`: nobody builds it here, because it is there or comes from elsewhere; asked once
// of each node that is needed, dependants first.
[[nodiscard]] std::vector<bool> needed(const model::Dag& dag,
                                       const std::vector<model::NodeId>& goals,
                                       const std::function<bool(model::NodeId)>& ready);

}  // namespace sf::build
