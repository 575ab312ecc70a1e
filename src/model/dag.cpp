// SPDX-License-Identifier: Apache-2.0
#include "model/dag.hpp"

#include <algorithm>
#include <stdexcept>

#include "model/names.hpp"

namespace sf::model {

std::string Spec::store_name() const { return model::store_name(name, version, identity); }

NodeId Dag::add(Spec spec) {
    const NodeId id{static_cast<std::uint32_t>(x_specs.size())};
    for (const auto* list : {&spec.build_dependencies, &spec.link_dependencies})
        for (const NodeId dependency : *list)
            if (index(dependency) >= x_specs.size())
                throw std::logic_error("a node was added before its dependencies");
    x_specs.push_back(std::move(spec));
    return id;
}

std::vector<NodeId> Dag::nodes() const {
    std::vector<NodeId> all;
    for (std::size_t i = 0; i < x_specs.size(); ++i)
        all.push_back(NodeId{static_cast<std::uint32_t>(i)});
    return all;
}

std::vector<NodeId> Dag::dependencies(NodeId id) const {
    std::vector<NodeId> all = at(id).build_dependencies;
    const std::vector<NodeId>& link = at(id).link_dependencies;
    all.insert(all.end(), link.begin(), link.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

namespace {

void visit_link_closure(const Dag& dag, NodeId id, std::vector<bool>& seen) {
    if (seen[index(id)]) return;
    seen[index(id)] = true;
    for (const NodeId dependency : dag.at(id).link_dependencies)
        visit_link_closure(dag, dependency, seen);
}

// Ids ascend from dependencies to dependants, so marking order needs no second sort.
std::vector<NodeId> marked(const std::vector<bool>& seen) {
    std::vector<NodeId> ids;
    for (std::size_t i = 0; i < seen.size(); ++i)
        if (seen[i]) ids.push_back(NodeId{static_cast<std::uint32_t>(i)});
    return ids;
}

}  // namespace

std::vector<NodeId> Dag::runtime_closure(NodeId id) const {
    std::vector<bool> seen(x_specs.size());
    visit_link_closure(*this, id, seen);
    return marked(seen);
}

std::vector<NodeId> Dag::build_closure(NodeId id) const {
    std::vector<bool> seen(x_specs.size());
    for (const NodeId dependency : dependencies(id)) visit_link_closure(*this, dependency, seen);
    return marked(seen);
}

std::optional<NodeId> Dag::find(std::string_view name) const {
    for (const NodeId id : nodes())
        if (at(id).name == name) return id;
    return std::nullopt;
}

std::vector<double> Dag::critical_path(std::span<const double> weight) const {
    std::vector<double> path(weight.begin(), weight.end());
    path.resize(x_specs.size());
    const std::vector<double> own = path;
    for (std::size_t i = x_specs.size(); i-- > 0;)
        for (const NodeId dependency : dependencies(NodeId{static_cast<std::uint32_t>(i)}))
            path[index(dependency)] =
                std::max(path[index(dependency)], own[index(dependency)] + path[i]);
    return path;
}

}  // namespace sf::model
