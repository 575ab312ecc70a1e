// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_prune.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/bundle_files.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/named_keys.hpp"
#include "cache/objects.hpp"
#include "cache/spec_manifest.hpp"
#include "model/names.hpp"

namespace sf::publish {

using base::Code;
using base::Result;
using base::Status;

namespace {

struct Known {
    cache::TrustedSnapshot snapshot;
    cache::WalkedMirror walked;
};

// A copy of a part says what it holds; nobody has signed that. So nothing goes for its word: what
// is there counts, whatever it says. Both are borrowed.
cache::WalkChoice all_that_lie_in(cache::Backend& mirror, const cache::MirrorPart& part) {
    cache::WalkChoice choice;
    const auto version = std::make_shared<std::string>();
    choice.version = [version](const std::string&, const std::string& now) {
        *version = now;
        return true;
    };
    choice.build = [version, &mirror, &part](const std::string& name, const cache::Build& build) {
        if (part.builds.contains(build.hash)) return true;
        const auto key = cache::key_of(cache::SpecManifestName{name, *version, build.hash});
        if (!key) return true;
        const auto there = mirror.look(*key);
        return !there || there->has_value();
    };
    return choice;
}

Result<Known> read(cache::Backend& mirror, const cache::SnapshotReading& reading) {
    SF_TRY(auto there, cache::read_snapshot(mirror, reading));
    if (!there)
        return base::fail_hint(Code::absent, "nothing was published to " + mirror.place(),
                               "see whether toolchain and series are those that were published");
    SF_TRY(const auto part, cache::read_part(mirror));
    auto walked = cache::walk_mirror(mirror, *reading.verifier, there->snapshot, {},
                                     part ? all_that_lie_in(mirror, *part) : cache::WalkChoice());
    if (!walked) {
        base::Error error = std::move(walked).error();
        if (error.hint.empty())
            error.hint = "nothing was removed; see what is wrong: slurm-factory cache verify PLACE";
        return tl::unexpected(std::move(error));
    }
    return Known{std::move(*there), std::move(*walked)};
}

Result<std::set<std::string>> named_by(cache::Backend& mirror, const PruneRequest& request) {
    SF_TRY(const Known known, read(mirror, request.reading));
    if (cache::freshness(known.snapshot.snapshot, request.reading.now) == cache::Freshness::expired)
        return base::fail_hint(
            Code::refused,
            fmt::format("the snapshot of {} expired on {}, by this machine's "
                        "clock",
                        mirror.place(), base::utc_date(known.snapshot.snapshot.expires)),
            "see whether the clock is right; then sign it afresh: slurm-factory "
            "cache refresh PLACE");
    SF_TRY(std::set<std::string> named,
           cache::named_keys(mirror, known.snapshot.snapshot, known.walked));
    named.insert(request.needed.begin(), request.needed.end());
    return named;
}

// A manifest that nothing names and that is young: a publisher is about to name it, or has retired
// it, and lock files name it still. What it names stays as long as it does.
Status spare(cache::Backend& mirror, const trust::Verifier& verifier, const std::string& key,
             std::set<std::string>& named) {
    const auto name = cache::name_of(key);
    if (!name || !std::holds_alternative<cache::SpecManifestName>(*name)) return {};
    SF_TRY(const auto there, cache::read_object(mirror, key, cache::max_index_node));
    if (!there) return {};
    // What nobody trusted has signed names nothing.
    const auto good = verifier.verify_clearsigned(there->text, key);
    if (!good) return {};
    const auto manifest = cache::spec_manifest_from_json(good->text, key);
    if (!manifest) return {};
    for (const cache::BlobRecord& blob : manifest->blobs()) {
        SF_TRY(std::string blob_key, cache::key_of(cache::BlobName{blob.sha256}));
        named.insert(std::move(blob_key));
    }
    return {};
}

// It was old when it was listed. False: it is not any more, since a publisher has sent it again.
Result<bool> remove_if_old(cache::Backend& place, const std::string& key, std::int64_t newest,
                           PruneReport& report) {
    SF_TRY(const auto now, place.look(key));
    if (!now) return false;
    if (!now->modified || *now->modified > newest) {
        report.young += 1;
        return false;
    }
    SF_CHECK(place.remove(key));
    return true;
}

// What names others goes before what is named; probes do not matter.
int rank(const std::string& key) {
    if (key.starts_with("v3/")) return 0;
    return key.starts_with("_sf/") ? 1 : 2;
}

}  // namespace

Result<std::set<std::string>> keys_needed(cache::Backend& mirror,
                                          const cache::SnapshotReading& reading) {
    SF_TRY(const Known known, read(mirror, reading));
    std::set<std::string> keys;
    for (const cache::MirrorPackage& package : known.walked.packages) {
        if (!package.bundle) continue;
        for (const model::Package& needed : package.bundle->packages) {
            SF_TRY(std::string key, cache::key_of(cache::BlobName{needed.run.sha256}));
            keys.insert(std::move(key));
        }
    }
    return keys;
}

Result<PruneReport> prune_mirror(cache::Backend& mirror, const PruneRequest& request) {
    SF_TRY(std::set<std::string> named, named_by(mirror, request));
    const std::int64_t newest = request.reading.now - request.keep_seconds;
    PruneReport report;
    std::vector<cache::ObjectInfo> litter;
    std::vector<std::string> young;
    SF_CHECK(mirror.list("", [&](const cache::ObjectInfo& object) -> Status {
        if (named.contains(object.key)) report.kept += 1;
        if (named.contains(object.key) || !cache::is_litter(object.key)) return {};
        if (object.modified && *object.modified <= newest)
            litter.push_back(object);
        else
            young.push_back(object.key);
        return {};
    }));
    report.young = young.size();
    std::set<std::string> spared;
    for (const std::string& key : young)
        SF_CHECK(spare(mirror, *request.reading.verifier, key, spared));
    report.young += std::erase_if(
        litter, [&](const cache::ObjectInfo& object) { return spared.contains(object.key); });
    std::ranges::stable_sort(litter, {}, [](const auto& object) { return rank(object.key); });
    // What was published while this place was listed is named now. Between this and the end of the
    // list below a publisher sends again what it finds so old (mirror_push.cpp).
    if (!litter.empty() && !request.dry_run) {
        SF_TRY(named, named_by(mirror, request));
    }
    for (const cache::ObjectInfo& object : litter) {
        SF_CHECK(base::check_stop());
        if (named.contains(object.key)) continue;
        if (!request.dry_run) {
            SF_TRY(const bool gone, remove_if_old(mirror, object.key, newest, report));
            if (!gone) continue;
        }
        report.removed += 1;
        report.bytes += object.size;
        if (request.on_object) request.on_object(object);
    }
    return report;
}

Result<PruneReport> prune_bundles(cache::Backend& place, const cache::MirrorName& name,
                                  const PruneRequest& request) {
    SF_TRY(const std::string folder, cache::folder_of(name));
    cache::SubBackend mirror(place, folder);
    SF_TRY(auto there, cache::read_snapshot(mirror, request.reading));
    PruneReport report;
    if (!there) return report;
    SF_TRY(const auto newest, cache::newest_bundle(there->snapshot));
    if (!newest) return report;
    const std::int64_t youngest = request.reading.now - request.keep_seconds;
    std::vector<cache::ObjectInfo> litter;
    SF_CHECK(place.list("builds/" + name.series, [&](const cache::ObjectInfo& object) -> Status {
        const auto parsed = cache::name_of(object.key);
        const auto* bundle = parsed ? std::get_if<cache::BundleName>(&*parsed) : nullptr;
        if (bundle == nullptr || bundle->toolchain != name.toolchain ||
            model::series_of(bundle->version) != name.series ||
            base::compare_versions(bundle->version, newest->version) >= 0)
            return {};
        if (there->snapshot.files.contains(object.key))
            report.kept += 1;
        else if (object.modified && *object.modified <= youngest)
            litter.push_back(object);
        else
            report.young += 1;
        return {};
    }));
    // As above: a retired release may have been published again meanwhile (bundle_push.cpp).
    if (!litter.empty() && !request.dry_run) {
        SF_TRY(there, cache::read_snapshot(mirror, request.reading));
        if (!there)
            return base::fail_hint(Code::refused, mirror.place() + " has no snapshot any more",
                                   "none of its bundles was removed; see what is wrong: "
                                   "slurm-factory cache verify PLACE");
    }
    for (const cache::ObjectInfo& object : litter) {
        SF_CHECK(base::check_stop());
        if (!request.dry_run) {
            if (there->snapshot.files.contains(object.key)) {
                report.kept += 1;
                continue;
            }
            SF_TRY(const bool gone, remove_if_old(place, object.key, youngest, report));
            if (!gone) continue;
        }
        report.removed += 1;
        report.bytes += object.size;
        if (request.on_object) request.on_object(object);
    }
    return report;
}

}  // namespace sf::publish
