// SPDX-License-Identifier: Apache-2.0
// What a cache holds at one moment, in one signed object (docs/formats/snapshot.md): which packages
// by the root of an index (package_index.hpp), and which files under names that may change. Who
// signed it is judged by room trust, before anything here is called; whether it is one to go by
// after those seen before, here. Values and text, no I/O, any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::cache {

// Bytes that are named by their digest.
struct Ref {
    base::Digest sha256;
    std::uint64_t size = 0;
    bool operator==(const Ref&) const = default;
};

struct Snapshot {
    // Chosen at random when the mirror is first published to, 32 lower-case hexadecimal digits: two
    // caches signed by one key are not taken for each other.
    std::string repository;
    std::string mirror;  // "bookworm/slurm/25.11": one signed for another place is not this one's
    std::uint64_t serial = 0;          // grows with each snapshot, from 1
    std::int64_t issued = 0;           // seconds since 1970, UTC
    std::int64_t expires = 0;          // not inclusive
    std::map<std::string, Ref> names;  // of packages: what is known of each (package_index.hpp)
    std::map<std::string, Ref> files;  // keys that may change their content: aliases of bundles
};

inline constexpr std::uint64_t max_snapshot = std::uint64_t{32} << 20;
inline constexpr std::chrono::seconds snapshot_lifetime = std::chrono::hours(24 * 30);

// The text that is signed: JSON, a member a line, because gpg cuts long lines off.
[[nodiscard]] base::Result<std::string> to_text(const Snapshot& snapshot);
// Of what gpg said was signed. Total and strict: a text has one form.
[[nodiscard]] base::Result<Snapshot> snapshot_from_text(std::string_view text);

[[nodiscard]] std::string new_repository_id();
[[nodiscard]] bool is_repository_id(std::string_view id);

// What the list of caches says of a mirror (named_caches.hpp), so that a machine that has seen
// nothing of it yet does not go by whatever a trusted key has signed.
struct SnapshotPin {
    std::string repository;
    std::uint64_t serial = 1;  // the lowest that is believed
    bool operator==(const SnapshotPin&) const = default;
};
using SnapshotPins = std::map<std::string, SnapshotPin>;  // by mirror: "bookworm/slurm/25.11"

// What the mirrors of a place are held to, and the file that says so.
struct PlacePins {
    std::string list;
    SnapshotPins mirrors;
};

// What this machine remembers of a cache: the last snapshot it went by.
struct SeenSnapshot {
    std::string repository;
    std::uint64_t serial = 0;
    base::Digest sha256;  // of its text: one serial has one content
    bool operator==(const SeenSnapshot&) const = default;
};

// In the canonical form of what is kept on disk.
[[nodiscard]] base::Result<std::string> to_json(const SeenSnapshot& seen);
[[nodiscard]] base::Result<SeenSnapshot> seen_from_json(std::string_view text);

enum class Freshness {
    fresh,
    ageing,  // more than half of its time is over: whoever publishes should sign it afresh
    expired
};

// When it begins to age: seconds since 1970.
[[nodiscard]] std::int64_t half_time(const Snapshot& snapshot);
[[nodiscard]] Freshness freshness(const Snapshot& snapshot, std::int64_t now);

// May this one follow? Code::refused: it is of another cache, older than the one seen before, the
// same serial with another content, or issued in the future (ten minutes are allowed for clocks).
// Expiry is not asked here: it forbids new choices, not what was chosen (freshness()). Returns what
// to remember, to be kept before the snapshot is used.
[[nodiscard]] base::Result<SeenSnapshot> accept(const Snapshot& snapshot, std::string_view text,
                                                const std::optional<SeenSnapshot>& seen,
                                                std::int64_t now);

}  // namespace sf::cache
