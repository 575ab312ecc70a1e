// SPDX-License-Identifier: Apache-2.0
// Files that say whom to believe: read only where nobody but root and this user can have written
// them. Knows nothing of what they say. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace sf::trust {

// A folder or file that belongs to root or to us and that others cannot write. Absent: false.
// Code::refused otherwise, symlinks included.
[[nodiscard]] base::Result<bool> check_safe_folder(const std::filesystem::path& folder);

// The same of a file, which is then read; absent is nullopt.
[[nodiscard]] base::Result<std::optional<std::string>> read_safe(const std::filesystem::path& path,
                                                                 std::uint64_t limit);

}  // namespace sf::trust
