// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_index.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/spack_json.hpp"
#include "trust/fingerprint.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr const char* database_version = "8";

bool is_counted(const SpackDependency& edge) {
    return std::ranges::any_of(
        edge.deptypes, [](const std::string& type) { return type == "link" || type == "run"; });
}

// How many entries need each to run: what Spack counts, and keeps for each.
Result<std::map<std::string_view, std::uint64_t>> references(const SpackIndex& index) {
    std::map<std::string_view, std::uint64_t> counts;
    for (const auto& [hash, entry] : index.entries) {
        for (const SpackDependency& edge : entry.node.dependencies) {
            const auto found = index.entries.find(edge.hash);
            if (found == index.entries.end() || found->second.node.name != edge.name)
                return fail(Code::failed,
                            "the index has {}/{}, but not {}/{}, which it depends on: Spack would "
                            "install it without that",
                            entry.node.name, hash, edge.name, edge.hash);
            if (is_counted(edge)) ++counts[found->first];
        }
    }
    return counts;
}

}  // namespace

void SpackIndex::add(const SpackSpec& spec) {
    for (const SpackNode& node : spec.nodes) entries.try_emplace(node.hash, Entry{node, false});
    entries.at(spec.root().hash).in_buildcache = true;
}

Result<std::string> to_json(const SpackIndex& index) {
    SF_TRY(auto counts, references(index));
    OrderedJson installs = OrderedJson::object();
    for (const auto& [hash, entry] : index.entries) {
        SF_TRY(OrderedJson node, node_json(entry.node));
        if (entry.node.hash != hash)
            return fail(Code::failed, "the index has {} under another hash", entry.node.name);
        if (entry.in_buildcache && !entry.node.external_path.empty())
            return fail(Code::failed, "the external {} cannot be in a mirror", entry.node.name);
        OrderedJson record;
        record["spec"] = std::move(node);
        record["ref_count"] = counts[hash];
        record["in_buildcache"] = entry.in_buildcache;
        // Not by name, which would be looked for among all before it.
        installs.get_ref<OrderedJson::object_t&>().emplace_back(hash, std::move(record));
    }
    OrderedJson json;
    json["database"]["version"] = database_version;
    json["database"]["installs"] = std::move(installs);
    return compact_text(json);
}

Result<SpackIndex> spack_index_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    SF_TRY(const Json* database, json_object(json, "database", "the index"));
    SF_TRY(const Json* installs, json_object(*database, "installs", "the index"));
    SpackIndex index;
    for (const auto& [hash, record] : installs->items()) {
        SF_TRY(const Json* spec, json_object(record, "spec", "an entry of the index"));
        SpackIndex::Entry entry;
        SF_TRY(entry.node, node_from_json(*spec));
        SF_TRY(entry.in_buildcache, json_flag(record, "in_buildcache", "an entry of the index"));
        index.entries.emplace(hash, std::move(entry));
    }
    Result<std::string> again = to_json(index);
    if (!again) return fail(Code::corrupt, "{}", again.error().text());
    SF_CHECK(is_one_text(*again, text, "the index"));
    return index;
}

Result<std::string> keys_to_json(const std::vector<std::string>& fingerprints) {
    OrderedJson keys = OrderedJson::object();
    const std::string* before = nullptr;
    for (const std::string& fingerprint : fingerprints) {
        SF_TRY([[maybe_unused]] const auto parsed, trust::Fingerprint::parse(fingerprint));
        if (before != nullptr && *before >= fingerprint)
            return fail(Code::corrupt, "the list of keys is not sorted, or has one twice");
        before = &fingerprint;
        // Not by name, as above.
        keys.get_ref<OrderedJson::object_t&>().emplace_back(fingerprint, OrderedJson::object());
    }
    OrderedJson json;
    json["keys"] = std::move(keys);
    return compact_text(json);
}

Result<std::vector<std::string>> keys_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    SF_TRY(const Json* keys, json_object(json, "keys", "the list of keys"));
    std::vector<std::string> fingerprints;
    for (const auto& item : keys->items()) fingerprints.push_back(item.key());
    SF_TRY(const std::string again, keys_to_json(fingerprints));
    SF_CHECK(is_one_text(again, text, "the list of keys"));
    return fingerprints;
}

}  // namespace sf::cache
