// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_spec.hpp"

#include <map>
#include <set>

#include "base/text.hpp"
#include "cache/spack_json.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int specfile_version = 5;
constexpr int buildcache_version = 2;
// Of one spec. Slurm's has two dozen; the walk below goes as deep as the longest chain.
constexpr std::size_t most_nodes = 1000;

class Walk {
public:
    explicit Walk(std::span<const SpackNode> pool) {
        for (const SpackNode& node : pool) x_pool.emplace(node.hash, &node);
    }

    Status visit(const SpackNode& node) {
        if (!x_seen.insert(node.hash).second) {
            if (x_open.contains(node.hash))
                return fail(Code::corrupt, "{} depends on itself", node.name);
            return {};
        }
        if (x_spec.nodes.size() == most_nodes)
            return fail(Code::corrupt, "a spec of more than {} nodes", most_nodes);
        x_spec.nodes.push_back(node);
        x_open.insert(node.hash);
        for (const SpackDependency& edge : node.dependencies) {
            const auto found = x_pool.find(edge.hash);
            if (found == x_pool.end() || found->second->name != edge.name)
                return fail(Code::corrupt, "{} depends on {}/{}, which is not there", node.name,
                            edge.name, edge.hash);
            SF_CHECK(visit(*found->second));
        }
        x_open.erase(node.hash);
        return {};
    }

    SpackSpec take() { return std::move(x_spec); }

private:
    std::map<std::string_view, const SpackNode*> x_pool;
    std::set<std::string> x_seen;
    std::set<std::string> x_open;  // on the way from the root to here
    SpackSpec x_spec;
};

}  // namespace

Result<SpackSpec> spec_of(const SpackNode& root, std::span<const SpackNode> pool) {
    Walk walk(pool);
    SF_CHECK(walk.visit(root));
    return walk.take();
}

Result<std::string> to_json(const SpackSpec& spec) {
    OrderedJson nodes = OrderedJson::array();
    for (const SpackNode& node : spec.nodes) {
        SF_TRY(OrderedJson json, node_json(node));
        nodes.push_back(std::move(json));
    }
    OrderedJson json;
    json["spec"]["_meta"]["version"] = specfile_version;
    json["spec"]["nodes"] = std::move(nodes);
    json["buildcache_layout_version"] = buildcache_version;
    return compact_text(json);
}

Result<SpackSpec> spack_spec_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    SF_TRY(const Json* spec, json_object(json, "spec", "the spec blob"));
    SF_TRY(const Json* list, json_list(*spec, "nodes", "the spec blob"));
    if (list->empty() || list->size() > most_nodes)
        return fail(Code::corrupt, "the spec blob has no nodes, or more than {}", most_nodes);
    SpackSpec read;
    for (const Json& item : *list) {
        SF_TRY(SpackNode node, node_from_json(item));
        read.nodes.push_back(std::move(node));
    }
    SF_TRY(const SpackSpec walked, spec_of(read.root(), read.nodes));
    if (walked != read)
        return fail(Code::corrupt,
                    "the nodes of the spec of {} are not its root and what that depends on, each "
                    "once, in Spack's order",
                    read.root().name);
    SF_TRY(const std::string again, to_json(read));
    SF_CHECK(is_one_text(again, text, "the spec blob"));
    return read;
}

}  // namespace sf::cache
