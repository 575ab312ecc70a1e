// SPDX-License-Identifier: Apache-2.0
// Which objects of a mirror something names: the snapshot, directly or through the index and the
// signed manifests, and the small files that Spack reads first. What is left over are the traces of
// killed publishers, and what later versions replaced. One thread.
#pragma once

#include <set>
#include <string>

#include "cache/backend.hpp"
#include "cache/mirror_walk.hpp"

namespace sf::cache {

// Every key that is to stay, there or not. Code::corrupt: a file of Spack's cannot be read, so that
// what it names is not known.
[[nodiscard]] base::Result<std::set<std::string>> named_keys(Backend& mirror,
                                                             const Snapshot& snapshot,
                                                             const WalkedMirror& walked);

// An object of a mirror that nobody misses once nothing names it: a blob, a node of the index, a
// signed manifest, a probe. Others are other people's.
[[nodiscard]] bool is_litter(const std::string& key);

}  // namespace sf::cache
