// SPDX-License-Identifier: Apache-2.0
// An OpenPGP key as GnuPG lists it (`--with-colons`), and the parser of that listing. Pure, any
// thread; the parser is total: hostile text gives an error, never a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/fingerprint.hpp"

namespace sf::trust {

struct KeyPart {  // a primary key or one of its subkeys
    Fingerprint fingerprint;
    std::string key_id;      // 16 hexadecimal digits, only to understand what GnuPG prints
    unsigned algorithm = 0;  // OpenPGP's number: 1 RSA, 17 DSA, 19 ECDSA, 22 EdDSA
    unsigned bits = 0;
    std::int64_t created = 0;             // seconds since 1970
    std::optional<std::int64_t> expires;  // never, if absent
    bool revoked = false;
    bool expired = false;
    bool signs = false;
};

struct Key {
    KeyPart primary;
    std::vector<KeyPart> subkeys;
    std::vector<std::string> user_ids;  // as the key says, printable by escape_untrusted() only
    bool secret = false;

    // The part whose fingerprint or 16-digit id this is.
    [[nodiscard]] const KeyPart* part(std::string_view fingerprint_or_id) const;
};

// Of `gpg --with-colons --fixed-list-mode --with-subkey-fingerprint`, --list-keys or
// --list-secret-keys.
[[nodiscard]] base::Result<std::vector<Key>> parse_key_listing(std::string_view text);

// "RSA 4096", "Ed25519"
[[nodiscard]] std::string algorithm_text(const KeyPart& part);

// RSA of 3072 bits or more, EdDSA, or ECDSA of 255 bits or more.
[[nodiscard]] bool strong_enough(const KeyPart& part);

}  // namespace sf::trust
