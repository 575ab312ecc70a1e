// SPDX-License-Identifier: Apache-2.0
// Folders that every user may pass, whatever the umask: others run what is installed. Any thread.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace sf::tree {

// That it is one, and no link to one; Code::refused: something else is in the way.
[[nodiscard]] base::Status check_folder(const std::filesystem::path& path);

// 0755. One that is there stays as it is; Code::refused: something else is in the way.
[[nodiscard]] base::Status make_public_folder(const std::filesystem::path& path);
// With those above it that are missing.
[[nodiscard]] base::Status make_public_folders(const std::filesystem::path& path);

}  // namespace sf::tree
