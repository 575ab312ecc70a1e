// SPDX-License-Identifier: Apache-2.0
// A mirror of a cache, copied to another place, whole or of some versions alone: for sites without
// a way to the first, and for those that want it near. A part has the publisher's snapshot and the
// whole index, and says itself that it is one (cache/mirror_part.hpp). Everything is judged on the
// way as a client judges it; the signatures stay the publisher's, so no key is needed. Only what is
// missing is sent: archives, then manifests and index, then the snapshot that names them, then what
// Spack reads. A copy that is killed leaves the target as it was for every reader, and the next one
// goes on from there. What the target has lost is sent again; it never goes back to an older
// snapshot. One thread; it starts others and joins them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "cache/backend.hpp"
#include "cache/trusted_snapshot.hpp"
#include "publish/mirror_index.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {

// What of a mirror is copied.
struct CopyChoice {
    std::vector<std::string> versions;  // of Slurm, or series; none: all
    // Of the mirror of dependencies: the identities that those versions need. nullopt: all.
    std::optional<std::set<base::Digest>> needed;
    bool sources = true;
};

struct CopyRequest {
    CopyChoice choice;
    const trust::Verifier* verifier = nullptr;  // whose signatures are believed, at both ends
    MirrorIndex::KeysOf keys_of;  // the public keys of signers, for Spack's list of them
    std::string mirror;           // which of a place it is: "bookworm/slurm/25.11"
    // The places that hold the two mirrors: bundles and sources go with what names them.
    cache::Backend* from_place = nullptr;
    cache::Backend* to_place = nullptr;
    std::filesystem::path memory;  // the folder of what is remembered (cache/snapshot_memory.hpp)
    std::filesystem::path work;    // a private folder for archives on their way
    std::int64_t now = 0;          // seconds since 1970
    unsigned connections = 4;      // archives at once
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
};

struct CopyReport {
    std::uint64_t serial = 0;  // of the snapshot at the target
    std::size_t packages = 0;
    bool part = false;     // there is more in what was copied
    std::size_t sent = 0;  // objects
    std::size_t there = 0;
    std::uint64_t bytes = 0;  // sent
    bool changed = false;
};

// Code::refused: the target is of another cache, newer, or keeps no conditions; it would hold less
// than before, being whole or the larger part; or the source is not to be believed. Code::absent:
// nothing was published there.
[[nodiscard]] base::Result<CopyReport> copy_mirror(cache::Backend& from, cache::Backend& to,
                                                   const CopyRequest& request,
                                                   base::Reporter& reporter);

// What some versions of Slurm in a mirror of a series need.
struct NeededBy {
    std::set<std::string> versions;     // that are there, of those
    std::set<std::string> others;       // that are there as well
    std::set<base::Digest> identities;  // with their own
};
// Code::absent: nothing was published there.
[[nodiscard]] base::Result<NeededBy> needed_by(cache::Backend& mirror,
                                               const cache::SnapshotReading& reading,
                                               const std::vector<std::string>& versions);

}  // namespace sf::publish
