// SPDX-License-Identifier: Apache-2.0
// The parts of a tree that need no archive: folders, links, texts that are at hand. Any thread.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::tree {

// Makes `entry` below `stage`, with the folders above it; a file gets `text`. Returns it as it is
// on disk.
[[nodiscard]] base::Result<model::FileEntry> refill(const std::filesystem::path& stage,
                                                    const model::FileEntry& entry,
                                                    std::string_view text);

}  // namespace sf::tree
