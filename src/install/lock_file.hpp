// SPDX-License-Identifier: Apache-2.0
// Exactly what was installed, as a file that is kept beside a site's configuration
// (docs/formats/lock.md): installing from it asks for no snapshot, so it brings the same when the
// cache has moved on, or when its snapshot has expired. It says what, not whom to trust: signatures
// are checked all the same. Plain values; the reader is total and strict. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/package_index.hpp"
#include "cache/snapshot.hpp"
#include "model/manifest.hpp"

namespace sf::install {

struct LockedPackage {
    std::string name;  // of the store
    base::Digest identity;
    cache::Ref archive;
    bool operator==(const LockedPackage&) const = default;
};

struct LockFile {
    // The place that all of it was found in, for people: nothing goes by it. Empty: not said.
    std::string cache;
    std::string repository;    // of that cache
    std::string mirror;        // "bookworm/slurm/25.11"
    std::uint64_t serial = 0;  // of the snapshot that it was found in
    std::string name;
    std::string version;
    cache::Build build;                   // `added` is not kept
    std::vector<LockedPackage> packages;  // itself the last
};

[[nodiscard]] std::vector<LockedPackage> locked_packages(const model::Bundle& bundle);

[[nodiscard]] base::Result<std::string> to_json(const LockFile& lock);
// A text has one form.
[[nodiscard]] base::Result<LockFile> lock_from_json(std::string_view text);

}  // namespace sf::install
