// SPDX-License-Identifier: Apache-2.0
// Puts a bundle and its papers below builds/ of a place: under names that never change, from where
// the snapshot of its series names them; then the alias of the series, which follows the snapshot
// and so never goes back, whoever else publishes. A publisher that dies leaves what the snapshot
// names as it was. Does not know how a bundle is made. One thread for each object.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "cache/backend.hpp"
#include "cache/bundle_files.hpp"
#include "publish/provenance.hpp"
#include "trust/signer.hpp"
#include "trust/verdict.hpp"

namespace sf::publish {

struct BundlePushRequest {
    std::filesystem::path bundle;  // its papers lie beside it
    std::string version;
    std::string toolchain;
    std::string architecture = "amd64";
    base::Digest manifest;                      // of the text inside
    bool older = false;                         // than what is published, all the same
    std::filesystem::path work;                 // a private folder
    const trust::Verifier* verifier = nullptr;  // whose signatures in the place are believed
    const trust::Signer* signer = nullptr;      // who will sign the snapshot that names it
    std::filesystem::path memory;               // cache/snapshot_memory.hpp
    std::int64_t now = 0;
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
    // Rounds of waiting for another publisher, half a second each at most: about a minute.
    int patience = 130;
};

class BundlePush {
public:
    // Both are borrowed.
    BundlePush(cache::Backend& place, const BundlePushRequest& request)
        : x_place(place), x_request(request) {}

    // Before anything is sent: could it be published? Code::refused: a newer one is published, or
    // another one under its name, or the place is a copy of a part. The same packages in a bundle
    // that was signed at another time are the same: what is there stays, and is named.
    [[nodiscard]] base::Status look();
    // Its files; what of them is there already is compared and stays. What nothing names and is old
    // is written once more, as it is (reuse_days).
    [[nodiscard]] base::Result<cache::NamedBundle> put();
    // After the snapshot has named it: the alias becomes what the snapshot says.
    [[nodiscard]] base::Status put_alias();

    [[nodiscard]] std::uint64_t bytes() const { return x_bytes; }  // sent
    [[nodiscard]] bool was_there() const { return x_there; }       // not one of its files was sent

private:
    struct File;
    [[nodiscard]] base::Status step(std::string_view name) const;
    [[nodiscard]] std::filesystem::path local(cache::BundlePart part) const;
    [[nodiscard]] base::Result<std::string> key(cache::BundlePart part) const;
    [[nodiscard]] base::Result<std::optional<cache::Snapshot>> read_snapshot() const;
    [[nodiscard]] base::Result<File> open_local(cache::BundlePart part) const;
    [[nodiscard]] base::Status send(const std::string& key, const File& file,
                                    cache::PutCondition condition, cache::PutOutcome& outcome);
    // What is named, and is gone from the place: put again, if it is ours.
    [[nodiscard]] base::Status mend(const cache::NamedBundle& named);
    [[nodiscard]] base::Status check_same_build(const cache::NamedBundle& named) const;
    // The archive that lies in the place, in a file of ours.
    [[nodiscard]] base::Result<File> fetch_archive(std::uint64_t size) const;
    [[nodiscard]] base::Result<std::string> read_paper(cache::BundlePart part) const;
    [[nodiscard]] base::Result<cache::BundleRefs> papers(const File& archive, bool ours);
    [[nodiscard]] base::Result<std::string> await_provenance() const;
    using PutAgain = std::function<base::Result<cache::PutOutcome>(cache::PutCondition)>;
    [[nodiscard]] base::Status make_young(const std::string& name, const cache::Ref& ref,
                                          const PutAgain& put_again);
    [[nodiscard]] base::Result<bool> try_alias();

    cache::Backend& x_place;
    const BundlePushRequest& x_request;
    std::uint64_t x_bytes = 0;
    bool x_there = true;
};

}  // namespace sf::publish
