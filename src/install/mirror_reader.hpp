// SPDX-License-Identifier: Apache-2.0
// What a mirror of a cache offers, as far as somebody trusted says so: its snapshot, the index
// below it, and one package of it with everything that its installation needs to know. Nothing that
// is not covered by a signature, through digests, is believed. Installs nothing. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "cache/backend.hpp"
#include "cache/kept_objects.hpp"
#include "cache/package_index.hpp"
#include "cache/spec_manifest.hpp"
#include "install/lock_file.hpp"
#include "model/dag.hpp"
#include "model/manifest.hpp"
#include "trust/revocation_list.hpp"
#include "trust/verdict.hpp"

namespace sf::install {

struct Query {
    std::string name = "slurm";
    std::string version;  // "25.11": the newest of the series; "25.11.2": this one
    std::string toolchain;
    std::string cpu;  // the level of this machine's (model/cpu_level.hpp)
};

// A package and what is installed with it.
struct Resolved {
    cache::Build build;
    cache::SpecManifest manifest;
    model::Bundle bundle;  // the closure, the view, the files of ours
    std::string bundle_text;
    std::string bundle_signature;
    cache::Ref assets;
    std::string repository;
    std::uint64_t serial = 0;
    std::optional<trust::GoodSignature> signer;  // of the signed manifest
    // What of it nobody trusted has signed: "the snapshot"; empty: all of it is signed.
    std::vector<std::string> unsigned_parts;
};

// What installs the same again.
[[nodiscard]] LockFile lock_of(const Resolved& resolved, const std::string& mirror);

// One package by its identity, with all its archives: for who would build it otherwise.
struct PackageOffer {
    cache::Build build;
    cache::SpecManifest manifest;
    model::Package package;
    std::string repository;
    std::uint64_t serial = 0;
    std::optional<trust::GoodSignature> signer;
};

// The offer, or why there is none: nothing of this version, other inputs, revoked.
struct OfferSearch {
    std::optional<PackageOffer> offer;
    std::string why_not;
};

struct ReaderOptions {
    std::string mirror;  // which of a place it is: "bookworm/slurm/25.11"
    // The folder of what is remembered (cache/snapshot_memory.hpp, cache/kept_objects.hpp).
    std::filesystem::path memory;
    std::int64_t now = 0;  // seconds since 1970
    bool accept_expired = false;
    std::int64_t max_age = 0;  // seconds that a snapshot is good for; 0: until its own expiry
    // Also what nobody trusted has signed; every digest is compared all the same.
    bool accept_unsigned = false;
    trust::RevocationList revocations;  // builds that are not installed any more
};

class MirrorReader {
public:
    // The snapshot, judged, remembered, then believed. Code::absent: nothing was published there.
    // Code::refused: not signed by anybody trusted, older than one seen before, or expired. All
    // borrowed.
    [[nodiscard]] static base::Result<MirrorReader> open(cache::Backend& mirror,
                                                         const trust::Verifier& verifier,
                                                         const ReaderOptions& options,
                                                         base::Reporter& reporter);

    [[nodiscard]] const cache::Snapshot& snapshot() const { return x_snapshot; }
    [[nodiscard]] base::Result<std::vector<std::string>> versions(const std::string& name) const;
    // The newest version that the query allows, built for its toolchain, for the highest level that
    // its processor runs; of several builds the one published last. What is revoked, or needs
    // something that is, is passed over with a warning.
    [[nodiscard]] base::Result<Resolved> resolve(const Query& query) const;

    // This very package: of these inputs, for this toolchain and target. What is signed of it is
    // judged here; its archives are fetched by fetch_offer() (package_offer.hpp).
    [[nodiscard]] base::Result<OfferSearch> offer(const model::Spec& spec) const;

    // Exactly what a lock file names, whatever the snapshot says by now: it is not asked for.
    // Signatures are checked as ever, and what was revoked is refused.
    [[nodiscard]] static base::Result<Resolved> locked(cache::Backend& mirror,
                                                       const trust::Verifier& verifier,
                                                       const ReaderOptions& options,
                                                       const LockFile& lock,
                                                       base::Reporter& reporter);

private:
    MirrorReader(cache::Backend& mirror, const trust::Verifier& verifier, cache::Snapshot snapshot,
                 const ReaderOptions& options, base::Reporter& reporter)
        : x_mirror(&mirror),
          x_verifier(&verifier),
          x_snapshot(std::move(snapshot)),
          x_revocations(options.revocations),
          x_reporter(&reporter),
          x_kept(options.memory),
          x_accept_unsigned(options.accept_unsigned) {}
    // Why nobody should install it any more; empty: nothing speaks against it.
    [[nodiscard]] std::string revoked(const Resolved& found) const;
    [[nodiscard]] std::string revoked(std::span<const model::Package> packages,
                                      const cache::SpecManifest& manifest) const;
    // Of a file with a part of a cache: it lacks what it was not made for.
    [[nodiscard]] bool is_left_out(const base::Error& error) const;
    // What a signed text names: kept here, or in the mirror. A hole in a mirror is Code::corrupt;
    // in a file with a part of it, in a copy that says that it is a part, and of what a lock file
    // names it is Code::absent.
    [[nodiscard]] base::Result<std::string> named_object(const std::string& key,
                                                         const cache::Ref& ref) const;
    // Of a copy that says that it is a part: `version` is not there.
    [[nodiscard]] base::Error left_out_of_copy(const Query& query, const std::string& version,
                                               base::Error error) const;
    [[nodiscard]] cache::PackageIndex index() const;
    struct SignedManifest {
        cache::SpecManifest manifest;
        std::optional<trust::GoodSignature> signer;  // nullopt: where that is accepted alone
    };
    [[nodiscard]] base::Result<SignedManifest> manifest_of(const std::string& name,
                                                           const std::string& version,
                                                           const cache::Build& build) const;
    [[nodiscard]] base::Result<Resolved> read(const Query& query, const std::string& version,
                                              const cache::Build& build) const;
    // Who signed its manifests, or that nobody did where that is accepted.
    [[nodiscard]] base::Status judge_bundle(Resolved& found) const;
    [[nodiscard]] base::Result<std::string> blob(const cache::SpecManifest& manifest,
                                                 std::string_view media_type) const;

    cache::Backend* x_mirror;
    const trust::Verifier* x_verifier;
    cache::Snapshot x_snapshot;
    trust::RevocationList x_revocations;
    base::Reporter* x_reporter;
    cache::KeptObjects x_kept;
    bool x_accept_unsigned;
    bool x_unsigned_snapshot = false;
    bool x_locked = false;                                // it may be gone from the mirror
    mutable std::map<base::Digest, std::string> x_nodes;  // of the index, each read once
};

}  // namespace sf::install
