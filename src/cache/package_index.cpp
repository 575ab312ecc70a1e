// SPDX-License-Identifier: Apache-2.0
// Both directions of each text form stand side by side, so that they cannot drift apart.
#include "cache/package_index.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/ref_json.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::JsonReader;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Status check(const NameNode& node) {
    SF_CHECK(model::check_name(node.name, "package name"));
    for (const auto& [version, unused] : node.versions) SF_CHECK(model::check_version(version));
    return {};
}

Status check(const VersionNode& node) {
    SF_CHECK(model::check_name(node.name, "package name"));
    SF_CHECK(model::check_version(node.version));
    for (const Build& build : node.builds) {
        if (!is_dag_hash(build.hash)) return fail(Code::corrupt, "a build has no proper hash");
        SF_CHECK(model::check_name(build.toolchain, "toolchain name"));
        SF_CHECK(model::check_name(build.target, "target"));
    }
    const auto not_before = [](const Build& left, const Build& right) {
        return left.hash >= right.hash;
    };
    if (std::ranges::adjacent_find(node.builds, not_before) != node.builds.end())
        return fail(Code::corrupt, "builds are not in order, or one is there twice");
    return {};
}

Json write(const Build& build) {
    return {{"hash", build.hash},     {"toolchain", build.toolchain},
            {"target", build.target}, {"identity", build.identity.hex()},
            {"added", build.added},   {"manifest", cache::write(build.manifest)}};
}

Status read_build(const Json& json, Build& build) {
    JsonReader reader(json, "a build");
    reader.text("hash", build.hash);
    reader.text("toolchain", build.toolchain);
    reader.text("target", build.target);
    reader.digest("identity", build.identity);
    reader.number("added", build.added);
    read(reader, "manifest", build.manifest);
    return reader.status();
}

// The node that `ref` names, and of what it should be.
Result<std::string> read_node(const ReadNode& read, const Ref& ref) {
    if (ref.size > max_index_node) return fail(Code::corrupt, "a node of the index is too large");
    SF_TRY(const std::string packed, read(ref));
    if (packed.size() != ref.size || base::sha256(packed) != ref.sha256)
        return fail(Code::corrupt, "a node of the index is not the one that was signed: {}",
                    ref.sha256.hex());
    return base::during(gunzip(packed, max_index_node), "unpacking a node of the index");
}

Ref ref_of(const std::string& bytes) { return {base::sha256(bytes), bytes.size()}; }

}  // namespace

Result<std::string> to_json(const NameNode& node) {
    SF_CHECK(check(node));
    return base::canonical_json(
        {{"schema", schema}, {"name", node.name}, {"versions", write(node.versions)}});
}

Result<NameNode> name_node_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    JsonReader reader(json, "the index of a package");
    NameNode node;
    reader.schema(schema);
    reader.text("name", node.name);
    read(reader, "versions", node.versions);
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(node)));
    return node;
}

Result<std::string> to_json(const VersionNode& node) {
    SF_CHECK(check(node));
    Json builds = Json::array();
    for (const Build& build : node.builds) builds.push_back(write(build));
    return base::canonical_json({{"schema", schema},
                                 {"name", node.name},
                                 {"version", node.version},
                                 {"builds", std::move(builds)}});
}

Result<VersionNode> version_node_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    JsonReader reader(json, "the index of a version");
    VersionNode node;
    reader.schema(schema);
    reader.text("name", node.name);
    reader.text("version", node.version);
    reader.each("builds", [&](const Json& item) -> Status {
        return read_build(item, node.builds.emplace_back());
    });
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(node)));
    return node;
}

Result<std::optional<NameNode>> PackageIndex::name_node(const std::string& name) const {
    const auto known = x_snapshot.names.find(name);
    if (known == x_snapshot.names.end()) return std::optional<NameNode>();
    SF_TRY(const std::string text, read_node(x_read, known->second));
    SF_TRY(NameNode node, name_node_from_json(text));
    // The digest is the signed one all the same: whoever signed was wrong.
    if (node.name != name)
        return fail(Code::corrupt, "the index of {} is that of {}", name, node.name);
    return std::optional(std::move(node));
}

Result<std::vector<std::string>> PackageIndex::versions(const std::string& name) const {
    SF_TRY(const auto node, name_node(name));
    std::vector<std::string> versions;
    if (!node) return versions;
    for (const auto& [version, unused] : node->versions) versions.push_back(version);
    return versions;
}

Result<std::vector<Build>> PackageIndex::builds(const std::string& name,
                                                const std::string& version) const {
    SF_TRY(const auto node, name_node(name));
    if (!node) return std::vector<Build>();
    const auto known = node->versions.find(version);
    if (known == node->versions.end()) return std::vector<Build>();
    SF_TRY(const std::string text, read_node(x_read, known->second));
    SF_TRY(VersionNode found, version_node_from_json(text));
    if (found.name != name || found.version != version)
        return fail(Code::corrupt, "the index of {} {} is that of {} {}", name, version, found.name,
                    found.version);
    return std::move(found.builds);
}

