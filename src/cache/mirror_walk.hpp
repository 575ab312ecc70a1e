// SPDX-License-Identifier: Apache-2.0
// Everything that a snapshot names, in order: the nodes of the index, and each package with its
// signed manifest, its spec and its description, judged as a client judges them before it installs.
// Archives are not read: their names, lengths and digests come out. Does not change anything, and
// does not know why it is asked: who verifies, copies and prunes goes this way. One thread.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cache/backend.hpp"
#include "cache/package_index.hpp"
#include "cache/snapshot.hpp"
#include "cache/spec_manifest.hpp"
#include "trust/verdict.hpp"

namespace sf::cache {

// One package of a mirror, signed and of one piece.
struct MirrorPackage {
    Build build;
    std::string key;     // of its signed manifest
    std::string stored;  // that, signature and all
    SpecManifest manifest;
    std::string signer;  // fingerprint of its primary key
    SpackSpec spec;
    model::Package package;
    std::optional<model::Bundle> bundle;  // of what is installed by name: it, and all it needs

    [[nodiscard]] std::string title() const;  // "slurm 25.11.2 (abcd…)"
};

struct WalkedMirror {
    std::map<std::string, std::string> nodes;  // of the index: texts, by key
    std::map<std::string, Ref> blobs;          // of all packages, by key, each once
    std::vector<MirrorPackage> packages;
    std::set<std::string> signers;  // primary fingerprints: of the packages
};

// What is wrong, and with which object. Success: go on with what is left.
using OnDefect = std::function<base::Status(const std::string& object, base::Error error)>;

// A part of it: names are chosen by the snapshot that is given; of them these. Nothing: all.
struct WalkChoice {
    std::function<bool(const std::string& name, const std::string& version)> version;
    std::function<bool(const std::string& name, const Build& build)> build;
};

// `snapshot` is one to go by (trusted_snapshot.hpp). Without `on_defect` the first defect is the
// error; with it what is wrong is left out of the result.
[[nodiscard]] base::Result<WalkedMirror> walk_mirror(Backend& mirror,
                                                     const trust::Verifier& verifier,
                                                     const Snapshot& snapshot,
                                                     const OnDefect& on_defect = {},
                                                     const WalkChoice& choice = {});

}  // namespace sf::cache
