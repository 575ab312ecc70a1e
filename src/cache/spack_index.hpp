// SPDX-License-Identifier: Apache-2.0
// The small unsigned files of a mirror that Spack reads first: its index (database version 8), the
// list of its keys, and what its layout is. Nobody of ours believes them: they are made from the
// signed manifests and can be made again. The readers are total and strict. Plain values, any
// thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/spack_spec.hpp"

namespace sf::cache {

// v3/layout.json: one text, and what has another is no mirror of ours.
inline constexpr std::string_view layout_text = R"({"signing": "gpg"})";

struct SpackIndex {
    struct Entry {
        SpackNode node;
        // Its manifest is in this mirror. The others are there because Spack installs a package
        // without those dependencies that the index lacks, with no more than a warning.
        bool in_buildcache = false;
        bool operator==(const Entry&) const = default;
    };
    std::map<std::string, Entry> entries;  // by hash
    bool operator==(const SpackIndex&) const = default;

    // The root is in this mirror, its dependencies are at least known.
    void add(const SpackSpec& spec);
};

// Code::failed if an entry depends on what is no entry.
[[nodiscard]] base::Result<std::string> to_json(const SpackIndex& index);
[[nodiscard]] base::Result<SpackIndex> spack_index_from_json(std::string_view text);

// The blob of keys.manifest.json: fingerprints, sorted.
[[nodiscard]] base::Result<std::string> keys_to_json(const std::vector<std::string>& fingerprints);
[[nodiscard]] base::Result<std::vector<std::string>> keys_from_json(std::string_view text);

}  // namespace sf::cache
