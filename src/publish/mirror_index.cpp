// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_index.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <thread>
#include <utility>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/blob_record.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/objects.hpp"
#include "cache/snapshot_memory.hpp"
#include "publish/conditions.hpp"

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

// What Spack may not see is not in its index (spack_mapping.hpp).
cache::SpackIndex index_of(const cache::WalkedMirror& all) {
    cache::SpackIndex index;
    for (const cache::MirrorPackage& package : all.packages)
        if (package.spec.root().space == "builtin") index.add(package.spec);
    return index;
}

}  // namespace

Result<IndexReport> MirrorIndex::add(const std::vector<cache::NewBuild>& builds,
                                     const std::vector<cache::SpackSpec>& specs,
                                     const cache::NamedBundle* bundle) {
    SF_CHECK(until_undisturbed("the snapshot",
                               [&] { return try_snapshot(builds, bundle, Renewal::when_ageing); }));
    SF_CHECK(put_keys());
    SF_CHECK(until_undisturbed("Spack's index", [&] { return try_spack_index(specs); }));
    return x_report;
}

Result<IndexReport> MirrorIndex::refresh(bool always) {
    SF_TRY(const auto there, believed());
    if (!there) return fail(Code::absent, "nothing was published to {}", x_mirror.place());
    SF_CHECK(check_conditions(x_mirror));
    SF_CHECK(until_undisturbed("the snapshot", [&] {
        return try_snapshot({}, nullptr, always ? Renewal::always : Renewal::when_ageing);
    }));
    if (x_report.changed) SF_CHECK(put_keys());
    return x_report;
}

Result<IndexReport> MirrorIndex::retire(const cache::BuildsByVersion& builds) {
    SF_CHECK(check_conditions(x_mirror));
    SF_CHECK(make_young(builds));
    SF_CHECK(until_undisturbed(
        "the snapshot", [&] { return try_snapshot({}, nullptr, Renewal::when_ageing, builds); }));
    return x_report;
}

Status MirrorIndex::make_young(const cache::BuildsByVersion& builds) {
    for (const auto& [package, versions] : builds) {
        for (const auto& [version, hashes] : versions) {
            for (const std::string& hash : hashes) {
                SF_CHECK(base::check_stop());
                SF_TRY(const std::string key,
                       cache::key_of(cache::SpecManifestName{package, version, hash}));
                SF_TRY(const auto there, cache::read_object(x_mirror, key, cache::max_index_node));
                if (!there) continue;
                SF_CHECK(
                    cache::put_text(x_mirror, key, there->text, json_type).map([](PutOutcome) {}));
            }
        }
    }
    return {};
}

Result<std::optional<cache::TrustedSnapshot>> MirrorIndex::believed() const {
    return cache::read_snapshot(
        x_mirror, {x_authority.verifier, x_authority.mirror, x_authority.memory, x_authority.now});
}

// A snapshot from the future would be refused by every client until its time has come, and no
// earlier one could follow it.
Status MirrorIndex::check_clock() {
    if (std::exchange(x_clock_checked, true)) return {};
    SF_TRY(const auto its, cache::clock_of(x_mirror));
    constexpr std::int64_t tolerance = 600;  // what clients allow (cache/snapshot.hpp)
    if (!its || x_authority.now <= *its + tolerance) return {};
    return base::fail_hint(
        Code::refused,
        fmt::format("this machine's clock is {} s ahead of that of {}: no client would take a "
                    "snapshot of that time",
                    x_authority.now - *its, x_mirror.place()),
        "set the clock (timedatectl), then run this again: what was sent stays");
}

