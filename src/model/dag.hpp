// SPDX-License-Identifier: Apache-2.0
// Specs and the graph they form: one package with every choice fixed is a node. Dense typed ids, so
// that per-node data lives in vectors. Plain values, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::model {

enum class NodeId : std::uint32_t {};
[[nodiscard]] inline std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

struct Spec {
    std::string name;
    std::string version;
    std::string toolchain;
    std::string target;  // "x86_64_v3"
    std::vector<NodeId> build_dependencies;
    std::vector<NodeId> link_dependencies;
    // SHA-256 over canonical JSON of everything that can change the result; computed by the
    // planner.
    base::Digest identity;
    // That JSON: --explain compares it with the recorded one, key by key.
    std::string identity_text;

    [[nodiscard]] std::string store_name() const;
};

class Dag {
public:
    // Dependencies must be in the graph already: what cannot be expressed cannot be cyclic.
    NodeId add(Spec spec);
    [[nodiscard]] const Spec& at(NodeId id) const { return x_specs.at(index(id)); }
    [[nodiscard]] std::size_t size() const { return x_specs.size(); }
    [[nodiscard]] std::vector<NodeId> nodes() const;  // dependencies before dependants
    // Direct dependencies of both kinds, without duplicates, in order of id.
    [[nodiscard]] std::vector<NodeId> dependencies(NodeId id) const;
    // Everything needed to run `id`, itself last: the closure over link dependencies.
    [[nodiscard]] std::vector<NodeId> runtime_closure(NodeId id) const;
    // Everything visible while building `id`: direct build dependencies with their runtime
    // closures, and the runtime closure of its link dependencies.
    [[nodiscard]] std::vector<NodeId> build_closure(NodeId id) const;
    [[nodiscard]] std::optional<NodeId> find(std::string_view name) const;
    // Weight of the heaviest path from each node to the end: `weight[i]` seconds for node i.
    [[nodiscard]] std::vector<double> critical_path(std::span<const double> weight) const;

private:
    std::vector<Spec> x_specs;
};

}  // namespace sf::model
