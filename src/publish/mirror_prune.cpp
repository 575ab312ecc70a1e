// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_prune.hpp"

#include <algorithm>
#include <vector>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/named_keys.hpp"
#include "cache/objects.hpp"

namespace sf::publish {

using base::Code;
using base::Result;
using base::Status;

namespace {

struct Known {
    cache::TrustedSnapshot snapshot;
    cache::WalkedMirror walked;
};

Result<Known> read(cache::Backend& mirror, const cache::SnapshotReading& reading) {
    SF_TRY(auto there, cache::read_snapshot(mirror, reading));
    if (!there)
        return base::fail_hint(Code::absent, "nothing was published to " + mirror.place(),
                               "see whether toolchain and series are those that were published");
    auto walked = cache::walk_mirror(mirror, *reading.verifier, there->snapshot);
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
    SF_CHECK(mirror.list("", [&](const cache::ObjectInfo& object) -> Status {
        if (named.contains(object.key)) report.kept += 1;
        if (named.contains(object.key) || !cache::is_litter(object.key)) return {};
        if (object.modified && *object.modified <= newest)
            litter.push_back(object);
        else
            report.young += 1;
        return {};
    }));
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
            SF_TRY(const auto now, mirror.look(object.key));
            if (!now) continue;
            if (!now->modified || *now->modified > newest) {
                report.young += 1;
                continue;
            }
            SF_CHECK(mirror.remove(object.key));
        }
        report.removed += 1;
        report.bytes += object.size;
        if (request.on_object) request.on_object(object);
    }
    return report;
}

}  // namespace sf::publish
