// SPDX-License-Identifier: Apache-2.0
// A folder of signed packages that machines share (--local-cache; docs/formats/local-cache.md):
// packages/<store name>/ holds a package's manifest, its detached signature and its archives. A
// package is there if and only if its folder is, which comes by one rename and never changes again.
// Whom to believe is the verifier's affair; what to build, the caller's. Several processes and
// machines may read and write one folder; one thread for each object.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "cache/cached_package.hpp"
#include "trust/signer.hpp"

namespace sf::cache {

enum class PackagePut {
    added,
    there,     // these very archives are there already
    different  // other bytes for the same inputs: left as they are
};

class PackageFolder {
public:
    explicit PackageFolder(std::filesystem::path folder) : x_folder(std::move(folder)) {}

    [[nodiscard]] const std::filesystem::path& folder() const { return x_folder; }
    [[nodiscard]] std::filesystem::path package_folder(const std::string& store_name) const {
        return x_folder / "packages" / store_name;
    }

    // Creates the folder. Code::usage: it is something else, or not ours to write to.
    [[nodiscard]] base::Status prepare() const;

    // Brings this very spec into the empty private folder `into`; nullopt: the cache has none. Not
    // one byte is believed, nor unpacked, before the signature over the manifest and the digest
    // over each copied archive fit: it is the copies that are unpacked and handed on.
    [[nodiscard]] base::Result<std::optional<CachedPackage>> take(
        const model::Spec& spec, const trust::Verifier& verifier,
        const std::filesystem::path& into) const;

    // `from` holds the package's archives, whose digests are compared while they are copied.
    [[nodiscard]] base::Result<PackagePut> put(const model::Package& package,
                                               const std::filesystem::path& from,
                                               const trust::Signer& signer) const;

private:
    std::filesystem::path x_folder;
};

}  // namespace sf::cache
