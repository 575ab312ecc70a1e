// SPDX-License-Identifier: Apache-2.0
// What gpgv says on --status-fd, read totally: any text gives a value or an error. User ids in it
// are never unescaped: GnuPG writes a line feed in one as %0A, so that a key cannot add lines of
// its own. Knows nothing of trust. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::trust {

enum class SignatureState {
    good,               // GOODSIG
    bad,                // BADSIG
    expired_signature,  // EXPSIG
    expired_key,        // EXPKEYSIG
    revoked_key,        // REVKEYSIG
    unchecked,          // ERRSIG: key unknown, or algorithm not accepted
};

struct SignatureStatus {
    SignatureState state = SignatureState::unchecked;
    std::string key;      // fingerprint or 16-digit id of the key that signed, as told
    std::string primary;  // from VALIDSIG; empty without one
    unsigned hash_algorithm = 0;
    unsigned signature_class = 0;
    std::int64_t created = 0;  // seconds since 1970; 0 if not told
    unsigned error = 0;        // ERRSIG's reason: 4 algorithm, 9 no public key
    bool valid = false;        // a VALIDSIG line was there
};

struct GpgStatus {
    std::vector<SignatureStatus> signatures;
    bool no_data = false;     // NODATA: nothing like a signature was found
    bool unexpected = false;  // UNEXPECTED, BADARMOR
    unsigned texts = 0;       // PLAINTEXT: messages that hold what was signed
};

[[nodiscard]] base::Result<GpgStatus> parse_status(std::string_view text);

}  // namespace sf::trust
