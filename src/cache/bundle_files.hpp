// SPDX-License-Identifier: Apache-2.0
// Bundles among the files of a snapshot (docs/formats/snapshot.md): each one's five files, and the
// alias of a series, which is the newest of them. Pure, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "cache/layout.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

// The files of one bundle, as they lie in the place.
using BundleRefs = std::map<BundlePart, Ref>;

struct NamedBundle {
    std::string version;
    std::string toolchain;
    std::string architecture;
    BundleRefs parts;
};

// Of a bundle that has all its parts; nullopt if none is named; Code::corrupt if only some are.
[[nodiscard]] base::Result<std::optional<NamedBundle>> find_bundle(const Snapshot& snapshot,
                                                                   const std::string& version,
                                                                   const std::string& toolchain,
                                                                   const std::string& architecture);

// What the alias of this snapshot's series means: the newest bundle, by its version, for the
// architecture that aliases do not name (amd64).
[[nodiscard]] base::Result<std::optional<NamedBundle>> newest_bundle(const Snapshot& snapshot);

// Names `bundle`, and moves the alias if it is the newest. True: something changed. Code::refused:
// another one has its names already, because what was published never changes.
[[nodiscard]] base::Result<bool> add_bundle(Snapshot& snapshot, const NamedBundle& bundle);

}  // namespace sf::cache
