// SPDX-License-Identifier: Apache-2.0
// Symlinks, without exceptions: a loop is a link that leads nowhere. Any thread.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <filesystem>
#include <optional>

#include "base/result.hpp"
#include "base/text.hpp"

namespace sf::tree {

[[nodiscard]] inline bool is_link(const std::filesystem::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

// Something is there, behind all links. A server that does not answer says nothing about it.
[[nodiscard]] base::Result<bool> leads_somewhere(const std::filesystem::path& path);

// In one step: `link` is never missing. `fresh`, on the same file system, is made on the way; the
// link's own time is as given, or now.
[[nodiscard]] base::Status point(const std::filesystem::path& link,
                                 const std::filesystem::path& target,
                                 const std::filesystem::path& fresh,
                                 const std::optional<timespec>& time = {});

// Those that go with `view`, of the version that it leads to: which is missing, or leads nowhere,
// leads there too. `fresh` as for point().
[[nodiscard]] base::Status fit_current_links(const std::filesystem::path& prefix,
                                             const std::filesystem::path& fresh);

}  // namespace sf::tree
