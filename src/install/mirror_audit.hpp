// SPDX-License-Identifier: Apache-2.0
// Is a mirror of a cache whole? Everything that its signed snapshot names is looked at the way a
// client does before it installs, and all that is wrong is told, not only the first. Also whether
// Spack would see the same, and what lies there that nothing names. Changes nothing but what this
// machine remembers of the snapshot. One thread; it starts others and joins them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cache/backend.hpp"
#include "cache/mirror_part.hpp"
#include "cache/snapshot.hpp"
#include "trust/verdict.hpp"

namespace sf::install {

struct AuditOptions {
    std::string mirror;            // which of a place it is: "bookworm/slurm/25.11"
    std::filesystem::path memory;  // the folder of what is remembered (cache/snapshot_memory.hpp)
    std::int64_t now = 0;          // seconds since 1970
    bool deep = false;            // read every blob, and hash it; else: is it there, is it as long?
    bool accept_expired = false;  // it is about to be signed afresh
    cache::Backend* dependencies = nullptr;  // the mirror whose archives its bundles need
    cache::Backend* place = nullptr;  // that holds it, with bundles and sources: they are looked at
    unsigned connections = 8;
};

struct Defect {
    std::string object;  // what it is about: a key, or a package
    base::Error error;   // the rule that it breaks, and the next step
};

struct AuditReport {
    cache::Snapshot snapshot;
    std::string signer;  // of the snapshot: fingerprint of the primary key
    std::size_t packages = 0;
    // What it says that it holds, if that is not all; only that was looked for.
    std::optional<cache::MirrorPart> part;
    std::size_t left_out = 0;  // packages that the snapshot names beside it
    std::size_t objects = 0;   // looked at
    std::uint64_t bytes = 0;   // of them
    std::uint64_t read = 0;    // bytes read and hashed
    std::vector<Defect> defects;
    std::vector<std::string> notes;  // worth knowing, and no defect
    bool listed = false;             // the place can be listed, so this is known:
    std::size_t unnamed = 0;
    std::uint64_t unnamed_bytes = 0;
};

// Code::absent: nothing was published there. Code::refused, corrupt: the snapshot itself is not to
// be believed, so that nothing more can be said. All else is a defect in the report.
[[nodiscard]] base::Result<AuditReport> audit(cache::Backend& mirror,
                                              const trust::Verifier& verifier,
                                              const AuditOptions& options);

}  // namespace sf::install
