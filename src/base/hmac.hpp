// SPDX-License-Identifier: Apache-2.0
// HMAC-SHA-256 (RFC 2104), by OpenSSL's one call. Apart from digest.hpp, whose functions a static
// program may use: this one loads a provider at run time. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace sf::base {

// 32 bytes, as they are: the key of the next step, or to_hex.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view text);

// Two digits a byte, lower case.
[[nodiscard]] std::string to_hex(std::string_view bytes);

}  // namespace sf::base
