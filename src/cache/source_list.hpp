// SPDX-License-Identifier: Apache-2.0
// What one package was made from, file by file: the blob beside a package's own that names objects
// below sources/ (docs/formats/cache.md), so that who has a cache can get the complete source of
// each program in it. Laid out at their paths the files are a data folder and a source mirror that
// slurm-factory builds from. Plain values; the reader is total and strict. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::cache {

struct ListedSource {
    std::string path;  // relative: "recipes/munge/recipe.yaml"
    bool executable = false;
    base::Digest sha256;
    std::uint64_t size = 0;
    bool operator==(const ListedSource&) const = default;
};

struct SourceList {
    std::string name;
    std::string version;
    base::Digest identity;
    std::vector<ListedSource> files;  // sorted by path, each once
};

[[nodiscard]] base::Result<std::string> to_json(const SourceList& list);
[[nodiscard]] base::Result<SourceList> source_list_from_json(std::string_view text);

}  // namespace sf::cache
