// SPDX-License-Identifier: Apache-2.0
#include "base/hmac.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <stdexcept>

namespace sf::base {

std::string hmac_sha256(std::string_view key, std::string_view text) {
    std::array<unsigned char, 32> bytes{};
    unsigned size = 0;
    const void* const data = text.data();
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             static_cast<const unsigned char*>(data), text.size(), bytes.data(),
             &size) == nullptr ||
        size != bytes.size()) {
        throw std::runtime_error("OpenSSL cannot do HMAC-SHA-256");
    }
    return {bytes.begin(), bytes.end()};
}

std::string to_hex(std::string_view bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const char each : bytes) {
        const auto value = static_cast<unsigned char>(each);
        text += digits[value >> 4U];
        text += digits[value & 15U];
    }
    return text;
}

}  // namespace sf::base
