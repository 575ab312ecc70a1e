// SPDX-License-Identifier: Apache-2.0
// May software be installed to this folder? Root runs what is in there, so nobody else may be able
// to change it or to put something else in its place. Any thread.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace sf::tree {

// The absolute, normalised path with every symlink resolved by us. Refused, naming the folder:
// - a folder on the way that others may write to, unless it is sticky (like /tmp);
// - a folder or symlink on the way that belongs neither to root nor to us;
// - a prefix that exists and is not ours, or that others may write to, sticky or not.
// What does not exist yet is left for the installer to make. Looks only.
[[nodiscard]] base::Result<std::filesystem::path> check_prefix(const std::filesystem::path& prefix);

// Makes what is missing of a path that check_prefix has returned, each folder 0755. A link that
// somebody has put in the way since is not followed, not even one that takes the place of a folder
// of his at the last moment: each folder is made from the one above it, which is held open.
[[nodiscard]] base::Status make_prefix(const std::filesystem::path& checked);

// Code::failed if a path below `prefix` would be longer than the kernel takes.
[[nodiscard]] base::Status check_path_length(const std::filesystem::path& prefix,
                                             std::string_view longest_below);

}  // namespace sf::tree
