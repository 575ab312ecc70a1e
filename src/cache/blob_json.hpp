// SPDX-License-Identifier: Apache-2.0
// A blob's record as ordered JSON. Apart from blob_record.hpp because of its heavy header; for .cpp
// files. Any thread.
#pragma once

#include "cache/blob_record.hpp"
#include "cache/json_text.hpp"

namespace sf::cache {

inline constexpr int manifest_version = 3;

[[nodiscard]] OrderedJson json_of(const BlobRecord& record);

}  // namespace sf::cache
