// SPDX-License-Identifier: Apache-2.0
// Which published versions of a mirror are retired: a plan, that is shown, said to the signer, and
// done by MirrorIndex::retire(). Of each name, for each level of processors, the newest stay, and
// what somebody asked to keep, and what is needed by what stays elsewhere. Pure, any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/package_index.hpp"
#include "cache/snapshot.hpp"

namespace sf::publish {

struct RetirementWish {
    unsigned keep = 0;                  // versions; 0: all
    std::vector<std::string> versions;  // of Slurm, or series, that stay as well
    std::set<base::Digest> needed;      // identities that stay
};

// `walked`: everything that `snapshot` names.
[[nodiscard]] base::Result<cache::BuildsByVersion> plan_retirement(
    const cache::Snapshot& snapshot, const cache::WalkedMirror& walked, const RetirementWish& wish);

[[nodiscard]] bool is_retired(const cache::BuildsByVersion& retired,
                              const cache::MirrorPackage& package);

// What the packages that are not retired are installed with: identities.
[[nodiscard]] std::set<base::Digest> needed_by_kept(const cache::WalkedMirror& walked,
                                                    const cache::BuildsByVersion& retired);

}  // namespace sf::publish
