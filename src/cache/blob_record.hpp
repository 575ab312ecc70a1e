// SPDX-License-Identifier: Apache-2.0
// A manifest of Spack's layout 3 is a list of blobs, each with its kind, length and digest. The
// kinds that are in use, one blob's record, and manifests that hold one blob and are not signed
// (the index's, the keys'). Knows nothing of what is in a blob. Pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace sf::cache {

namespace media {
// Spack's
inline constexpr std::string_view spack_install = "application/vnd.spack.install.v2.tar+gzip";
inline constexpr std::string_view spack_spec = "application/vnd.spack.spec.v5+json";
inline constexpr std::string_view spack_index = "application/vnd.spack.db.v8+json";
inline constexpr std::string_view spack_keys = "application/vnd.spack.keyindex.v1+json";
inline constexpr std::string_view public_key = "application/pgp-keys";
// Ours: a package's manifest (docs/formats/manifest.md) and its archives (package.md).
inline constexpr std::string_view package = "application/vnd.slurm-factory.package.v1+json";
inline constexpr std::string_view run = "application/vnd.slurm-factory.run.v1.tar+zstd";
inline constexpr std::string_view dev = "application/vnd.slurm-factory.dev.v1.tar+zstd";
inline constexpr std::string_view dbg = "application/vnd.slurm-factory.dbg.v1.tar+zstd";
// What it was made from, by digest (source_list.hpp).
inline constexpr std::string_view sources = "application/vnd.slurm-factory.sources.v1+json";
// Of what is installed as a whole: the bundle's manifest, and its files of ours (bundle.md).
inline constexpr std::string_view bundle = "application/vnd.slurm-factory.bundle.v1+json";
inline constexpr std::string_view assets = "application/vnd.slurm-factory.assets.v1.tar+zstd";
// Of the bundle's manifest.
inline constexpr std::string_view signature = "application/pgp-signature";
}  // namespace media

struct BlobRecord {
    std::string media_type;
    std::string compression;  // "gzip", "zstd" or "none"
    std::uint64_t size = 0;   // stored bytes
    base::Digest sha256;      // of them
    bool operator==(const BlobRecord&) const = default;
};

[[nodiscard]] base::Status check(const BlobRecord& record);
[[nodiscard]] base::Result<BlobRecord> blob_record_from_json(const base::Json& json);

// An unsigned manifest: one blob, of this kind and not compressed.
[[nodiscard]] base::Result<std::string> manifest_of(const BlobRecord& record);
[[nodiscard]] base::Result<BlobRecord> blob_of_manifest(std::string_view text,
                                                        std::string_view media_type);

}  // namespace sf::cache
