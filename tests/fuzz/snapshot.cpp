// SPDX-License-Identifier: Apache-2.0
// What a cache says it holds: snapshots, nodes of the index, lists of revocations. What is read has
// one text form. The site's list of caches and of keys beside them.
#include "cache/snapshot.hpp"

#include "cache/layout.hpp"
#include "cache/named_caches.hpp"
#include "cache/package_index.hpp"
#include "fuzz/fuzz.hpp"
#include "trust/revocation_list.hpp"
#include "trust/trust_store.hpp"

using namespace sf;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto snapshot = cache::snapshot_from_text(text)) {
        fuzz::require(fuzz::need(cache::to_text(*snapshot)) == text, "one text form");
        fuzz::require(snapshot->expires > snapshot->issued, "times are in order");
    }
    if (const auto node = cache::name_node_from_json(text))
        fuzz::require(fuzz::need(cache::to_json(*node)) == text, "one text form");
    if (const auto node = cache::version_node_from_json(text)) {
        fuzz::require(fuzz::need(cache::to_json(*node)) == text, "one text form");
        for (const cache::Build& build : node->builds)
            fuzz::require(cache::is_dag_hash(build.hash), "hashes are hashes");
    }
    static_cast<void>(cache::seen_from_json(text));
    if (const auto list = trust::revocations_from_text(text)) {
        fuzz::require(fuzz::need(trust::to_text(*list)) == text, "one text form");
        fuzz::require(list->withdrawn().size() == list->keys.size(), "each key is named once");
    }
    static_cast<void>(trust::seen_revocations_from_json(text));
    if (const auto caches = cache::parse_caches_file(text))
        fuzz::require(
            cache::parse_caches_file(fuzz::need(cache::caches_file_text(*caches))).value() ==
                *caches,
            "what is written is read");
    if (const auto lists = trust::parse_trust_file(text))
        fuzz::require(trust::trust_file_text(*lists).has_value(), "what is read can be written");
    return 0;
}
