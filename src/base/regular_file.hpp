// SPDX-License-Identifier: Apache-2.0
// Small files in folders where others may have put anything. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "base/result.hpp"

namespace sf::base {

// The whole file; nullopt if there is none. What is not a regular file is Code::refused, at once:
// nobody waits for the other end of a FIFO. Larger than `limit` bytes is Code::corrupt.
[[nodiscard]] Result<std::optional<std::string>> read_regular_file(
    const fs::path& path, std::uint64_t limit = std::uint64_t{64} << 20);

}  // namespace sf::base
