// SPDX-License-Identifier: Apache-2.0
#include "cache/mirror_walk.hpp"

#include <algorithm>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// The description of a package: a file list of the largest is some megabytes.

class Walk {
public:
    Walk(Backend& mirror, const trust::Verifier& verifier, const Snapshot& snapshot,
         const OnDefect& on_defect, const WalkChoice& choice)
        : x_mirror(mirror),
          x_verifier(verifier),
          x_snapshot(snapshot),
          x_on_defect(on_defect),
          x_choice(choice),
          x_index(snapshot, [this](const Ref& ref) { return read_node(ref); }) {}

    Result<WalkedMirror> run() {
        for (const auto& [name, ref] : x_snapshot.names) {
            const auto versions = x_index.versions(name);
            if (!versions) SF_CHECK(wrong("the index of " + name, versions.error()));
            if (!versions) continue;
            for (const std::string& version : *versions) {
                if (x_choice.version && !x_choice.version(name, version)) continue;
                const auto builds = x_index.builds(name, version);
                if (!builds)
                    SF_CHECK(
                        wrong(fmt::format("the index of {} {}", name, version), builds.error()));
                if (!builds) continue;
                for (const Build& build : *builds)
                    if (!x_choice.build || x_choice.build(name, build))
                        SF_CHECK(take(name, version, build));
            }
        }
        return std::move(x_walked);
    }

private:
    Status wrong(const std::string& object, base::Error error) const {
        // Neither is a fault of the mirror's content.
        if (!x_on_defect || error.code == Code::interrupted || error.code == Code::exhausted)
            return tl::unexpected(std::move(error));
        return x_on_defect(object, std::move(error));
    }

    // The node of a name is asked for again with each of its versions.
    Result<std::string> read_node(const Ref& ref) {
        SF_TRY(const std::string key, key_of(IndexNodeName{ref.sha256}));
        const auto known = x_walked.nodes.find(key);
        if (known != x_walked.nodes.end()) return known->second;
        SF_TRY(std::string text, read_ref(x_mirror, key, ref));
        return x_walked.nodes.emplace(key, std::move(text)).first->second;
    }

    Status take(const std::string& name, const std::string& version, const Build& build) {
        SF_CHECK(base::check_stop());
        auto package = read(name, version, build);
        if (!package)
            return wrong(fmt::format("{} {} ({})", name, version, build.hash), package.error());
        for (const BlobRecord& blob : package->manifest.blobs()) {
            SF_TRY(const std::string key, key_of(BlobName{blob.sha256}));
            x_walked.blobs.emplace(key, Ref{blob.sha256, blob.size});
        }
        x_walked.signers.insert(package->signer);
        x_walked.packages.push_back(std::move(*package));
        return {};
    }

    Result<std::string> read_blob(const BlobRecord& blob) const {
        if (blob.size > max_text)
            return fail(Code::corrupt, "the blob {} has {} bytes: more than a text can have",
                        blob.media_type, blob.size);
        SF_TRY(const std::string key, key_of(BlobName{blob.sha256}));
        return read_ref(x_mirror, key, {blob.sha256, blob.size});
    }

    Result<MirrorPackage> read(const std::string& name, const std::string& version,
                               const Build& build) const {
        MirrorPackage read;
        read.build = build;
        SF_TRY(read.key, key_of(SpecManifestName{name, version, build.hash}));
        SF_TRY(read.stored, read_ref(x_mirror, read.key, build.manifest));
        SF_TRY(trust::SignedText good, x_verifier.verify_clearsigned(read.stored, read.key));
        read.signer = good.signature.primary.text();
        SF_TRY(read.manifest, spec_manifest_from_json(good.text, read.key));
        const SpecManifest& manifest = read.manifest;
        if (manifest.identity != build.identity || manifest.toolchain != build.toolchain ||
            manifest.target != build.target)
            return fail(Code::corrupt, "{} is of another build than the index says", read.key);
        SF_TRY(const std::string packed, read_blob(manifest.spec));
        SF_TRY(const std::string spec, gunzip(packed, max_index_node));
        SF_TRY(read.spec, base::during(spack_spec_from_json(spec), "reading its spec"));
        SF_CHECK(check_same(manifest, read.spec));
        SF_TRY(const std::string package, read_blob(manifest.package));
        SF_TRY(read.package,
               base::during(model::package_from_json(package), "reading its description"));
        SF_CHECK(check_same(manifest, read.package));
        SF_CHECK(read_bundle(read));
        return read;
    }

    // As who installs it does (install/mirror_reader.hpp).
    Status read_bundle(MirrorPackage& package) const {
        const auto& others = package.manifest.others;
        const auto find = [&](std::string_view kind) {
            return std::ranges::find(others, kind, &BlobRecord::media_type);
        };
        const auto found = find(media::bundle);
        if (found == others.end()) return {};
        const auto signature = find(media::signature);
        if (signature == others.end() || find(media::assets) == others.end())
            return fail(Code::corrupt,
                        "{} names a bundle's manifest, but not all that belongs to it",
                        package.key);
        SF_TRY(std::string stored, read_blob(*found));
        SF_TRY(const std::string text, text_of(*found, std::move(stored)));
        SF_TRY(const std::string armored, read_blob(*signature));
        SF_CHECK(x_verifier.verify_bytes(text, armored, "the bundle's manifest of " + package.key)
                     .map([](const trust::GoodSignature&) {}));
        SF_TRY(model::Bundle bundle, model::bundle_from_json(text));
        const SpecManifest& manifest = package.manifest;
        if (bundle.packages.empty() || bundle.name != manifest.name ||
            bundle.version != manifest.version || bundle.toolchain != manifest.toolchain ||
            bundle.target != manifest.target)
            return fail(Code::corrupt, "the bundle's manifest is of another package");
        SF_CHECK(check_same(manifest, bundle.packages.back()));
        package.bundle = std::move(bundle);
        return {};
    }

    Backend& x_mirror;
    const trust::Verifier& x_verifier;
    const Snapshot& x_snapshot;
    const OnDefect& x_on_defect;
    const WalkChoice& x_choice;
    PackageIndex x_index;
    WalkedMirror x_walked;
};

}  // namespace

std::string MirrorPackage::title() const {
    return fmt::format("{} {} ({})", manifest.name, manifest.version, manifest.hash);
}

Result<WalkedMirror> walk_mirror(Backend& mirror, const trust::Verifier& verifier,
                                 const Snapshot& snapshot, const OnDefect& on_defect,
                                 const WalkChoice& choice) {
    return base::during(Walk(mirror, verifier, snapshot, on_defect, choice).run(),
                        "reading " + mirror.place());
}

}  // namespace sf::cache
