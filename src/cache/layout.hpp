// SPDX-License-Identifier: Apache-2.0
// The one place that makes and parses the names of a cache's objects (docs/formats/cache.md): those
// that Spack fixed (`v3/`, `blobs/`) and ours (`_sf/`, `builds/`, `sources/`, `keys/`). Names are
// strict: what is parsed is made the same again, and passes check_key(). Does not know what objects
// hold. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::cache {

// Objects of which a mirror, or a place, has one.
enum class FixedName {
    layout,          // v3/layout.json
    index_manifest,  // v3/manifests/index/index.manifest.json
    keys_manifest,   // v3/manifests/key/keys.manifest.json
    snapshot,        // _sf/snapshot.json
    part,            // _sf/part.json: of a copy that does not hold all (mirror_part.hpp)
    revocations,     // _sf/revocations.json: of a whole place
    page,            // index.html
};

// v3/manifests/spec/<name>/<name>-<version>-<hash>.spec.manifest.json
struct SpecManifestName {
    std::string name;
    std::string version;
    std::string hash;  // Spack's DAG hash: 32 characters of a-z and 2-7
    bool operator==(const SpecManifestName&) const = default;
};

// v3/manifests/key/<FINGERPRINT>.key.manifest.json
struct KeyManifestName {
    std::string fingerprint;
    bool operator==(const KeyManifestName&) const = default;
};

// blobs/sha256/<2>/<64>: of the bytes as they are stored
struct BlobName {
    base::Digest sha256;
    bool operator==(const BlobName&) const = default;
};

// sources/sha256/<2>/<64>
struct SourceName {
    base::Digest sha256;
    bool operator==(const SourceName&) const = default;
};

// _sf/index/<64>.json.gz: a node of the index below the snapshot (package_index.hpp)
struct IndexNodeName {
    base::Digest sha256;
    bool operator==(const IndexNodeName&) const = default;
};

// keys/<FINGERPRINT>.asc
struct PublicKeyName {
    std::string fingerprint;
    bool operator==(const PublicKeyName&) const = default;
};

// What belongs to a bundle, by its ending.
enum class BundlePart { archive, signature, sha256, sbom, provenance };

// builds/<exact>/<toolchain>/<architecture>/slurm-<exact>-<toolchain>-<architecture>-…: never
// changes.
struct BundleName {
    std::string version;
    std::string toolchain;
    std::string architecture;
    BundlePart part = BundlePart::archive;
    bool operator==(const BundleName&) const = default;
};

// builds/<series>/<toolchain>/slurm-<series>-<toolchain>-software.tar.gz: the seed's path, which
// the newest bundle of its series takes; it has an archive and its signature.
struct BundleAliasName {
    std::string series;
    std::string toolchain;
    BundlePart part = BundlePart::archive;
    bool operator==(const BundleAliasName&) const = default;
};

using ObjectName = std::variant<FixedName, SpecManifestName, KeyManifestName, BlobName, SourceName,
                                IndexNodeName, PublicKeyName, BundleName, BundleAliasName>;

// Code::refused for parts that cannot be in a name.
[[nodiscard]] base::Result<std::string> key_of(const ObjectName& name);
// Code::refused for a key that is none of the names above.
[[nodiscard]] base::Result<ObjectName> name_of(std::string_view key);

// What whoever stands between a server and its clients is told of an object: what never changes may
// be kept for a year, the rest is asked for each time. For a key that is none of ours: the rest.
[[nodiscard]] std::string_view cache_control_of(std::string_view key);

// Which mirror of a place: <toolchain>/slurm/deps, or <toolchain>/slurm/<series>.
struct MirrorName {
    std::string toolchain;
    std::string series;  // empty: deps
    bool operator==(const MirrorName&) const = default;
};

[[nodiscard]] base::Result<std::string> folder_of(const MirrorName& mirror);
[[nodiscard]] base::Result<MirrorName> mirror_of(std::string_view folder);

// 32 characters of RFC 4648's base32 in lower case: all that Spack takes for a hash.
[[nodiscard]] bool is_dag_hash(std::string_view text);

}  // namespace sf::cache
