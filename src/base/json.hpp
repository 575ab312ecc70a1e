// SPDX-License-Identifier: Apache-2.0
// Strict JSON (RFC 8259): no duplicate keys, no trailing data, bounded depth and size; and one
// canonical text form, so that equal values have equal digests. Include from .cpp files only where
// possible: nlohmann's header is heavy.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::base {

using Json = nlohmann::json;  // objects are sorted by key

[[nodiscard]] Result<Json> parse_json(std::string_view text, std::size_t max_depth = 64);

// Sorted keys, no white space, UTF-8 as it is. Invalid UTF-8 is Code::corrupt. Floats are not used
// in anything that is hashed.
[[nodiscard]] Result<std::string> canonical_json(const Json& value);

}  // namespace sf::base
