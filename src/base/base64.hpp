// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, section 4): one text for each sequence of bytes, and no other text is read.
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::base {

[[nodiscard]] std::string base64(std::string_view bytes);
// Code::corrupt: not what base64() would write.
[[nodiscard]] Result<std::string> from_base64(std::string_view text);

}  // namespace sf::base
