// SPDX-License-Identifier: Apache-2.0
// A package out of a cache, whichever kind of cache it is: is it the very one that a build wants,
// and its archives unpacked as builds see them. Whom to believe, and whether the archives have the
// digests that were signed, is the caller's affair, and comes first. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "model/dag.hpp"
#include "model/manifest.hpp"
#include "trust/verdict.hpp"

namespace sf::cache {

struct CachedPackage {
    model::Package package;
    trust::GoodSignature signer;
    std::filesystem::path archives;  // holds package.run.file and the others
    std::filesystem::path tree;      // the run and dev parts, unpacked
};

// run, and dev and dbg where there are such.
[[nodiscard]] std::vector<const model::ArchiveRecord*> archives_of(const model::Package& package);

// Code::corrupt: what was signed is of another package than `spec`, or names archives otherwise
// than a package of ours does. `shown`: where it was found.
[[nodiscard]] base::Status check_is_of(const model::Package& package, const model::Spec& spec,
                                       const std::string& shown);

// The run and dev parts from the folder `archives` to `into`/<store name>.
[[nodiscard]] base::Status unpack_parts(const model::Package& package,
                                        const std::filesystem::path& archives,
                                        const std::filesystem::path& into);

}  // namespace sf::cache
