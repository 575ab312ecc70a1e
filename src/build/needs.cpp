// SPDX-License-Identifier: Apache-2.0
#include "build/needs.hpp"

namespace sf::build {

using model::NodeId;

std::vector<bool> needed(const model::Dag& dag, const std::vector<NodeId>& goals,
                         const std::function<bool(NodeId)>& ready) {
    std::vector<bool> marked(dag.size());
    for (const NodeId goal : goals) marked.at(model::index(goal)) = true;
    // Ids ascend from dependencies to dependants: who needs a node was asked before it is.
    const std::vector<NodeId> nodes = dag.nodes();
    for (auto id = nodes.rbegin(); id != nodes.rend(); ++id) {
        if (!marked[model::index(*id)]) continue;
        for (const NodeId each : ready(*id) ? dag.at(*id).link_dependencies : dag.dependencies(*id))
            marked[model::index(each)] = true;
    }
    return marked;
}

}  // namespace sf::build
