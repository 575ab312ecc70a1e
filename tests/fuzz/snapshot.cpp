// SPDX-License-Identifier: Apache-2.0
// What a cache says it holds: snapshots and nodes of the index. What is read has one text form.
#include "cache/snapshot.hpp"

#include "cache/layout.hpp"
#include "cache/package_index.hpp"
#include "fuzz/fuzz.hpp"

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
    return 0;
}
