// SPDX-License-Identifier: Apache-2.0
// What the signed texts of a mirror name beside the mirror itself, in the place that holds it: the
// files of bundles, by the snapshot, and the sources of packages, by the lists among their blobs
// (docs/formats/cache.md). One thread.
#pragma once

#include <map>
#include <string>

#include "cache/backend.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

// By keys of the place. A list that is not there, or is not what was signed, is an error.
[[nodiscard]] base::Result<std::map<std::string, Ref>> place_files(Backend& mirror,
                                                                   const Snapshot& snapshot,
                                                                   const WalkedMirror& walked);

// Bundles' aliases: what such a name means changes.
[[nodiscard]] bool is_alias(const std::string& key);

}  // namespace sf::cache
