// SPDX-License-Identifier: Apache-2.0
// Small texts, gzipped, as Spack reads them. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cache/blob_record.hpp"

namespace sf::cache {

// The same text gives the same bytes.
[[nodiscard]] base::Result<std::string> gzip(std::string_view text);
// Code::corrupt for what is none, or holds more than `most` bytes.
[[nodiscard]] base::Result<std::string> gunzip(std::string_view bytes, std::uint64_t most);

// Of a blob that is a text, stored or unpacked.
inline constexpr std::uint64_t max_text = std::uint64_t{256} << 20;

// The text that a blob holds, whose bytes were compared with its record already.
[[nodiscard]] base::Result<std::string> text_of(const BlobRecord& blob, std::string stored);

}  // namespace sf::cache
