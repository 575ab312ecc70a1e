// SPDX-License-Identifier: Apache-2.0
// Puts packages into one mirror of a cache (docs/formats/cache.md): blobs, then signed manifests,
// then the index and the snapshot that names them, then what Spack reads first. What is there
// already is not sent again and never changed. Many publishers may write to one mirror: each adds
// to what the others have. A publisher that dies leaves the mirror as it was for every reader. Does
// not know where packages come from. One thread for each push.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "cache/backend.hpp"
#include "cache/bundle_files.hpp"
#include "cache/snapshot.hpp"
#include "cache/spack_mapping.hpp"
#include "model/manifest.hpp"
#include "publish/mirror_index.hpp"
#include "publish/origin.hpp"
#include "trust/signer.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {

// A package as it was built: `folder` holds package.run.file and the others.
struct PushPackage {
    const model::Package* package = nullptr;  // borrowed
    std::filesystem::path folder;
    // It was not built here, and nobody here has signed it: it is not sent, and only if it is there
    // already does it count.
    bool taken = false;
};

// A blob beside a package's own: the bundle's manifest, say.
struct ExtraBlob {
    std::string media_type;
    std::string compression = "none";
    std::string content;
};

struct PushItem {
    std::string store_name;  // of one in the closure
    std::vector<ExtraBlob> extra;
};

struct PushRequest {
    std::vector<PushPackage> closure;  // dependencies first, everything that is needed
    std::string libc;                  // the root's record has it
    std::vector<PushItem> items;       // which of them go into this mirror
    // What they were made from goes below sources/ of the whole place, before they do; neither, or
    // both.
    cache::Backend* place = nullptr;
    const Origins* origins = nullptr;
    const cache::NamedBundle* bundle = nullptr;  // is named too; its files are there
    std::filesystem::path work;                  // a private folder for archives in the making
    const trust::Signer* signer = nullptr;       // which knows the packages already
    const trust::Verifier* verifier = nullptr;   // whose signatures in the mirror are believed
    std::string public_key;                      // of the signer's primary key, armoured
    std::string primary;                         // its fingerprint
    std::vector<PublishedKey> more_keys;         // of those that sign beside it
    std::string mirror;                          // which of a place it is: "bookworm/slurm/25.11"
    std::filesystem::path memory;  // the folder of what is remembered (cache/snapshot_memory.hpp)
    std::int64_t now = 0;          // seconds since 1970
    std::chrono::seconds lifetime = cache::snapshot_lifetime;
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
};

struct PushReport {
    std::string mirror;              // which of a place it is
    std::vector<std::string> added;  // store names
    std::vector<std::string> there;
    std::uint64_t bytes = 0;   // sent
    std::uint64_t serial = 0;  // of the snapshot that names them
    base::Digest snapshot;     // of that object
    std::int64_t renew = 0;    // when it is to be signed afresh, seconds since 1970
    bool changed = false;
};

// Code::refused: the mirror is signed by somebody else, holds other bytes under these names, lacks
// what was taken from elsewhere, is a copy of a part, or keeps no conditions (cache::Backend), so
// that two publishers could lose each other's work.
[[nodiscard]] base::Result<PushReport> push(cache::Backend& mirror, const PushRequest& request,
                                            base::Reporter& reporter);

// Code::refused: it is a copy of a part (cache/mirror_part.hpp), of which nobody looks for more
// than it says that it holds. Code::corrupt: what it says of itself cannot be read.
[[nodiscard]] base::Status check_no_part(cache::Backend& mirror);

// The refusal of a package that was taken from elsewhere and is not in `place`.
[[nodiscard]] base::Status not_vouched_for(const std::string& place, const std::string& store_name);

}  // namespace sf::publish
