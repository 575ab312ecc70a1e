// SPDX-License-Identifier: Apache-2.0
#include "install/package_offer.hpp"

#include <algorithm>
#include <fcntl.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"

namespace sf::install {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t max_package = std::uint64_t{64} << 20;

// The one of these inputs that was published last; nullptr: there is none.
const cache::Build* of_inputs(const std::vector<cache::Build>& builds, const model::Spec& spec) {
    const cache::Build* found = nullptr;
    for (const cache::Build& build : builds)
        if (build.identity == spec.identity && (found == nullptr || build.added > found->added))
            found = &build;
    return found;
}

std::string others_than(const std::vector<cache::Build>& builds, const model::Spec& spec) {
    const bool fits = std::ranges::any_of(builds, [&](const cache::Build& build) {
        return build.toolchain == spec.toolchain && build.target == spec.target;
    });
    return fits ? fmt::format("it has {} {} of other inputs (recipe, root, or what it needs)",
                              spec.name, spec.version)
                : fmt::format("it has {} {}, and not for {}, {}", spec.name, spec.version,
                              spec.toolchain, spec.target);
}

}  // namespace

Result<OfferSearch> MirrorReader::offer(const model::Spec& spec) const {
    SF_TRY(const std::vector<cache::Build> builds, index().builds(spec.name, spec.version));
    if (builds.empty())
        return OfferSearch{{}, fmt::format("it has no {} {}", spec.name, spec.version)};
    const cache::Build* build = of_inputs(builds, spec);
    if (build == nullptr) return OfferSearch{{}, others_than(builds, spec)};
    const auto judge = [&]() -> Result<OfferSearch> {
        auto manifest = manifest_of(spec.name, spec.version, *build);
        // A copy of a part: what the package is made of was known before anybody was asked.
        if (!manifest && manifest.error().code == Code::absent)
            return OfferSearch{{}, manifest.error().text()};
        if (!manifest) return tl::unexpected(std::move(manifest).error());
        SignedManifest judged = std::move(*manifest);
        const cache::BlobRecord& blob = judged.manifest.package;
        if (blob.size > max_package)
            return fail(Code::corrupt, "its description is said to have {} bytes", blob.size);
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{blob.sha256}));
        SF_TRY(const std::string text, named_object(key, {blob.sha256, blob.size}));
        PackageOffer offer;
        SF_TRY(offer.package, model::package_from_json(text));
        SF_CHECK(cache::check_same(judged.manifest, offer.package));
        SF_CHECK(cache::check_is_of(offer.package, spec, x_mirror->place() + '/' + key));
        if (const std::string reason = revoked({&offer.package, 1}, judged.manifest);
            !reason.empty())
            return OfferSearch{{}, "what it has was revoked: " + reason};
        offer.build = *build;
        offer.manifest = std::move(judged.manifest);
        offer.signer = std::move(judged.signer);
        offer.repository = x_snapshot.repository;
        offer.serial = x_snapshot.serial;
        return OfferSearch{std::move(offer), {}};
    };
    return base::during(judge(),
                        fmt::format("looking at {} of {}", spec.store_name(), x_mirror->place()));
}

Result<cache::CachedPackage> fetch_offer(cache::Backend& mirror, const PackageOffer& offer,
                                         const fs::path& into) {
    const fs::path archives = into / "archives";
    const fs::path trees = into / "trees";
    SF_CHECK(base::make_dirs(archives));
    SF_CHECK(base::make_dirs(trees));
    const auto fetch = [&](const model::ArchiveRecord& record) -> Status {
        SF_TRY(const std::string key, cache::key_of(cache::BlobName{record.sha256}));
        const fs::path file = archives / record.file;
        SF_TRY(const base::Fd fd, base::open_file(file, O_RDWR | O_CREAT | O_EXCL, 0644));
        Status got = cache::fetch_ref(mirror, key, {record.sha256, record.size}, fd.get());
        // It was named, and signed: a hole.
        if (!got && got.error().code == Code::absent) got.error().code = Code::corrupt;
        return got;
    };
    for (const model::ArchiveRecord* record : cache::archives_of(offer.package))
        SF_CHECK(fetch(*record));
    SF_CHECK(cache::unpack_parts(offer.package, archives, trees));
    return cache::CachedPackage{offer.package, *offer.signer, archives,
                                trees / offer.package.store_name()};
}

std::uint64_t size_of(const PackageOffer& offer) {
    std::uint64_t size = 0;
    for (const model::ArchiveRecord* record : cache::archives_of(offer.package))
        size += record->size;
    return size;
}

}  // namespace sf::install
