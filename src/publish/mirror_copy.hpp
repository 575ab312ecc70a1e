// SPDX-License-Identifier: Apache-2.0
// A mirror of a cache, copied to another place, whole or of some versions alone: for sites without
// a way to the first, and for those that want it near. A part has the publisher's snapshot and the
// whole index, and says itself that it is one (cache/mirror_part.hpp). Everything is judged on the
// way as a client judges it; the signatures stay the publisher's, so no key is needed. Only what is
// missing is sent: archives, then manifests and index, then the snapshot that names them, then what
// Spack reads. A copy that is killed leaves the target as it was for every reader, and the next one
// goes on from there. What the target has lost is sent again; it never goes back to an older
// snapshot. What speaks against a copy is found before anything is written: who copies several
// mirrors plans all of them first. One thread; it starts others and joins them.
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
#include "cache/mirror_part.hpp"
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

// A copy that nothing speaks against, as both ends were when it was planned.
struct CopyPlan {
    cache::TrustedSnapshot source;
    std::optional<cache::TrustedSnapshot> before;  // at the target
    std::optional<cache::MirrorPart> source_part;  // what the source says of itself
    bool is_part = false;                          // the target will be one
    // What it will say then that it holds; of builds those alone that are there and not sent.
    cache::MirrorPart part;
    bool spoilt = false;  // what the target says of itself cannot be read
};

// Writes nothing but a probe of conditions. Code::refused: the target is of another cache, newer,
// or keeps no conditions; it would hold less than before, being whole or the larger part; or the
// source is not to be believed. Code::absent: nothing was published there.
[[nodiscard]] base::Result<CopyPlan> plan_copy(cache::Backend& from, cache::Backend& to,
                                               const CopyRequest& request,
                                               base::Reporter& reporter);
// What was planned, by the same request.
[[nodiscard]] base::Result<CopyReport> copy_mirror(cache::Backend& from, cache::Backend& to,
                                                   const CopyRequest& request, CopyPlan plan,
                                                   base::Reporter& reporter);
// Both: of a mirror that stands alone.
[[nodiscard]] base::Result<CopyReport> copy_mirror(cache::Backend& from, cache::Backend& to,
                                                   const CopyRequest& request,
                                                   base::Reporter& reporter);

// What some versions of Slurm in a mirror of a series need.
struct NeededBy {
    std::set<std::string> versions;     // that are there, of those
    std::set<std::string> others;       // that are there as well
    std::set<base::Digest> identities;  // with their own
};
// `versions`: at least one. nullopt: nothing was published there. Code::absent: what is named is
// not there.
[[nodiscard]] base::Result<std::optional<NeededBy>> needed_by(
    cache::Backend& mirror, const cache::SnapshotReading& reading,
    const std::vector<std::string>& versions);

}  // namespace sf::publish
