// SPDX-License-Identifier: Apache-2.0
// Symlinks, without exceptions: a loop is a link that leads nowhere. Any thread.
#pragma once

#include <sys/stat.h>

#include <filesystem>

namespace sf::tree {

[[nodiscard]] inline bool is_link(const std::filesystem::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

// Something is there, behind all links.
[[nodiscard]] inline bool leads_somewhere(const std::filesystem::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0;
}

}  // namespace sf::tree
