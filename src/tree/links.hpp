// SPDX-License-Identifier: Apache-2.0
// Symlinks, without exceptions: a loop is a link that leads nowhere. Any thread.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/result.hpp"
#include "base/text.hpp"

namespace sf::tree {

[[nodiscard]] inline bool is_link(const std::filesystem::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

// Something is there, behind all links. A server that does not answer says nothing about it.
[[nodiscard]] inline base::Result<bool> leads_somewhere(const std::filesystem::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return false;
    return base::fail_errno(errno, "look at " + base::escape_untrusted(path.native()));
}

}  // namespace sf::tree
