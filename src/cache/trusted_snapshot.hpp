// SPDX-License-Identifier: Apache-2.0
// The snapshot of a mirror as somebody trusted signed it: read, judged, compared with the last one
// that this machine went by, and remembered, before anybody sees it. Whoever reads a mirror, adds
// to it or keeps it begins here. Does not say whether an expired one will do. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cache/backend.hpp"
#include "cache/snapshot.hpp"
#include "trust/verdict.hpp"

namespace sf::cache {

struct SnapshotReading {
    const trust::Verifier* verifier = nullptr;
    std::string mirror;            // which of a place it is: "bookworm/slurm/25.11"
    std::filesystem::path memory;  // the folder of what is remembered (snapshot_memory.hpp)
    std::int64_t now = 0;          // seconds since 1970
    // Whoever asks again is told whether it has changed (kept_objects.hpp).
    bool keep = false;
    // Also one that nobody trusted has signed (trust/verdict.hpp); it is not remembered.
    bool accept_unsigned = false;
};

struct TrustedSnapshot {
    Snapshot snapshot;
    std::string text;    // what was signed
    std::string stored;  // the object, signature and all
    std::string etag;
    std::string signer;  // fingerprint of its primary key; empty: nobody trusted has signed it
    std::optional<trust::GoodSignature> signature;
};

// nullopt: nothing was ever published there, as far as this machine knows. Code::refused: not
// signed by anybody trusted, signed for another mirror, not what the list of caches says of it
// (hold_to()), older than one seen before, or gone.
[[nodiscard]] base::Result<std::optional<TrustedSnapshot>> read_snapshot(
    Backend& mirror, const SnapshotReading& reading);

}  // namespace sf::cache
