// SPDX-License-Identifier: Apache-2.0
// Every difference between a folder and what a manifest says of it, where tree_matcher.hpp stops at
// the first. Looks only; symlinks are never followed. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::tree {

struct Difference {
    std::string path;  // from the folder; empty: the folder itself
    std::string what;  // "is missing", "has mode 600, not 644"
};

// `expected` with its folders. Without `deep` files are looked at, not read. What cannot be looked
// at is a difference; the error is a stop.
[[nodiscard]] base::Result<std::vector<Difference>> differences(
    const std::filesystem::path& folder, const std::vector<model::FileEntry>& expected, bool deep);

}  // namespace sf::tree
