// SPDX-License-Identifier: Apache-2.0
#include "publish/signing_rules.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/gzip_text.hpp"
#include "cache/spack_spec.hpp"
#include "model/bundle_layout.hpp"
#include "model/bundle_rules.hpp"
#include "model/names.hpp"
#include "publish/provenance.hpp"
#include "trust/signer_wire.hpp"

namespace sf::publish {

using base::Code;
using base::Digest;
using base::fail;
using base::Result;
using base::Status;
using trust::Evidence;
using trust::Paper;

namespace {

// Nobody needs more in one run; a peer that goes mad does not fill the memory.
constexpr std::size_t most_known = 1'000'000;

}  // namespace

void RunRules::learn(std::string_view text) { x_known.blobs[base::sha256(text)] = text.size(); }

Status RunRules::admit_blob(const Digest& sha256, std::uint64_t size) {
    if (x_known.blobs.size() >= most_known)
        return fail(Code::exhausted, "too much was handed over in one run");
    x_known.blobs[sha256] = size;
    return {};
}

Status RunRules::admit(Evidence evidence, std::string_view text) {
    if (evidence == Evidence::plan) return take_plan(text);
    if (!x_plan) return fail(Code::refused, "this run has not said what it will sign");
    if (x_known.blobs.size() >= most_known)
        return fail(Code::exhausted, "too much was handed over in one run");
    switch (evidence) {
        case Evidence::package: SF_CHECK(take_package(text)); break;
        case Evidence::spec: {
            SF_TRY(std::string spec, cache::gunzip(text, cache::max_index_node));
            SF_CHECK(cache::spack_spec_from_json(spec).map([](const cache::SpackSpec&) {}));
            x_specs[base::sha256(text)] = std::move(spec);
            break;
        }
        case Evidence::manifest: SF_CHECK(take_manifest(text)); break;
        case Evidence::node: SF_CHECK(take_node(text)); break;
        case Evidence::snapshot: SF_CHECK(take_snapshot(text)); break;
        case Evidence::provenance: SF_CHECK(take_provenance(text)); break;
        case Evidence::revocations: SF_CHECK(take_revocations(text)); break;
        case Evidence::plan:
        case Evidence::blob: break;
    }
    learn(text);
    return {};
}

Status RunRules::take_plan(std::string_view text) {
    if (x_plan) return fail(Code::refused, "what this run will sign is said once");
    SF_TRY(SigningPlan plan, signing_plan_from_json(text));
    std::vector<trust::TrustEntry> entries = plan.believed.entries;
    std::vector<std::string> keys{plan.believed.keyring};
    for (const trust::SigningIdentity& own : x_who) {
        std::erase_if(entries, [&](const trust::TrustEntry& each) {
            return each.fingerprint == own.primary;
        });
        entries.push_back({own.primary, "this signer"});
        keys.push_back(own.public_key);
    }
    SF_TRY(trust::TrustedKeys believed, trust::trusted_from(entries, keys));
    believed.withdrawn = plan.believed.withdrawn;
    SF_TRY(x_verifier, trust::Verifier::create(believed));
    x_plan = std::move(plan);
    return {};
}

Status RunRules::holds(const Digest& sha256, std::uint64_t size, std::string_view what) const {
    const auto found = x_known.blobs.find(sha256);
    if (found != x_known.blobs.end() && found->second == size) return {};
    return base::fail_hint(
        Code::refused,
        fmt::format("{} was not handed over in this run: {} bytes, sha256 {}", what, size,
                    sha256.hex()),
        "if nobody changed files meanwhile, this is a fault of slurm-factory: report it");
}

Status RunRules::archives_are_here(const model::Package& package) const {
    const std::string name = package.store_name();
    SF_CHECK(holds(package.run.sha256, package.run.size, name + ": the run part"));
    if (package.dev) SF_CHECK(holds(package.dev->sha256, package.dev->size, name + ": dev part"));
    if (package.dbg) SF_CHECK(holds(package.dbg->sha256, package.dbg->size, name + ": dbg part"));
    return {};
}

Status RunRules::take_package(std::string_view text) {
    SF_TRY(model::Package package, model::package_from_json(text));
    const std::string name = package.store_name();
    const Digest digest = base::sha256(text);
    const auto plan =
        std::ranges::lower_bound(x_plan->packages, name, {}, &PlannedPackage::store_name);
    if (plan == x_plan->packages.end() || plan->store_name != name ||
        plan->identity != package.identity)
        return fail(Code::refused, "{} is no package of this run", name);
    const auto built = x_built.find(name);
    if ((plan->manifest && *plan->manifest != digest) ||
        (built != x_built.end() && built->second != digest))
        return base::fail_hint(Code::refused,
                               fmt::format("{} is not what it was when {}", name,
                                           plan->manifest ? "this run began" : "it was built"),
                               "another process may have built it again: then run this again");
    SF_CHECK(archives_are_here(package));
    x_built[name] = digest;
    x_packages[digest] = std::move(package);
    return {};
}

Status RunRules::take_manifest(std::string_view stored) {
    SF_TRY(const trust::SignedText good,
           x_verifier->verify_clearsigned(stored, "a manifest in the cache"));
    SF_TRY(x_known.manifests[base::sha256(stored)], cache::spec_manifest_from_json(good.text));
    return {};
}

Status RunRules::take_node(std::string_view stored) {
    SF_TRY(const std::string text, cache::gunzip(stored, cache::max_index_node));
    if (auto name = cache::name_node_from_json(text)) {
        x_known.names[base::sha256(stored)] = std::move(*name);
        return {};
    }
    SF_TRY(x_known.versions[base::sha256(stored)], cache::version_node_from_json(text));
    return {};
}

// The last one that was there; another publisher may have written one since.
Status RunRules::take_snapshot(std::string_view stored) {
    SF_TRY(const trust::SignedText good,
           x_verifier->verify_clearsigned(stored, "the snapshot in the cache"));
    SF_TRY(cache::Snapshot snapshot, cache::snapshot_from_text(good.text));
    const auto before = x_snapshots.find(snapshot.mirror);
    if (before != x_snapshots.end() && (before->second.repository != snapshot.repository ||
                                        before->second.serial > snapshot.serial))
        return fail(Code::refused,
                    "the snapshot of {} is older than the one before, or of another "
                    "cache",
                    snapshot.mirror);
    x_snapshots[snapshot.mirror] = std::move(snapshot);
    return {};
}

Status RunRules::take_provenance(std::string_view line) {
    SF_TRY(const Attested said, read_provenance(line, *x_verifier, "how a bundle was made"));
    x_known.bundles[said.archive] = {said.file, said.sbom};
    return {};
}

Status RunRules::take_revocations(std::string_view stored) {
    SF_TRY(const trust::SignedText good,
           x_verifier->verify_clearsigned(stored, "the list of revocations"));
    SF_TRY(trust::RevocationList list, trust::revocations_from_text(good.text));
    if (x_revocations && x_revocations->serial > list.serial)
        return fail(Code::refused, "the list of revocations is older than the one before");
    x_revocations = std::move(list);
    return {};
}

Status RunRules::planned(Paper paper) const {
    if (!x_plan) return fail(Code::refused, "this run has not said what it will sign");
    if (x_plan->papers.contains(paper)) return {};
    return fail(Code::refused, "this run was not to sign a {}", trust::word_of(paper));
}

Status RunRules::check(Paper paper, std::string_view text) {
    SF_CHECK(planned(paper));
    switch (paper) {
        case Paper::package: return check_package(text);
        case Paper::bundle_manifest: return check_bundle_manifest(text);
        case Paper::provenance: return check_provenance(text);
        case Paper::spec_manifest: return check_spec_manifest(text);
        case Paper::snapshot: return check_snapshot(text);
        case Paper::revocations: return check_revocations(text);
        case Paper::bundle: break;
    }
    return fail(Code::refused, "a bundle is no text");
}

Status RunRules::check_package(std::string_view text) const {
    if (x_packages.contains(base::sha256(text))) return {};
    return fail(Code::refused, "this package's manifest was not handed over in this run");
}

Status RunRules::check_bundle_manifest(std::string_view text) const {
    SF_TRY(const model::Bundle bundle, model::bundle_from_json(text));
    SF_CHECK(model::check_bundle(bundle));
    for (const model::Package& package : bundle.packages) {
        SF_TRY(const std::string its, model::to_json(package));
        if (!x_packages.contains(base::sha256(its)))
            return fail(Code::refused, "{} in the bundle was not handed over in this run",
                        package.store_name());
    }
    for (const model::FileEntry& asset : bundle.assets)
        if (!x_plan->ours.contains(asset.sha256))
            return fail(Code::refused, "{} in the bundle is not as it was when this run began",
                        base::escape_untrusted(asset.path));
    return {};
}

Status RunRules::check_bundle(int descriptor, const Digest& sha256, std::uint64_t size) {
    SF_CHECK(planned(Paper::bundle));
    SF_TRY(const BundleSeen seen, x_look(descriptor));
    const auto found = x_bundle_manifests.find(seen.manifest);
    if (found == x_bundle_manifests.end() || !x_signatures.contains(seen.signature))
        return fail(Code::refused, "the manifest in the bundle was not signed in this run");
    if (found->second.version != seen.version)
        return fail(Code::refused, "the manifest in the bundle has another's name");
    x_bundles[sha256] = seen.manifest;
    return admit_blob(sha256, size);
}

Status RunRules::check_provenance(std::string_view text) const {
    SF_TRY(const Attested said, read_signed_bytes(text));
    const auto bundle = x_bundles.find(said.archive);
    if (bundle == x_bundles.end() || bundle->second != said.manifest)
        return fail(Code::refused, "the statement is of a bundle that was not signed in this run");
    const model::Bundle& manifest = x_bundle_manifests.at(said.manifest);
    if (said.file !=
        model::bundle_file(manifest.version, manifest.toolchain, manifest.architecture))
        return fail(Code::refused, "the statement gives the bundle another name");
    if (!x_known.blobs.contains(said.sbom))
        return fail(Code::refused, "the list of parts was not handed over in this run");
    if (said.builder == x_builder) return {};
    return fail(Code::refused, "the statement names another builder");
}

// A blob beside a package's own.
Status RunRules::check_other(const cache::BlobRecord& blob) const {
    SF_CHECK(holds(blob.sha256, blob.size, blob.media_type));
    if (blob.media_type == cache::media::bundle && !x_packed_manifests.contains(blob.sha256))
        return fail(Code::refused, "a bundle's manifest was not signed in this run");
    if (blob.media_type == cache::media::signature && !x_signatures.contains(blob.sha256))
        return fail(Code::refused, "a signature was not made in this run");
    if (blob.media_type == cache::media::assets && !x_plan->ours.contains(blob.sha256))
        return fail(Code::refused, "files of ours are not as they were when this run began");
    return {};
}

Status RunRules::check_spec_manifest(std::string_view text) const {
    SF_TRY(const cache::SpecManifest manifest, cache::spec_manifest_from_json(text));
    for (const cache::BlobRecord& blob : manifest.blobs())
        SF_CHECK(holds(blob.sha256, blob.size, manifest.name + ": " + blob.media_type));
    const auto package = x_packages.find(manifest.package.sha256);
    if (package == x_packages.end())
        return fail(Code::refused, "{}: its manifest was not handed over in this run",
                    manifest.name);
    SF_CHECK(cache::check_same(manifest, package->second));
    const auto spec = x_specs.find(manifest.spec.sha256);
    if (spec == x_specs.end())
        return fail(Code::refused, "{}: its spec was not handed over in this run", manifest.name);
    SF_TRY(const cache::SpackSpec read, cache::spack_spec_from_json(spec->second));
    SF_CHECK(cache::check_same(manifest, read));
    for (const cache::BlobRecord& blob : manifest.others) SF_CHECK(check_other(blob));
    return {};
}

Status RunRules::check_snapshot(std::string_view text) const {
    SF_TRY(const cache::Snapshot next, cache::snapshot_from_text(text));
    if (!x_plan->mirrors.contains(next.mirror))
        return fail(Code::refused, "this run was not to sign a snapshot of {}", next.mirror);
    const auto before = x_snapshots.find(next.mirror);
    const auto retired = x_plan->retired.find(next.mirror);
    return check_next_snapshot(
        before == x_snapshots.end() ? std::nullopt : std::optional(before->second), next, x_known,
        x_clock(), retired == x_plan->retired.end() ? std::set<std::string>() : retired->second);
}

Status RunRules::check_revocations(std::string_view text) const {
    SF_TRY(const trust::RevocationList next, trust::revocations_from_text(text));
    const trust::RevocationList before = x_revocations.value_or(trust::RevocationList());
    if (next.serial != before.serial + 1)
        return fail(Code::refused, "list {} cannot follow {}", next.serial, before.serial);
    if (next.issued < before.issued)
        return fail(Code::refused, "the list of revocations is older than the one before");
    for (const trust::RevokedKey& key : before.keys)
        if (std::ranges::find(next.keys, key.fingerprint, &trust::RevokedKey::fingerprint) ==
            next.keys.end())
            return fail(Code::refused, "{} is taken off the list of revocations",
                        key.fingerprint.text());
    for (const trust::RevokedBuild& build : before.builds)
        if (std::ranges::find(next.builds, build.sha256, &trust::RevokedBuild::sha256) ==
            next.builds.end())
            return fail(Code::refused, "{} is taken off the list of revocations",
                        build.sha256.hex());
    for (const trust::SigningIdentity& own : x_who)
        if (std::ranges::find(next.keys, own.primary, &trust::RevokedKey::fingerprint) !=
            next.keys.end())
            return fail(Code::refused, "a root does not take itself back: {}", own.primary.text());
    return {};
}

void RunRules::signed_paper(Paper paper, std::string_view text, std::string_view result) {
    learn(result);
    x_signatures.insert(base::sha256(result));
    if (paper == Paper::bundle) return;  // check_bundle() has learnt it
    learn(text);
    // Both were read before they were signed.
    if (paper == Paper::bundle_manifest) {
        x_bundle_manifests[base::sha256(text)] = model::bundle_from_json(text).value();
        // As a cache stores it: the same text gives the same bytes.
        if (const auto packed = cache::gzip(text)) x_packed_manifests.insert(base::sha256(*packed));
    }
    if (paper == Paper::spec_manifest)
        x_known.manifests[base::sha256(result)] = cache::spec_manifest_from_json(text).value();
}

}  // namespace sf::publish
