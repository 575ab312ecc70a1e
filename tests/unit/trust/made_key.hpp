// SPDX-License-Identifier: Apache-2.0
// An Ed25519 key of OpenPGP (version 4) made here, packet by packet, where GnuPG would take long or
// would not do it: thousands of keys, and keys with the same key id. Real keys that GnuPG takes.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sf::test {

class MadeKey {
public:
    explicit MadeKey(std::uint32_t created);

    // The fingerprint depends on the time as well.
    void set_created(std::uint32_t created) { x_created = created; }
    [[nodiscard]] std::string fingerprint() const;  // 40 digits

    // The public key with one user id and its certification, as packets.
    [[nodiscard]] std::string packets(std::string_view user_id) const;
    // A detached signature of bytes, as a packet.
    [[nodiscard]] std::string sign(std::string_view bytes, std::uint32_t time) const;

private:
    [[nodiscard]] std::string body() const;
    [[nodiscard]] std::string digest() const;  // the fingerprint's bytes
    [[nodiscard]] std::string signature(std::uint8_t type, const std::string& content,
                                        std::uint32_t time, const std::string& flags) const;

    struct Free {
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    };
    std::unique_ptr<EVP_PKEY, Free> x_key;
    std::string x_public;
    std::uint32_t x_created;
};

// Packets as the text that is passed around.
[[nodiscard]] std::string armor_public_key(std::string_view packets);

}  // namespace sf::test
