// SPDX-License-Identifier: Apache-2.0
// May this snapshot follow that one? Nothing that was published goes or changes, but for older
// versions that the run said it would retire; what is new rests on what was signed or verified in
// this run. Pure, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "cache/package_index.hpp"
#include "cache/snapshot.hpp"
#include "cache/spec_manifest.hpp"

namespace sf::publish {

// What snapshots rest on, gathered in one run.
struct KnownObjects {
    std::map<base::Digest, std::uint64_t> blobs;            // sizes
    std::map<base::Digest, cache::SpecManifest> manifests;  // by the digest of the signed object
    std::map<base::Digest, cache::NameNode> names;
    std::map<base::Digest, cache::VersionNode> versions;
    struct Vouched {
        std::string file;  // the archive's name
        base::Digest sbom;
    };
    std::map<base::Digest, Vouched> bundles;  // by the archive's digest

    [[nodiscard]] bool holds(const cache::Ref& ref) const {
        const auto found = blobs.find(ref.sha256);
        return found != blobs.end() && found->second == ref.size;
    }
};

// Code::refused, with the first thing that speaks against it. `now`: of the signer's clock.
// `retired`: Spack's hashes of what may go; of each name the newest version stays.
[[nodiscard]] base::Status check_next_snapshot(const std::optional<cache::Snapshot>& before,
                                               const cache::Snapshot& next,
                                               const KnownObjects& known, std::int64_t now,
                                               const std::set<std::string>& retired = {});

}  // namespace sf::publish