// Gathers the nodes that change, each read once.
class IndexUpdate {
public:
    IndexUpdate(const Snapshot& snapshot, const ReadNode& read)
        : x_index(snapshot, read), x_next(snapshot.serial + 1) {}

    Status add(const NewBuild& added) {
        SF_TRY(NameNode* const name, name_of(added.name));
        SF_TRY(VersionNode* const version, version_of(*name, added.version));
        auto& builds = version->builds;
        const auto place = std::ranges::lower_bound(builds, added.build.hash, {}, &Build::hash);
        if (place == builds.end() || place->hash != added.build.hash) {
            Build fresh = added.build;
            fresh.added = x_next;
            builds.insert(place, std::move(fresh));
            x_changed.insert({added.name, added.version});
            return {};
        }
        Build same = added.build;
        same.added = place->added;
        if (*place == same) return {};
        if (added.renewed && place->identity == same.identity) {
            *place = std::move(same);
            x_changed.insert({added.name, added.version});
            return {};
        }
        return fail(Code::refused,
                    "{} {} ({}) is published already, with another {}: what was published never "
                    "changes",
                    added.name, added.version, added.build.hash,
                    place->identity != added.build.identity ? "identity" : "manifest");
    }

    Status remove(const std::string& name, const std::string& version,
                  const std::set<std::string>& hashes) {
        SF_TRY(NameNode* const node, name_of(name));
        if (!node->versions.contains(version)) return {};
        SF_TRY(VersionNode* const its, version_of(*node, version));
        const auto removed = std::erase_if(
            its->builds, [&](const Build& build) { return hashes.contains(build.hash); });
        if (removed == 0) return {};
        if (!its->builds.empty()) {
            x_changed.insert({name, version});
            return {};
        }
        node->versions.erase(version);
        x_gone.insert({name, version});
        if (!node->versions.empty()) return {};
        return fail(Code::refused, "nothing of {} would be left", name);
    }

    Result<IndexChange> finish() {
        IndexChange change;
        change.names = x_index.x_snapshot.names;
        for (const auto& key : x_changed) {
            SF_TRY(const std::string text, to_json(x_versions.at(key)));
            SF_TRY(std::string packed, gzip(text));
            x_names.at(key.first).versions[key.second] = ref_of(packed);
            change.nodes.push_back(std::move(packed));
        }
        std::set<std::string> names;
        for (const auto& [name, unused] : x_changed) names.insert(name);
        for (const auto& [name, unused] : x_gone) names.insert(name);
        for (const std::string& name : names) {
            SF_TRY(const std::string text, to_json(x_names.at(name)));
            SF_TRY(std::string packed, gzip(text));
            change.names[name] = ref_of(packed);
            change.nodes.push_back(std::move(packed));
        }
        change.changed = !names.empty();
        change.gone = std::move(x_gone);
        return change;
    }

private:
    Result<NameNode*> name_of(const std::string& name) {
        if (const auto known = x_names.find(name); known != x_names.end()) return &known->second;
        SF_TRY(auto node, x_index.name_node(name));
        return &x_names.emplace(name, node ? std::move(*node) : NameNode{name, {}}).first->second;
    }
    Result<VersionNode*> version_of(const NameNode& name, const std::string& version) {
        const std::pair key(name.name, version);
        if (const auto known = x_versions.find(key); known != x_versions.end())
            return &known->second;
        VersionNode node{name.name, version, {}};
        if (name.versions.contains(version)) {
            SF_TRY(node.builds, x_index.builds(name.name, version));
        }
        return &x_versions.emplace(key, std::move(node)).first->second;
    }

    PackageIndex x_index;
    std::uint64_t x_next;
    std::map<std::string, NameNode> x_names;
    std::map<std::pair<std::string, std::string>, VersionNode> x_versions;
    std::set<std::pair<std::string, std::string>> x_changed;
    std::set<std::pair<std::string, std::string>> x_gone;
};

Result<IndexChange> add_builds(const Snapshot& snapshot, const ReadNode& read,
                               const std::vector<NewBuild>& builds) {
    IndexUpdate update(snapshot, read);
    for (const NewBuild& each : builds) SF_CHECK(update.add(each));
    return update.finish();
}

Result<IndexChange> remove_builds(const Snapshot& snapshot, const ReadNode& read,
                                  const BuildsByVersion& builds) {
    IndexUpdate update(snapshot, read);
    for (const auto& [name, versions] : builds) {
        if (!snapshot.names.contains(name)) continue;
        for (const auto& [version, hashes] : versions)
            SF_CHECK(update.remove(name, version, hashes));
    }
    return update.finish();
}

}  // namespace sf::cache