Result<bool> MirrorIndex::try_snapshot(const std::vector<cache::NewBuild>& builds,
                                       const cache::NamedBundle* bundle, Renewal renewal,
                                       const cache::BuildsByVersion& retired) {
    const std::string key = name(cache::FixedName::snapshot);
    SF_TRY(auto there, believed());
    cache::Snapshot snapshot;
    bool all_signed = false;
    if (there) {
        SF_CHECK(x_authority.signer->admit(trust::Evidence::snapshot, there->stored));
        all_signed = signed_by_all(*there->signature);
        snapshot = std::move(there->snapshot);
    } else {
        snapshot.repository = cache::new_repository_id();
        snapshot.mirror = x_authority.mirror;
    }
    const cache::ReadNode read = [&](const cache::Ref& ref) -> Result<std::string> {
        SF_TRY(const std::string node, cache::key_of(cache::IndexNodeName{ref.sha256}));
        SF_TRY(std::string text, cache::read_ref(x_mirror, node, ref));
        SF_CHECK(x_authority.signer->admit(trust::Evidence::node, text));
        return text;
    };
    SF_TRY(const cache::IndexChange change, retired.empty()
                                                ? cache::add_builds(snapshot, read, builds)
                                                : cache::remove_builds(snapshot, read, retired));
    bool with_bundle = false;
    if (bundle != nullptr) {
        SF_TRY(with_bundle, cache::add_bundle(snapshot, *bundle));
    }
    std::erase_if(snapshot.files, [&](const auto& each) {
        const auto object = cache::name_of(each.first);
        const auto* its = object ? std::get_if<cache::BundleName>(&*object) : nullptr;
        return its != nullptr && change.gone.contains({"slurm", its->version});
    });
    const bool young = there && renewal == Renewal::when_ageing &&
                       cache::freshness(snapshot, x_authority.now) == cache::Freshness::fresh;
    if (!change.changed && !with_bundle && young && all_signed) {
        report(snapshot, there->stored);
        return true;
    }
    SF_CHECK(check_clock());
    for (const std::string& node : change.nodes) {
        SF_CHECK(x_authority.signer->admit(trust::Evidence::node, node));
        SF_TRY(const std::string name, cache::key_of(cache::IndexNodeName{base::sha256(node)}));
        SF_CHECK(put(name, node, true));
    }

    snapshot.names = change.names;
    ++snapshot.serial;
    // Clocks of publishers differ: time never goes back in one mirror.
    snapshot.issued = std::max(x_authority.now, snapshot.issued);
    snapshot.expires = snapshot.issued + x_authority.lifetime.count();
    SF_TRY(const std::string text, cache::to_text(snapshot));
    SF_TRY(const std::string signed_text, x_authority.signer->sign(trust::Paper::snapshot, text));
    SF_TRY(const PutOutcome outcome,
           cache::put_text(x_mirror, key, signed_text, json_type,
                           there ? PutCondition{PutCondition::Kind::if_etag, there->etag}
                                 : PutCondition{PutCondition::Kind::if_absent, {}}));
    if (outcome != PutOutcome::written) return false;
    SF_CHECK(cache::SnapshotMemory(x_authority.memory, x_mirror.place()).published(snapshot, text));
    report(snapshot, signed_text);
    x_report.bytes += signed_text.size();
    x_report.changed = true;
    return true;
}

void MirrorIndex::report(const cache::Snapshot& snapshot, std::string_view stored) {
    x_report.serial = snapshot.serial;
    x_report.snapshot = base::sha256(stored);
    x_report.renew = cache::half_time(snapshot);
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
            SF_TRY(const cache::WalkedMirror all, walk());
            index = index_of(all);
            fresh = true;
        } else {
            index = std::move(*read);
        }
    }
    const cache::SpackIndex before = index;
    for (const cache::SpackSpec& spec : specs) index.add(spec);
    if (!fresh && index == before) return true;
    return replace_spack_index(index, there);
}

