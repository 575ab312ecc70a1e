// SPDX-License-Identifier: Apache-2.0
// Small texts, gzipped, as Spack reads them. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::cache {

// The same text gives the same bytes.
[[nodiscard]] base::Result<std::string> gzip(std::string_view text);
// Code::corrupt for what is none, or holds more than `most` bytes.
[[nodiscard]] base::Result<std::string> gunzip(std::string_view bytes, std::uint64_t most);

}  // namespace sf::cache
