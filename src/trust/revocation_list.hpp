// SPDX-License-Identifier: Apache-2.0
// What an offline root takes back: keys whose signatures no longer count, and builds that nobody
// should install any more (docs/formats/revocations.md). Text and values, and whether one list may
// follow another; who signed it is judged before (verdict.hpp). Pure, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "trust/fingerprint.hpp"

namespace sf::trust {

struct RevokedKey {
    Fingerprint fingerprint;  // of a primary key
    std::string reason;       // for people
    std::int64_t time = 0;    // when it was put on the list; every signature of the key is meant
};

struct RevokedBuild {
    base::Digest sha256;  // a package's identity, or the digest of one of its archives
    std::string reason;
    std::int64_t time = 0;
};

struct RevocationList {
    std::uint64_t serial = 0;          // from 1, grows with each list
    std::int64_t issued = 0;           // seconds since 1970
    std::int64_t expires = 0;          // not inclusive
    std::vector<RevokedKey> keys;      // sorted, each once
    std::vector<RevokedBuild> builds;  // sorted, each once

    [[nodiscard]] std::map<Fingerprint, std::string> withdrawn() const;
    // The reason; nullptr: it is not on the list.
    [[nodiscard]] const std::string* reason_of(const base::Digest& sha256) const;
};

inline constexpr std::uint64_t max_revocations = std::uint64_t{4} << 20;
inline constexpr std::chrono::seconds revocations_lifetime = std::chrono::hours(24 * 365);

// The text that is signed: JSON, a member a line.
[[nodiscard]] base::Result<std::string> to_text(const RevocationList& list);
// Of what gpg said was signed. Total and strict: a text has one form.
[[nodiscard]] base::Result<RevocationList> revocations_from_text(std::string_view text);

// A reason that may stand in a list: 1 to 200 printable bytes of UTF-8 on one line.
[[nodiscard]] base::Status check_reason(std::string_view reason);

// What a client remembers of the last list it went by.
struct SeenRevocations {
    std::uint64_t serial = 0;
    base::Digest sha256;  // of its text
    bool operator==(const SeenRevocations&) const = default;
};

[[nodiscard]] base::Result<std::string> to_json(const SeenRevocations& seen);
[[nodiscard]] base::Result<SeenRevocations> seen_revocations_from_json(std::string_view text);

// May this one follow? Code::refused: older than the one seen before, the same serial with another
// content, or issued in the future (ten minutes are allowed for clocks).
[[nodiscard]] base::Result<SeenRevocations> accept(const RevocationList& list,
                                                   std::string_view text,
                                                   const std::optional<SeenRevocations>& seen,
                                                   std::int64_t now);

}  // namespace sf::trust
