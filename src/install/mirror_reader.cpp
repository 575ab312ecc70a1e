// SPDX-License-Identifier: Apache-2.0
#include "install/mirror_reader.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/objects.hpp"
#include "cache/trusted_snapshot.hpp"
#include "model/cpu_level.hpp"

namespace sf::install {

namespace media = cache::media;
using base::Code;
using base::fail;
using base::fail_hint;
using base::Result;

namespace {

bool allows(const std::string& wanted, const std::string& version) {
    return version == wanted || version.starts_with(wanted + '.');
}

// Better ones first: a level that uses more of the processor, then what was published later.
bool better(const cache::Build& left, const cache::Build& right) {
    if (left.target != right.target) return model::cpu_runs(left.target, right.target);
    return left.added > right.added;
}

bool names(const cache::SpecManifest& manifest, std::string_view media_type) {
    return std::ranges::find(manifest.others, media_type, &cache::BlobRecord::media_type) !=
           manifest.others.end();
}

}  // namespace

Result<MirrorReader> MirrorReader::open(cache::Backend& mirror, const trust::Verifier& verifier,
                                        const ReaderOptions& options, base::Reporter& reporter) {
    SF_TRY(auto read, cache::read_snapshot(mirror, {&verifier, options.mirror, options.memory,
                                                    options.now, true, options.accept_unsigned}));
    if (!read)
        return fail_hint(Code::absent, "nothing was published to " + mirror.place(),
                         "see whether toolchain and series are those that were published");
    cache::Snapshot& snapshot = read->snapshot;
    cache::Snapshot judged = snapshot;
    if (options.max_age > 0) judged.expires = snapshot.issued + options.max_age;
    const cache::Freshness age = cache::freshness(judged, options.now);
    const std::int64_t days = (options.now - judged.expires) / 86'400;
    if (age == cache::Freshness::expired && !options.accept_expired)
        return fail_hint(Code::refused,
                         fmt::format("the snapshot of {} expired {} days ago: newer packages may "
                                     "be held back",
                                     mirror.place(), days),
                         "whoever publishes it signs it afresh: slurm-factory cache refresh; "
                         "--accept-expired takes what is there");
    if (age == cache::Freshness::expired)
        reporter.warning("the snapshot of {} expired {} days ago", mirror.place(), days);
    if (age == cache::Freshness::ageing)
        reporter.notice("the snapshot of {} expires in {} days: it should be signed afresh",
                        mirror.place(), -days);
    MirrorReader reader(mirror, verifier, std::move(snapshot), options, reporter);
    reader.x_unsigned_snapshot = !read->signature;
    return reader;
}

Result<Resolved> MirrorReader::locked(cache::Backend& mirror, const trust::Verifier& verifier,
                                      const ReaderOptions& options, const LockFile& lock,
                                      base::Reporter& reporter) {
    cache::Snapshot as_then;
    as_then.repository = lock.repository;
    as_then.serial = lock.serial;
    MirrorReader reader(mirror, verifier, std::move(as_then), options, reporter);
    reader.x_locked = true;
    Query query;
    query.name = lock.name;
    SF_TRY(Resolved found,
           base::during(reader.read(query, lock.version, lock.build),
                        fmt::format("looking for {} {} as it is locked", lock.name, lock.version)));
    if (const std::string reason = reader.revoked(found); !reason.empty())
        return fail(Code::refused, "{} {} was revoked since it was locked: {}", lock.name,
                    lock.version, reason);
    if (locked_packages(found.bundle) == lock.packages) return found;
    return fail(Code::corrupt, "the lock file names other packages than the manifest of {} {} does",
                lock.name, lock.version);
}

LockFile lock_of(const Resolved& resolved, const std::string& mirror) {
    LockFile lock;
    lock.repository = resolved.repository;
    lock.mirror = mirror;
    lock.serial = resolved.serial;
    lock.name = resolved.bundle.name;
    lock.version = resolved.bundle.version;
    lock.build = resolved.build;
    lock.packages = locked_packages(resolved.bundle);
    return lock;
}

Result<std::string> MirrorReader::named_object(const std::string& key,
                                               const cache::Ref& ref) const {
    auto text = x_kept.read(*x_mirror, key, ref);
    // A file with a part of a cache is expected to lack some.
    if (text || text.error().code != Code::absent || !x_mirror->whole()) return text;
    base::Error error = std::move(text).error();
    if (!x_locked) error.code = Code::corrupt;
    if (x_locked)
        error.hint =
            "another cache may have it (--cache); this one may have retired it: ask who publishes "
            "it, or lock a version that it has";
    return tl::unexpected(cache::explain_hole(*x_mirror, std::move(error)));
}

cache::PackageIndex MirrorReader::index() const {
    return {x_snapshot, [this](const cache::Ref& ref) -> Result<std::string> {
                if (const auto known = x_nodes.find(ref.sha256); known != x_nodes.end())
                    return known->second;
                SF_TRY(const std::string key, cache::key_of(cache::IndexNodeName{ref.sha256}));
                SF_TRY(std::string node, named_object(key, ref));
                return x_nodes.emplace(ref.sha256, std::move(node)).first->second;
            }};
}

Result<std::vector<std::string>> MirrorReader::versions(const std::string& name) const {
    SF_TRY(std::vector<std::string> list, index().versions(name));
    std::ranges::sort(list, [](const std::string& left, const std::string& right) {
        return base::compare_versions(left, right) < 0;
    });
    return list;
}

bool MirrorReader::is_left_out(const base::Error& error) const {
    return !x_mirror->whole() && error.code == Code::absent;
}

// Whoever can write there can say so: what is newest is not passed over for that. Who asks for this
// version alone may find it elsewhere.
base::Error MirrorReader::left_out_of_copy(const Query& query, const std::string& version,
                                           base::Error error) const {
    // It is not asked once more whether it says so: it could answer otherwise.
    if (error.code == Code::absent && version != query.version && x_mirror->whole())
        error.code = Code::refused;
    return error;
}

Result<Resolved> MirrorReader::resolve(const Query& query) const {
    auto named = versions(query.name);
    // Every copy has the whole index: without this of it nobody knows what is newest.
    if (!named) return tl::unexpected(left_out_of_copy(query, {}, std::move(named).error()));
    const std::vector<std::string> all = std::move(*named);
    std::vector<std::string> unfit;  // what there is, and is not for this machine
    std::vector<std::string> bad;    // what was taken back
    for (auto version = all.rbegin(); version != all.rend(); ++version) {
        if (!allows(query.version, *version)) continue;
        auto listed = index().builds(query.name, *version);
        if (!listed && is_left_out(listed.error())) {
            x_reporter->notice("{} does not hold {} {}, which the cache has", x_mirror->place(),
                               query.name, *version);
            continue;
        }
        if (!listed)
            return tl::unexpected(left_out_of_copy(query, *version, std::move(listed).error()));
        std::vector<cache::Build> builds = std::move(*listed);
        for (const cache::Build& build : builds)
            unfit.push_back(fmt::format("{} for {}, {}", *version, build.toolchain, build.target));
        std::erase_if(builds, [&](const cache::Build& build) {
            return build.toolchain != query.toolchain || !model::cpu_runs(query.cpu, build.target);
        });
        if (builds.empty()) continue;
        std::ranges::sort(builds, better);
        for (const cache::Build& build : builds) {
            auto read_build = base::during(read(query, *version, build),
                                           fmt::format("looking at {} {}", query.name, *version));
            if (!read_build && is_left_out(read_build.error())) {
                x_reporter->notice("{} does not hold {} {} for {}, which the cache has",
                                   x_mirror->place(), query.name, *version, build.target);
                continue;
            }
            if (!read_build)
                return tl::unexpected(
                    left_out_of_copy(query, *version, std::move(read_build).error()));
            Resolved found = std::move(*read_build);
            const std::string reason = revoked(found);
            if (reason.empty()) return found;
            bad.push_back(fmt::format("{} {} ({}): {}", query.name, *version,
                                      build.identity.short_hex(), reason));
            x_reporter->warning("{} is passed over: it was revoked", bad.back());
        }
    }
    if (!bad.empty())
        return fail_hint(
            Code::refused,
            fmt::format("all of {} {} that {} has for this machine was revoked: {}", query.name,
                        query.version, x_mirror->place(), base::join(bad, "; ")),
            "wait for a new build, or ask who publishes this cache");
    if (!unfit.empty())
        return fail_hint(Code::absent,
                         fmt::format("{} has no {} {} for {} on a {} processor", x_mirror->place(),
                                     query.name, query.version, query.toolchain, query.cpu),
                         "there is: " + base::join(unfit, "; "));
    return fail_hint(Code::absent,
                     fmt::format("{} has no {} {}", x_mirror->place(), query.name, query.version),
                     all.empty() ? "" : "there is: " + base::join(all, ", "));
}

std::string MirrorReader::revoked(const Resolved& found) const {
    return revoked(found.bundle.packages, found.manifest);
}

std::string MirrorReader::revoked(std::span<const model::Package> packages,
                                  const cache::SpecManifest& manifest) const {
    for (const model::Package& package : packages) {
        const std::string* reason = x_revocations.reason_of(package.identity);
        if (reason == nullptr) reason = x_revocations.reason_of(package.run.sha256);
        if (reason != nullptr) return fmt::format("{}: {}", package.store_name(), *reason);
    }
    for (const cache::BlobRecord& blob : manifest.blobs())
        if (const std::string* reason = x_revocations.reason_of(blob.sha256)) return *reason;
    return {};
}

Result<std::string> MirrorReader::blob(const cache::SpecManifest& manifest,
                                       std::string_view media_type) const {
    const auto found =
        std::ranges::find(manifest.others, media_type, &cache::BlobRecord::media_type);
    if (found == manifest.others.end())
        return fail_hint(Code::refused,
                         fmt::format("{} {} was published without its {}", manifest.name,
                                     manifest.version, media_type),
                         "only Slurm is installed by name; what it needs comes with it");
    if (found->size > cache::max_text)
        return fail(Code::corrupt, "the blob {} has {} bytes: more than a text can have",
                    found->media_type, found->size);
    SF_TRY(const std::string key, cache::key_of(cache::BlobName{found->sha256}));
    SF_TRY(std::string stored, named_object(key, {found->sha256, found->size}));
    return cache::text_of(*found, std::move(stored));
}

Result<MirrorReader::SignedManifest> MirrorReader::manifest_of(const std::string& name,
                                                               const std::string& version,
                                                               const cache::Build& build) const {
    SF_TRY(const std::string key,
           cache::key_of(cache::SpecManifestName{name, version, build.hash}));
    if (build.manifest.size > cache::max_text)
        return fail(Code::corrupt, "{} is said to have {} bytes", key, build.manifest.size);
    SF_TRY(const std::string signed_text, named_object(key, build.manifest));
    trust::MaybeSigned good;
    if (x_accept_unsigned) {
        SF_TRY(good, x_verifier->read_maybe_signed(signed_text, key));
    } else {
        SF_TRY(trust::SignedText known, x_verifier->verify_clearsigned(signed_text, key));
        good = {std::move(known.signature), std::move(known.text)};
    }
    SF_TRY(cache::SpecManifest manifest, cache::spec_manifest_from_json(good.text, key));
    if (manifest.identity != build.identity || manifest.toolchain != build.toolchain ||
        manifest.target != build.target)
        return fail(Code::corrupt, "{} is of another build than the index says", key);
    return SignedManifest{std::move(manifest), std::move(good.signature)};
}

base::Status MirrorReader::judge_bundle(Resolved& found) const {
    const std::string what =
        fmt::format("the manifest of {} {}", found.bundle.name, found.bundle.version);
    if (!x_accept_unsigned)
        return x_verifier->verify_bytes(found.bundle_text, found.bundle_signature, what)
            .map([](const trust::GoodSignature&) {});
    SF_TRY(const auto good,
           x_verifier->verify_if_listed(found.bundle_text, found.bundle_signature, what));
    if (!good) found.unsigned_parts.emplace_back("the bundle's manifest");
    return {};
}

Result<Resolved> MirrorReader::read(const Query& query, const std::string& version,
                                    const cache::Build& build) const {
    Resolved found;
    found.build = build;
    found.repository = x_snapshot.repository;
    found.serial = x_snapshot.serial;
    SF_TRY(SignedManifest judged, manifest_of(query.name, version, build));
    found.signer = std::move(judged.signer);
    found.manifest = std::move(judged.manifest);
    if (x_unsigned_snapshot) found.unsigned_parts.emplace_back("the snapshot");
    if (!found.signer) found.unsigned_parts.emplace_back("the manifest");
    const cache::SpecManifest& manifest = found.manifest;

    SF_TRY(found.bundle_text, blob(manifest, media::bundle));
    auto signature = blob(manifest, media::signature);
    const bool none = !signature && x_accept_unsigned && !names(manifest, media::signature);
    if (!signature && !none) return tl::unexpected(std::move(signature).error());
    if (signature) found.bundle_signature = std::move(*signature);
    SF_TRY(found.bundle, model::bundle_from_json(found.bundle_text));
    const model::Bundle& bundle = found.bundle;
    if (bundle.packages.empty() || bundle.name != query.name || bundle.version != version ||
        bundle.toolchain != build.toolchain || bundle.target != build.target)
        return fail(Code::corrupt, "the bundle's manifest is of another package");
    SF_CHECK(cache::check_same(manifest, bundle.packages.back()));
    SF_CHECK(judge_bundle(found));
    const auto assets =
        std::ranges::find(manifest.others, media::assets, &cache::BlobRecord::media_type);
    if (assets == manifest.others.end())
        return fail(Code::corrupt, "{} {} names no files of ours", manifest.name, version);
    found.assets = {assets->sha256, assets->size};
    return found;
}

}  // namespace sf::install
