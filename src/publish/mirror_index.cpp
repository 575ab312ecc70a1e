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
#include "cache/spack_index.hpp"

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
                                     const std::vector<cache::SpackSpec>& specs) {
    SF_CHECK(put_keys());
    SF_CHECK(until_undisturbed("the snapshot", [&] { return try_snapshot(builds); }));
    SF_CHECK(until_undisturbed("Spack's index", [&] { return try_spack_index(specs); }));
    return x_report;
}

Result<bool> MirrorIndex::try_snapshot(const std::vector<cache::NewBuild>& builds) {
    const std::string key = name(cache::FixedName::snapshot);
    SF_TRY(const auto there, cache::read_object(x_mirror, key, cache::max_snapshot));
    cache::Snapshot snapshot;
    if (there) {
        SF_TRY(const trust::SignedText good,
               x_authority.verifier->verify_clearsigned(there->text, key));
        SF_TRY(snapshot, base::during(cache::snapshot_from_text(good.text),
                                      "reading " + x_mirror.place() + '/' + key));
    } else {
        snapshot.repository = cache::new_repository_id();
    }
    const cache::ReadNode read = [&](const cache::Ref& ref) -> Result<std::string> {
        SF_TRY(const std::string node, cache::key_of(cache::IndexNodeName{ref.sha256}));
        return cache::read_ref(x_mirror, node, ref);
    };
    SF_TRY(const cache::IndexChange change, cache::add_builds(snapshot, read, builds));
    x_report.serial = snapshot.serial;
    const bool young =
        there && cache::freshness(snapshot, x_authority.now) == cache::Freshness::fresh;
    if (!change.changed && young) return true;
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
    x_report.serial = snapshot.serial;
    x_report.bytes += signed_text.size();
    x_report.changed = true;
    return true;
}

Result<bool> MirrorIndex::try_spack_index(const std::vector<cache::SpackSpec>& specs) {
    const std::string key = name(cache::FixedName::index_manifest);
    SF_TRY(const auto there, cache::read_object(x_mirror, key, max_spack_index));
    cache::SpackIndex index;
    if (there) {
        SF_TRY(const cache::BlobRecord blob,
               cache::blob_of_manifest(there->text, media::spack_index));
        SF_TRY(const std::string blob_key, cache::key_of(cache::BlobName{blob.sha256}));
        SF_TRY(const std::string text,
               cache::read_ref(x_mirror, blob_key, {blob.sha256, blob.size}));
        SF_TRY(index, cache::spack_index_from_json(text));
    }
    const cache::SpackIndex before = index;
    for (const cache::SpackSpec& spec : specs) index.add(spec);
    if (there && index == before) return true;
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

// Spack's clients take them with `buildcache keys`; nobody of ours does.
Status MirrorIndex::put_keys() {
    SF_CHECK(put(name(cache::FixedName::layout), std::string(cache::layout_text)));
    const std::string fingerprint = x_authority.signer->fingerprint().text();
    SF_CHECK(put_blob(x_authority.public_key));
    SF_TRY(const std::string manifest, cache::manifest_of({std::string(media::public_key), "none",
                                                           x_authority.public_key.size(),
                                                           base::sha256(x_authority.public_key)}));
    SF_TRY(const std::string key_name, cache::key_of(cache::KeyManifestName{fingerprint}));
    SF_CHECK(put(key_name, manifest));
    return until_undisturbed("the list of keys", [&]() -> Result<bool> {
        const std::string key = name(cache::FixedName::keys_manifest);
        SF_TRY(const auto there, cache::read_object(x_mirror, key, cache::max_index_node));
        std::vector<std::string> known;
        if (there) {
            SF_TRY(const cache::BlobRecord blob,
                   cache::blob_of_manifest(there->text, media::spack_keys));
            SF_TRY(const std::string blob_key, cache::key_of(cache::BlobName{blob.sha256}));
            SF_TRY(const std::string text,
                   cache::read_ref(x_mirror, blob_key, {blob.sha256, blob.size}));
            SF_TRY(known, cache::keys_from_json(text));
        }
        if (std::ranges::find(known, fingerprint) != known.end()) return true;
        known.push_back(fingerprint);
        std::ranges::sort(known);
        SF_TRY(const std::string list, cache::keys_to_json(known));
        SF_CHECK(put_blob(list));
        SF_TRY(const std::string keys, cache::manifest_of({std::string(media::spack_keys), "none",
                                                           list.size(), base::sha256(list)}));
        SF_TRY(const PutOutcome outcome,
               cache::put_text(x_mirror, key, keys, json_type, unchanged(there)));
        return outcome == PutOutcome::written;
    });
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
