// SPDX-License-Identifier: Apache-2.0
// What one package of a place consists of, with all that it is installed with: the snapshots of its
// two mirrors, the nodes and signed manifests below them that lead to it, the blobs that an
// installation takes or judges, and the papers of its bundle. Everything that is signed is judged
// on the way; archives are named, not read. What Spack alone reads, and archives for development
// and debugging, are no part of it. Knows no file format (offline_file.hpp). One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cache/backend.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/snapshot.hpp"
#include "trust/verdict.hpp"

namespace sf::cache {

struct ClosureWish {
    std::string name;  // "slurm"
    std::string version;
    std::string toolchain;
    std::string hash;  // of the build, as the index has it
};

struct ClosureReading {
    const trust::Verifier* verifier = nullptr;
    std::filesystem::path memory;  // of snapshots; empty: nothing is remembered
    std::int64_t now = 0;          // seconds since 1970
};

struct ClosureMirror {
    std::string folder;  // "bookworm/slurm/25.11"
    Snapshot snapshot;
};

// By keys of the place.
struct Closure {
    std::map<std::string, std::string> texts;  // snapshots, nodes, manifests: as they lie there
    std::map<std::string, Ref> objects;        // blobs and papers
    std::vector<ClosureMirror> mirrors;        // that of the dependencies first
    std::set<std::string> signers;             // primary fingerprints
    MirrorPackage package;
};

// Code::absent: it was not published there. Code::corrupt: something that it needs is not there.
[[nodiscard]] base::Result<Closure> walk_closure(Backend& place, const ClosureWish& wish,
                                                 const ClosureReading& reading);

}  // namespace sf::cache
