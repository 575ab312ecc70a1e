// SPDX-License-Identifier: Apache-2.0
// What is signed of one package in a cache: its blobs (two that Spack reads, then ours), and one
// object of ours that says which package they are, because Spack's manifest binds nothing but
// blobs. The text is what goes into gpg's clear signature, and what gpg gives out of one: the
// signed file itself is never parsed. The reader is total and strict. Plain values, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/blob_record.hpp"
#include "cache/spack_spec.hpp"
#include "model/manifest.hpp"

namespace sf::cache {

struct SpecManifest {
    std::string name;
    std::string version;
    std::string hash;  // Spack's, of its node
    std::string target;
    std::string toolchain;
    base::Digest identity;

    BlobRecord install;        // Spack's archive
    BlobRecord spec;           // gzip of to_json(SpackSpec)
    BlobRecord package;        // to_json(model::Package)
    model::ArchiveRecord run;  // "run.tar.zst"
    std::optional<model::ArchiveRecord> dev;
    std::optional<model::ArchiveRecord> dbg;
    std::vector<BlobRecord> others;  // each of another kind, sorted by it

    // Every blob, in the order of the manifest.
    [[nodiscard]] std::vector<BlobRecord> blobs() const;
};

// What is known of the package before its blobs are: name, target, identity and archives of
// `package`, the hash of the spec's root.
[[nodiscard]] base::Result<SpecManifest> manifest_for(const model::Package& package,
                                                      const SpackSpec& spec);

[[nodiscard]] base::Result<std::string> to_json(const SpecManifest& manifest);
// `key`: the name it was found under, which has to be that of the package inside.
[[nodiscard]] base::Result<SpecManifest> spec_manifest_from_json(std::string_view text,
                                                                 std::string_view key);
// Of one that lies nowhere yet: for whoever is to sign it.
[[nodiscard]] base::Result<SpecManifest> spec_manifest_from_json(std::string_view text);
// v3/manifests/spec/…
[[nodiscard]] base::Result<std::string> key_of(const SpecManifest& manifest);

// Is this blob's content what was signed: the same package in every field that both have?
[[nodiscard]] base::Status check_same(const SpecManifest& manifest, const SpackSpec& spec);
[[nodiscard]] base::Status check_same(const SpecManifest& manifest, const model::Package& package);

}  // namespace sf::cache