// False: somebody else was faster.
Result<bool> MirrorIndex::replace_spack_index(const cache::SpackIndex& index,
                                              const std::optional<cache::StoredText>& there) {
    const std::string key = name(cache::FixedName::index_manifest);
    SF_TRY(const std::string text, cache::to_json(index));
    SF_TRY(const std::string manifest, cache::manifest_of({std::string(media::spack_index), "none",
                                                           text.size(), base::sha256(text)}));
    SF_CHECK(put_blob(text));
    if (there && there->text == manifest) return true;
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

// Everything that the snapshot names, by its signed manifests.
Result<cache::WalkedMirror> MirrorIndex::walk() const {
    SF_TRY(const auto there, believed());
    if (!there) return cache::WalkedMirror();
    // Spack is not told of what a copy says that it lacks.
    SF_TRY(const auto part, cache::read_part(x_mirror));
    SF_TRY(cache::WalkedMirror all,
           cache::walk_mirror(x_mirror, *x_authority.verifier, there->snapshot, {},
                              part ? cache::held_by(*part) : cache::WalkChoice()));
    all.signers.insert(there->signer);
    return all;
}

Result<IndexReport> MirrorIndex::remake(const KeysOf& keys_of) {
    std::set<std::string> signers;
    SF_CHECK(check_conditions(x_mirror));
    SF_CHECK(put(name(cache::FixedName::layout), std::string(cache::layout_text)));
    SF_CHECK(until_undisturbed("Spack's index", [&]() -> Result<bool> {
        // Before the snapshot: a publisher writes the snapshot first, so what it has added since
        // is in the one, or has changed the other.
        SF_TRY(const auto there,
               cache::read_object(x_mirror, name(cache::FixedName::index_manifest),
                                  max_unsigned_manifest));
        SF_TRY(const cache::WalkedMirror all, walk());
        signers = all.signers;
        return replace_spack_index(index_of(all), there);
    }));
    SF_TRY(const std::vector<PublishedKey> keys, keys_of(signers));
    std::vector<std::string> fingerprints;
    for (const PublishedKey& key : keys) {
        SF_CHECK(put_key(key));
        fingerprints.push_back(key.primary);
    }
    std::ranges::sort(fingerprints);
    SF_CHECK(until_undisturbed("the list of keys", [&]() -> Result<bool> {
        SF_TRY(const auto there, cache::read_object(x_mirror, name(cache::FixedName::keys_manifest),
                                                    max_unsigned_manifest));
        return replace_keys(fingerprints, there);
    }));
    return x_report;
}

// Two publishers with a key each do not sign over each other's snapshots in turn: only where one
// signs with several, as while a key is being replaced, does each of them have to be there.
bool MirrorIndex::signed_by_all(const trust::GoodSignature& signature) const {
    const std::vector<trust::Fingerprint> ours = x_authority.signer->primaries();
    return ours.size() == 1 || std::ranges::all_of(ours, [&](const trust::Fingerprint& each) {
               return std::ranges::find(signature.signers, each.text()) != signature.signers.end();
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
        return replace_keys(known, there);
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
        x_report.changed = x_report.changed || outcome == PutOutcome::written;
        return outcome == PutOutcome::written;
    });
}

// False: somebody else was faster.
Result<bool> MirrorIndex::replace_keys(const std::vector<std::string>& fingerprints,
                                       const std::optional<cache::StoredText>& there) {
    SF_TRY(const std::string list, cache::keys_to_json(fingerprints));
    SF_TRY(const std::string keys, cache::manifest_of({std::string(media::spack_keys), "none",
                                                       list.size(), base::sha256(list)}));
    SF_CHECK(put_blob(list));
    if (there && there->text == keys) return true;
    SF_TRY(const PutOutcome outcome,
           cache::put_text(x_mirror, name(cache::FixedName::keys_manifest), keys, json_type,
                           unchanged(there)));
    x_report.changed = x_report.changed || outcome == PutOutcome::written;
    return outcome == PutOutcome::written;
}

Result<std::vector<std::string>> MirrorIndex::read_keys(const std::string& manifest) const {
    SF_TRY(const cache::BlobRecord blob, cache::blob_of_manifest(manifest, media::spack_keys));
    SF_TRY(const std::string text, read_unsigned(blob, cache::max_index_node));
    return cache::keys_from_json(text);
}

// What is there under such a name is the same, or as good. `young`: nothing may name it yet, so
// what is old is sent again (reuse_days).
Status MirrorIndex::put(const std::string& key, const std::string& text, bool young) {
    SF_TRY(const auto there, x_mirror.look(key));
    constexpr std::int64_t patience = std::int64_t{reuse_days} * 86'400;
    const bool old = there && there->modified && *there->modified < x_authority.now - patience;
    if (there && there->size == text.size() && !(young && old)) return {};
    const auto kind = young && old ? PutCondition::Kind::always : PutCondition::Kind::if_absent;
    SF_TRY(const PutOutcome outcome, cache::put_text(x_mirror, key, text, json_type, {kind, {}}));
    if (outcome == PutOutcome::written) x_report.bytes += text.size();
    return {};
}

Status MirrorIndex::put_blob(const std::string& text) {
    SF_TRY(const std::string key, cache::key_of(cache::BlobName{base::sha256(text)}));
    return put(key, text);
}

}  // namespace sf::publish
