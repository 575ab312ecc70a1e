// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_index.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <thread>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/snapshot_memory.hpp"
#include "cache/spec_manifest.hpp"
#include "publish/gzip_text.hpp"

namespace sf::publish {

namespace media = cache::media;
using base::Code;
using base::fail;
using base::Result;
using base::Status;
using cache::PutCondition;
using cache::PutOutcome;

namespace {

constexpr const char* json_type = "application/json";
constexpr std::uint64_t max_spack_index = std::uint64_t{256} << 20;
constexpr std::uint64_t max_unsigned_manifest = std::uint64_t{64} << 10;
constexpr int tries = 60;

// The name of a fixed object is a constant: there is one.
std::string name(cache::FixedName fixed) { return cache::key_of(fixed).value(); }

// What nobody has changed since it was read; or what is not there yet.
PutCondition unchanged(const std::optional<cache::StoredText>& there) {
    if (!there) return {PutCondition::Kind::if_absent, {}};
    return {PutCondition::Kind::if_etag, there->etag};
}

// Until one round is not disturbed by another publisher. Pauses grow, and are not the same for two
// who disturb each other.
Status until_undisturbed(const std::string& what, const std::function<Result<bool>()>& round) {
    std::minstd_rand random(std::random_device{}());
    for (int i = 0; i < tries; ++i) {
        SF_CHECK(base::check_stop());
        SF_TRY(const bool done, round());
        if (done) return {};
        const int most = 20 * std::min(i + 1, 25);
        std::this_thread::sleep_for(
            std::chrono::milliseconds(std::uniform_int_distribution<int>(most / 2, most)(random)));
    }
    return base::fail_hint(
        Code::exhausted, fmt::format("other publishers changed {} {} times meanwhile", what, tries),
        "run this again: what was sent stays");
}

}  // namespace

Result<IndexReport> MirrorIndex::add(const std::vector<cache::NewBuild>& builds,
                                     const std::vector<cache::SpackSpec>& specs,
                                     const cache::NamedBundle* bundle) {
    SF_CHECK(until_undisturbed("the snapshot", [&] { return try_snapshot(builds, bundle); }));
    SF_CHECK(put_keys());
    SF_CHECK(until_undisturbed("Spack's index", [&] { return try_spack_index(specs); }));
    return x_report;
}

Result<bool> MirrorIndex::try_snapshot(const std::vector<cache::NewBuild>& builds,
                                       const cache::NamedBundle* bundle) {
    const std::string key = name(cache::FixedName::snapshot);
    const cache::SnapshotMemory memory(x_authority.memory, x_mirror.place());
    SF_TRY(auto lock, memory.hold());
    SF_TRY(const auto there, cache::read_object(x_mirror, key, cache::max_snapshot));
    cache::Snapshot snapshot;
    bool all_signed = false;
    if (there) {
        SF_TRY(const trust::SignedText good,
               x_authority.verifier->verify_clearsigned(there->text, key));
        const std::string place = "reading " + x_mirror.place() + '/' + key;
        SF_TRY(snapshot, base::during(cache::snapshot_from_text(good.text), place));
        if (snapshot.mirror != x_authority.mirror)
            return fail(Code::refused, "{}/{} was signed for {}, not for {}", x_mirror.place(), key,
                        snapshot.mirror, x_authority.mirror);
        // Whoever can write here may have put an old one back: it is not to be signed afresh.
        SF_CHECK(base::during(memory.accept(snapshot, good.text, x_authority.now), place));
        all_signed = signed_by_all(good.signature);
    } else {
        SF_CHECK(base::during(memory.check_none_seen(), "looking at " + x_mirror.place()));
        snapshot.repository = cache::new_repository_id();
        snapshot.mirror = x_authority.mirror;
    }
    lock.reset();
    const cache::ReadNode read = [&](const cache::Ref& ref) -> Result<std::string> {
        SF_TRY(const std::string node, cache::key_of(cache::IndexNodeName{ref.sha256}));
        return cache::read_ref(x_mirror, node, ref);
    };
    SF_TRY(const cache::IndexChange change, cache::add_builds(snapshot, read, builds));
    bool with_bundle = false;
    if (bundle != nullptr) {
        SF_TRY(with_bundle, cache::add_bundle(snapshot, *bundle));
    }
    x_report.serial = snapshot.serial;
    const bool young =
        there && cache::freshness(snapshot, x_authority.now) == cache::Freshness::fresh;
    if (!change.changed && !with_bundle && young && all_signed) return true;
    for (const std::string& node : change.nodes) {
        SF_TRY(const std::string name, cache::key_of(cache::IndexNodeName{base::sha256(node)}));
        SF_CHECK(put(name, node));
    }

    snapshot.names = change.names;
    ++snapshot.serial;
    // Clocks of publishers differ: time never goes back in one mirror.
    snapshot.issued = std::max(x_authority.now, snapshot.issued);
    snapshot.expires = snapshot.issued + x_authority.lifetime.count();
    SF_TRY(const std::string text, cache::to_text(snapshot));
    SF_TRY(const std::string signed_text, x_authority.signer->clearsign(text));
    SF_TRY(const PutOutcome outcome,
           cache::put_text(x_mirror, key, signed_text, json_type, unchanged(there)));
    if (outcome != PutOutcome::written) return false;
    SF_CHECK(memory.published(snapshot, text));
    x_report.serial = snapshot.serial;
    x_report.bytes += signed_text.size();
    x_report.changed = true;
    return true;
}

Result<bool> MirrorIndex::try_spack_index(const std::vector<cache::SpackSpec>& specs) {
    const std::string key = name(cache::FixedName::index_manifest);
    SF_TRY(const auto there, cache::read_object(x_mirror, key, max_unsigned_manifest));
    cache::SpackIndex index;
    bool fresh = !there;
    if (there) {
        auto read = read_spack_index(there->text);
        if (!read && read.error().code != Code::corrupt)
            return tl::unexpected(std::move(read).error());
        if (!read) {
            x_reporter.warning("{}: Spack's index is not one of ours, and is made again: {}",
                               x_mirror.place(), read.error().text());
            SF_TRY(index, remake_spack_index());
            fresh = true;
        } else {
            index = std::move(*read);
        }
    }
    const cache::SpackIndex before = index;
    for (const cache::SpackSpec& spec : specs) index.add(spec);
    if (!fresh && index == before) return true;
    SF_TRY(const std::string text, cache::to_json(index));
    SF_CHECK(put_blob(text));
    SF_TRY(const std::string manifest, cache::manifest_of({std::string(media::spack_index), "none",
                                                           text.size(), base::sha256(text)}));
    SF_TRY(const PutOutcome outcome,
           cache::put_text(x_mirror, key, manifest, json_type, unchanged(there)));
    if (outcome != PutOutcome::written) return false;
    x_report.bytes += manifest.size();
    x_report.changed = true;
    return true;
}

Result<cache::SpackIndex> MirrorIndex::read_spack_index(const std::string& manifest) const {
    SF_TRY(const cache::BlobRecord blob, cache::blob_of_manifest(manifest, media::spack_index));
    SF_TRY(const std::string text, read_unsigned(blob, max_spack_index));
    return cache::spack_index_from_json(text);
}

// What an unsigned manifest names, whose size is anybody's word.
Result<std::string> MirrorIndex::read_unsigned(const cache::BlobRecord& blob,
                                               std::uint64_t most) const {
    if (blob.size > most)
        return fail(Code::corrupt, "a blob of {} bytes is named, more than {}", blob.size, most);
    SF_TRY(const std::string key, cache::key_of(cache::BlobName{blob.sha256}));
    auto text = cache::read_ref(x_mirror, key, {blob.sha256, blob.size});
    if (!text && text.error().code == Code::absent)
        return fail(Code::corrupt, "{}", text.error().text());
    return text;
}

// From the signed manifests of everything that the signed snapshot names.
Result<cache::SpackIndex> MirrorIndex::remake_spack_index() const {
    cache::SpackIndex index;
    const std::string key = name(cache::FixedName::snapshot);
    SF_TRY(const auto there, cache::read_object(x_mirror, key, cache::max_snapshot));
    if (!there) return index;
    SF_TRY(const trust::SignedText good,
           x_authority.verifier->verify_clearsigned(there->text, key));
    SF_TRY(const cache::Snapshot snapshot, cache::snapshot_from_text(good.text));
    const cache::PackageIndex packages(snapshot, [&](const cache::Ref& ref) -> Result<std::string> {
        SF_TRY(const std::string node, cache::key_of(cache::IndexNodeName{ref.sha256}));
        return cache::read_ref(x_mirror, node, ref);
    });
    for (const auto& [package, unused] : snapshot.names) {
        SF_TRY(const std::vector<std::string> versions, packages.versions(package));
        for (const std::string& version : versions) {
            SF_TRY(const std::vector<cache::Build> builds, packages.builds(package, version));
            for (const cache::Build& build : builds) {
                SF_TRY(const cache::SpackSpec spec, read_spec(package, version, build));
                // What Spack may not see is not in its index (spack_mapping.hpp).
                if (spec.root().space == "builtin") index.add(spec);
            }
        }
    }
    return index;
}

Result<cache::SpackSpec> MirrorIndex::read_spec(const std::string& package,
                                                const std::string& version,
                                                const cache::Build& build) const {
    SF_TRY(const std::string key,
           cache::key_of(cache::SpecManifestName{package, version, build.hash}));
    SF_TRY(const std::string signed_text, cache::read_ref(x_mirror, key, build.manifest));
    SF_TRY(const trust::SignedText good,
           x_authority.verifier->verify_clearsigned(signed_text, key));
    SF_TRY(const cache::SpecManifest manifest, cache::spec_manifest_from_json(good.text, key));
    SF_TRY(const std::string blob, cache::key_of(cache::BlobName{manifest.spec.sha256}));
    SF_TRY(const std::string packed,
           cache::read_ref(x_mirror, blob, {manifest.spec.sha256, manifest.spec.size}));
    SF_TRY(const std::string text, gunzip(packed, cache::max_index_node));
    return cache::spack_spec_from_json(text);
}

// Two publishers with a key each do not sign over each other's snapshots in turn: only where one
// signs with several, as while a key is being replaced, does each of them have to be there.
bool MirrorIndex::signed_by_all(const trust::GoodSignature& signature) const {
    const std::vector<trust::Fingerprint> ours = x_authority.signer->primaries();
    return ours.size() == 1 || std::ranges::all_of(ours, [&](const trust::Fingerprint& each) {
               return std::ranges::find(signature.signers, each.text()) != signature.signers.end();
           });
}

Status MirrorIndex::put_key(const PublishedKey& key) {
    SF_CHECK(put_blob(key.armored));
    SF_TRY(const std::string manifest,
           cache::manifest_of({std::string(media::public_key), "none", key.armored.size(),
                               base::sha256(key.armored)}));
    SF_TRY(const std::string key_name, cache::key_of(cache::KeyManifestName{key.primary}));
    // A key's public part changes: its expiry is moved, a subkey is added.
    return until_undisturbed("the key", [&]() -> Result<bool> {
        SF_TRY(const auto there, cache::read_object(x_mirror, key_name, max_unsigned_manifest));
        if (there && there->text == manifest) return true;
        SF_TRY(const PutOutcome outcome,
               cache::put_text(x_mirror, key_name, manifest, json_type, unchanged(there)));
        return outcome == PutOutcome::written;
    });
}

// Spack's clients take them with `buildcache keys`; nobody of ours does.
Status MirrorIndex::put_keys() {
    SF_CHECK(put(name(cache::FixedName::layout), std::string(cache::layout_text)));
    std::vector<PublishedKey> keys{{x_authority.primary, x_authority.public_key}};
    keys.insert(keys.end(), x_authority.more_keys.begin(), x_authority.more_keys.end());
    for (const PublishedKey& each : keys) SF_CHECK(put_key(each));
    return until_undisturbed("the list of keys", [&]() -> Result<bool> {
        const std::string key = name(cache::FixedName::keys_manifest);
        SF_TRY(const auto there, cache::read_object(x_mirror, key, max_unsigned_manifest));
        std::vector<std::string> known;
        if (there) {
            auto read = read_keys(there->text);
            if (!read && read.error().code != Code::corrupt)
                return tl::unexpected(std::move(read).error());
            if (!read)
                x_reporter.warning("{}: the list of keys is not one of ours, and is made again: {}",
                                   x_mirror.place(), read.error().text());
            if (read) known = std::move(*read);
        }
        const std::size_t before = known.size();
        for (const PublishedKey& each : keys)
            if (std::ranges::find(known, each.primary) == known.end())
                known.push_back(each.primary);
        if (known.size() == before) return true;
        std::ranges::sort(known);
        SF_TRY(const std::string list, cache::keys_to_json(known));
        SF_CHECK(put_blob(list));
        SF_TRY(const std::string manifest,
               cache::manifest_of(
                   {std::string(media::spack_keys), "none", list.size(), base::sha256(list)}));
        SF_TRY(const PutOutcome outcome,
               cache::put_text(x_mirror, key, manifest, json_type, unchanged(there)));
        return outcome == PutOutcome::written;
    });
}

Result<std::vector<std::string>> MirrorIndex::read_keys(const std::string& manifest) const {
    SF_TRY(const cache::BlobRecord blob, cache::blob_of_manifest(manifest, media::spack_keys));
    SF_TRY(const std::string text, read_unsigned(blob, cache::max_index_node));
    return cache::keys_from_json(text);
}

// What is there under such a name is the same, or as good.
Status MirrorIndex::put(const std::string& key, const std::string& text) {
    SF_TRY(const auto there, x_mirror.look(key));
    if (there && there->size == text.size()) return {};
    const PutCondition absent{PutCondition::Kind::if_absent, {}};
    SF_TRY(const PutOutcome outcome, cache::put_text(x_mirror, key, text, json_type, absent));
    if (outcome == PutOutcome::written) x_report.bytes += text.size();
    return {};
}

Status MirrorIndex::put_blob(const std::string& text) {
    SF_TRY(const std::string key, cache::key_of(cache::BlobName{base::sha256(text)}));
    return put(key, text);
}

}  // namespace sf::publish
