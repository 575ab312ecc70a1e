// SPDX-License-Identifier: Apache-2.0
// What names the packages of a mirror: our index and snapshot, which are signed, then Spack's index
// and keys, which are not and can be made again. Each is read, added to and written on the
// condition that nobody has changed it meanwhile; else it begins again. Where conditions are not
// kept nothing is written (conditions.hpp), Code::refused; who calls add() has asked. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "cache/backend.hpp"
#include "cache/blob_record.hpp"
#include "cache/bundle_files.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/objects.hpp"
#include "cache/package_index.hpp"
#include "cache/spack_index.hpp"
#include "cache/spack_spec.hpp"
#include "cache/trusted_snapshot.hpp"
#include "trust/signer.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {

// What a publisher finds there and younger it takes as its own, though nothing may name it yet;
// what is older it sends again, because `cache prune` may be about to take it away.
inline constexpr int reuse_days = 30;

// A public key that lies in a mirror for Spack's clients.
struct PublishedKey {
    std::string primary;  // fingerprint
    std::string armored;
};

struct IndexAuthority {
    const trust::Signer* signer = nullptr;  // not needed for remake()
    const trust::Verifier* verifier = nullptr;
    std::string public_key;               // of the signer's primary key, armoured
    std::string primary;                  // its fingerprint
    std::vector<PublishedKey> more_keys;  // of those that sign beside it
    std::string mirror;                   // which of a place it is: "bookworm/slurm/25.11"
    std::filesystem::path memory;  // the folder of what is remembered (cache/snapshot_memory.hpp)
    std::int64_t now = 0;
    std::chrono::seconds lifetime = cache::snapshot_lifetime;
};

struct IndexReport {
    std::uint64_t serial = 0;
    base::Digest snapshot;   // of the object as it is there now
    std::int64_t renew = 0;  // when half of its time is over
    std::uint64_t bytes = 0;
    bool changed = false;
};

class MirrorIndex {
public:
    MirrorIndex(cache::Backend& mirror, IndexAuthority authority, base::Reporter& reporter)
        : x_mirror(mirror), x_authority(std::move(authority)), x_reporter(reporter) {}

    // Names `builds`, whose manifests and blobs are there already, and `bundle`, if there is one,
    // whose files are. A snapshot that has half its time behind it is signed afresh even if nothing
    // is new, and so is one that lacks a signature of several keys that sign together.
    [[nodiscard]] base::Result<IndexReport> add(const std::vector<cache::NewBuild>& builds,
                                                const std::vector<cache::SpackSpec>& specs,
                                                const cache::NamedBundle* bundle = nullptr);

    // Signs the snapshot afresh, with a new number and a new time, once half of its time is over;
    // `always`: now. Code::absent where nothing was published.
    [[nodiscard]] base::Result<IndexReport> refresh(bool always);
    // Names these no more, nor the bundles of versions that are gone with them. First their signed
    // manifests are written once more, as they are: `cache prune` counts from there. The signer has
    // been told of them. Code::refused: nothing of a name would be left.
    [[nodiscard]] base::Result<IndexReport> retire(const cache::BuildsByVersion& builds);
    // What Spack reads first, made anew: its index of everything that the snapshot names, and the
    // list of the keys that `keys_of` gives for those fingerprints. Changes nothing that is right.
    using KeysOf = std::function<base::Result<std::vector<PublishedKey>>(
        const std::set<std::string>& signers)>;
    [[nodiscard]] base::Result<IndexReport> remake(const KeysOf& keys_of);

private:
    enum class Renewal { when_ageing, always };
    [[nodiscard]] base::Result<std::optional<cache::TrustedSnapshot>> believed() const;
    [[nodiscard]] base::Status check_clock();
    [[nodiscard]] base::Result<bool> try_snapshot(const std::vector<cache::NewBuild>& builds,
                                                  const cache::NamedBundle* bundle, Renewal renewal,
                                                  const cache::BuildsByVersion& retired = {});
    [[nodiscard]] base::Status make_young(const cache::BuildsByVersion& builds);
    void report(const cache::Snapshot& snapshot, std::string_view stored);
    [[nodiscard]] base::Result<bool> try_spack_index(const std::vector<cache::SpackSpec>& specs);
    [[nodiscard]] base::Result<cache::SpackIndex> read_spack_index(
        const std::string& manifest) const;
    [[nodiscard]] base::Result<cache::WalkedMirror> walk() const;
    [[nodiscard]] base::Result<bool> replace_spack_index(
        const cache::SpackIndex& index, const std::optional<cache::StoredText>& there);
    [[nodiscard]] base::Status put_key(const PublishedKey& key);
    [[nodiscard]] base::Result<bool> replace_keys(const std::vector<std::string>& fingerprints,
                                                  const std::optional<cache::StoredText>& there);
    [[nodiscard]] base::Result<std::vector<std::string>> read_keys(
        const std::string& manifest) const;
    [[nodiscard]] base::Result<std::string> read_unsigned(const cache::BlobRecord& blob,
                                                          std::uint64_t most) const;
    [[nodiscard]] base::Status put_keys();
    [[nodiscard]] bool signed_by_all(const trust::GoodSignature& signature) const;
    [[nodiscard]] base::Status put(const std::string& key, const std::string& text,
                                   bool young = false);
    [[nodiscard]] base::Status put_blob(const std::string& text);

    cache::Backend& x_mirror;
    bool x_clock_checked = false;
    IndexAuthority x_authority;
    base::Reporter& x_reporter;
    IndexReport x_report;
};

}  // namespace sf::publish
