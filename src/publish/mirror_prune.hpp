// SPDX-License-Identifier: Apache-2.0
// Takes away what nothing names any more in a mirror: the traces of killed publishers, nodes of
// former indexes. What the snapshot names, directly or through index and signed manifests, what the
// bundles of other mirrors need from here, and what is younger than the grace for publishers at
// work stays; so does every object that is not of a kind that we write. Manifests go before the
// blobs that they name. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "base/log.hpp"
#include "cache/backend.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/trusted_snapshot.hpp"

namespace sf::publish {

struct PruneRequest {
    cache::SnapshotReading reading;
    std::set<std::string> needed;  // keys that other mirrors' bundles need (keys_needed)
    std::int64_t keep_seconds = 0;
    bool dry_run = false;
    std::function<void(const cache::ObjectInfo& object)> on_object;  // what goes, or would
};

struct PruneReport {
    std::size_t removed = 0;  // or would be
    std::uint64_t bytes = 0;
    std::size_t young = 0;  // named by nothing, but not old enough
    std::size_t kept = 0;   // named
};

// Code::refused, corrupt: not everything that is named can be read, so nothing is known to be
// litter; or the snapshot has expired.
[[nodiscard]] base::Result<PruneReport> prune_mirror(cache::Backend& mirror,
                                                     const PruneRequest& request);

// The same for the bundles of a mirror's versions, which lie beside the mirrors: those of its
// toolchain and series that its snapshot names no more, of releases older than the newest that it
// names. Aliases stay, and sources.
[[nodiscard]] base::Result<PruneReport> prune_bundles(cache::Backend& place,
                                                      const cache::MirrorName& name,
                                                      const PruneRequest& request);

// The archives in the mirror of dependencies that the bundles of `mirror` are installed with.
[[nodiscard]] base::Result<std::set<std::string>> keys_needed(
    cache::Backend& mirror, const cache::SnapshotReading& reading);

}  // namespace sf::publish
