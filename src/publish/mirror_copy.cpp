// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_copy.hpp"

#include <atomic>
#include <optional>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "base/unnamed_file.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/mirror_walk.hpp"
#include "cache/objects.hpp"
#include "cache/place_files.hpp"
#include "cache/snapshot_memory.hpp"
#include "cache/trusted_snapshot.hpp"

namespace sf::publish {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;
using cache::PutCondition;
using cache::PutOutcome;

namespace {

constexpr const char* json_type = "application/json";
constexpr int tries = 10;

class Copy {
public:
    Copy(cache::Backend& from, cache::Backend& to, const CopyRequest& request,
         base::Reporter& reporter)
        : x_from(from), x_to(to), x_request(request), x_reporter(reporter) {}

    Result<CopyReport> run() {
        SF_CHECK(step("look"));
        SF_TRY(const bool kept, x_to.keeps_conditions());
        if (!kept)
            return fail_hint(Code::refused,
                             x_to.place() +
                                 " does not keep conditions: a newer snapshot could be "
                                 "written over by an older one",
                             "use a server that knows If-None-Match and If-Match for writing");
        SF_TRY(const auto source, believed(x_from));
        if (!source)
            return fail_hint(Code::absent, "nothing was published to " + x_from.place(),
                             "see whether toolchain and series are those that were published");
        if (cache::freshness(source->snapshot, x_request.now) == cache::Freshness::expired)
            x_reporter.warning(
                "the snapshot of {} expired on {}: clients take no package by it, here or there",
                x_from.place(), base::utc_date(source->snapshot.expires));
        x_report.serial = source->snapshot.serial;
        SF_TRY(const bool done, is_there(*source));
        SF_CHECK(choose());
        SF_CHECK(check_stays_whole());
        // Also where the snapshot is there: what was lost since is sent again.
        SF_TRY(const cache::WalkedMirror walked, walk(source->snapshot));
        SF_CHECK(check_holds_no_less());
        SF_CHECK(send(*source, walked));
        // Whoever sees the snapshot sees as well that not all of it is here; and sees it for as
        // long as that is so.
        if (x_report.part) SF_CHECK(put_part(walked));
        if (!done) SF_CHECK(put_snapshot(*source));
        if (!x_report.part) SF_CHECK(remove_part());
        SF_CHECK(step("spack"));
        IndexAuthority authority;
        authority.verifier = x_request.verifier;
        authority.mirror = x_request.mirror;
        authority.memory = x_request.memory;
        authority.now = x_request.now;
        MirrorIndex index(x_to, std::move(authority), x_reporter);
        SF_TRY(const IndexReport listed, index.remake(x_request.keys_of));
        x_report.bytes += listed.bytes;
        x_report.changed = x_report.changed || listed.changed || x_sent > 0;
        x_report.sent = x_sent;
        x_report.there = x_there;
        x_report.bytes += x_bytes;
        return std::move(x_report);
    }

private:
    Status step(std::string_view name) {
        SF_CHECK(base::check_stop());
        return x_request.on_step ? x_request.on_step(name) : Status();
    }

    Result<std::optional<cache::TrustedSnapshot>> believed(cache::Backend& mirror) const {
        return cache::read_snapshot(
            mirror, {x_request.verifier, x_request.mirror, x_request.memory, x_request.now});
    }

    // Has the target this snapshot, and so all that it names? Refuses to go back.
    Result<bool> is_there(const cache::TrustedSnapshot& source) {
        SF_TRY(auto target, believed(x_to));
        x_before = std::move(target);
        if (!x_before) return false;
        const cache::Snapshot& theirs = x_before->snapshot;
        if (theirs.repository != source.snapshot.repository)
            return fail_hint(
                Code::refused,
                fmt::format("{} is another cache ({}) than {} ({})", x_to.place(),
                            theirs.repository, x_from.place(), source.snapshot.repository),
                "what is published there is not written over: name another place");
        if (theirs.serial > source.snapshot.serial)
            return fail_hint(
                Code::refused,
                fmt::format("{} has snapshot number {} already, {} only number {}", x_to.place(),
                            theirs.serial, x_from.place(), source.snapshot.serial),
                "a copy never goes back: copy from a place that is up to date");
        if (theirs.serial < source.snapshot.serial) return false;
        if (x_before->text == source.text) return true;
        return fail_hint(Code::refused,
                         fmt::format("{} and {} have two snapshots with number {}", x_from.place(),
                                     x_to.place(), theirs.serial),
                         "two were signed under one number: ask who publishes this cache");
    }

    // A part's part is what it holds, unless something else is asked for.
    Status choose() {
        const CopyChoice& choice = x_request.choice;
        SF_TRY(x_source_part, cache::read_part(x_from));
        x_part.versions = choice.versions;
        x_part.sources = choice.sources;
        x_report.part = !choice.versions.empty() || choice.needed || !choice.sources;
        if (!x_source_part) return {};
        x_report.part = true;
        if (choice.versions.empty()) x_part.versions = x_source_part->versions;
        x_part.sources = choice.sources && x_source_part->sources;
        if (choice.sources && !x_part.sources)
            x_reporter.warning("{} has no sources: the copy has none", x_from.place());
        return {};
    }

    // What makes a copy a part may be an unsigned word, or a slip: no packages are forgotten for
    // it.
    Status check_stays_whole() {
        if (!x_before) return {};
        SF_TRY(x_held, cache::read_part(x_to));
        if (x_held || !x_report.part) return {};
        const bool by_source = x_source_part && x_request.choice.versions.empty() &&
                               !x_request.choice.needed && x_request.choice.sources;
        return fail_hint(
            Code::refused,
            fmt::format("{} is a whole copy, and would become one of a part", x_to.place()),
            by_source ? x_from.place() +
                            " says itself that it is a part of its cache: copy from a whole one, "
                            "or to another place"
                      : "name another place for the part, or copy all of it: neither --versions "
                        "nor --no-sources");
    }

    // Of a part, by a smaller one's word.
    Status check_holds_no_less() {
        if (x_lost.empty()) return {};
        return fail_hint(Code::refused,
                         fmt::format("{} holds {} packages, {} among them, which {} says that it "
                                     "does not hold",
                                     x_to.place(), x_lost.size(), x_lost.front(), x_from.place()),
                         "copy from a place that holds them, or to another place");
    }

    // The index whole, and the packages that are chosen.
    Result<cache::WalkedMirror> walk(const cache::Snapshot& snapshot) {
        const CopyChoice& wish = x_request.choice;
        const bool all_there_is = wish.versions.empty() && !wish.needed;
        bool version_is_meant = true;
        cache::WalkChoice choice;
        choice.version = [&](const std::string&, const std::string& version) {
            version_is_meant =
                wish.needed.has_value() || cache::is_of_versions(wish.versions, version);
            return true;
        };
        choice.build = [&](const std::string& name, const cache::Build& build) {
            if (all_there_is && x_source_part) {
                const bool holds = x_source_part->builds.contains(build.hash);
                if (!holds && x_held && x_held->builds.contains(build.hash)) x_lost.push_back(name);
                return holds;
            }
            if (all_there_is) return true;
            return version_is_meant && (!wish.needed || wish.needed->contains(build.identity));
        };
        auto walked = cache::walk_mirror(x_from, *x_request.verifier, snapshot, {}, choice);
        if (!walked && walked.error().code == Code::absent)
            return tl::unexpected(cache::explain_hole(x_from, std::move(walked).error()));
        return walked;
    }

    [[nodiscard]] std::map<std::string, cache::Ref> of_part(
        const std::map<std::string, cache::Ref>& files) const {
        return x_report.part ? cache::held_files(x_part, files) : files;
    }

    Status put_part(const cache::WalkedMirror& walked) {
        for (const cache::MirrorPackage& package : walked.packages)
            x_part.builds.insert(package.manifest.hash);
        SF_TRY(const std::string text, cache::to_json(x_part));
        return put(cache::key_of(cache::FixedName::part).value(), text);
    }

    Status remove_part() {
        const std::string key = cache::key_of(cache::FixedName::part).value();
        SF_TRY(const auto there, x_to.look(key));
        if (!there) return {};
        x_report.changed = true;
        return x_to.remove(key);
    }

    Status send(const cache::TrustedSnapshot& source, const cache::WalkedMirror& walked) {
        SF_CHECK(step("blobs"));
        x_report.packages = walked.packages.size();
        std::vector<base::Task> tasks;
        tasks.reserve(walked.blobs.size());
        for (const auto& each : walked.blobs)
            tasks.emplace_back(
                [this, &each] { return send_blob(x_from, x_to, each.first, each.second); });
        SF_CHECK(base::run_batch(tasks, x_request.connections));
        SF_CHECK(send_place_files(source, walked));
        SF_CHECK(step("manifests"));
        for (const cache::MirrorPackage& package : walked.packages)
            SF_CHECK(put(package.key, package.stored));
        SF_CHECK(step("index"));
        for (const auto& [key, node] : walked.nodes) SF_CHECK(put(key, node));
        // Under names that may change: nothing goes by them but people.
        if (x_request.from_place == nullptr) return {};
        for (const auto& [key, ref] : of_part(source.snapshot.files))
            if (cache::is_alias(key))
                SF_CHECK(send_blob(*x_request.from_place, *x_request.to_place, key, ref));
        return {};
    }

    // Bundles and sources, before what names them.
    Status send_place_files(const cache::TrustedSnapshot& source,
                            const cache::WalkedMirror& walked) {
        if (x_request.from_place == nullptr) return {};
        SF_CHECK(step("bundles and sources"));
        SF_TRY(const auto all, cache::place_files(x_from, source.snapshot, walked));
        const auto files = of_part(all);
        std::vector<base::Task> tasks;
        for (const auto& each : files) {
            if (cache::is_alias(each.first)) continue;
            tasks.emplace_back([this, &each] {
                return send_blob(*x_request.from_place, *x_request.to_place, each.first,
                                 each.second);
            });
        }
        return base::run_batch(tasks, x_request.connections);
    }

    Status put_snapshot(const cache::TrustedSnapshot& source) {
        const std::string key = cache::key_of(cache::FixedName::snapshot).value();
        for (int i = 0; i < tries; ++i) {
            SF_CHECK(step("snapshot"));
            const PutCondition condition =
                x_before ? PutCondition{PutCondition::Kind::if_etag, x_before->etag}
                         : PutCondition{PutCondition::Kind::if_absent, {}};
            SF_TRY(const PutOutcome outcome,
                   cache::put_text(x_to, key, source.stored, json_type, condition));
            if (outcome == PutOutcome::written) {
                x_bytes += source.stored.size();
                x_sent += 1;
                x_report.changed = true;
                return cache::SnapshotMemory(x_request.memory, x_to.place())
                    .published(source.snapshot, source.text);
            }
            // Another copy was faster; with the same, or with a newer one.
            SF_TRY(const bool done, is_there(source));
            if (done) return {};
        }
        return fail_hint(Code::exhausted,
                         "others changed the snapshot of " + x_to.place() + " each time",
                         "run this again: what was sent stays");
    }

    // Through a file of ours: what is not what was signed never gets its name there.
    Status send_blob(cache::Backend& from, cache::Backend& to, const std::string& key,
                     const cache::Ref& ref) {
        SF_TRY(const auto there, to.look(key));
        // Under a name that may change, the same length says nothing.
        const bool same = there && there->size == ref.size &&
                          (!cache::is_alias(key) || cache::check_ref(to, key, ref));
        if (same) {
            x_there += 1;
            return {};
        }
        SF_TRY(const base::Fd file, base::unnamed_file(x_request.work));
        SF_CHECK(cache::fetch_ref(from, key, ref, file.get()));
        cache::PutRequest put;
        put.key = key;
        put.descriptor = file.get();
        put.size = ref.size;
        put.sha256 = ref.sha256;
        put.cache_control = cache::cache_control_of(key);
        // What has this name and another length is not what was signed.
        put.condition.kind = there ? PutCondition::Kind::always : PutCondition::Kind::if_absent;
        SF_TRY(const PutOutcome outcome, to.put(put));
        if (outcome != PutOutcome::written) {
            x_there += 1;
            return {};
        }
        x_sent += 1;
        x_bytes += ref.size;
        return {};
    }

    Status put(const std::string& key, const std::string& text) {
        SF_TRY(const auto there, cache::read_object(x_to, key, cache::max_snapshot));
        if (there && there->text == text) {
            x_there += 1;
            return {};
        }
        const PutCondition condition = there
                                           ? PutCondition{PutCondition::Kind::if_etag, there->etag}
                                           : PutCondition{PutCondition::Kind::if_absent, {}};
        SF_TRY(const PutOutcome outcome, cache::put_text(x_to, key, text, json_type, condition));
        if (outcome != PutOutcome::written) {
            SF_TRY(const auto again, cache::read_object(x_to, key, cache::max_snapshot));
            if (again && again->text == text) return {};
            return fail_hint(Code::refused,
                             fmt::format("{}/{} was changed meanwhile", x_to.place(), key),
                             "run this again: what was sent stays");
        }
        x_sent += 1;
        x_bytes += text.size();
        return {};
    }

    cache::Backend& x_from;
    cache::Backend& x_to;
    const CopyRequest& x_request;
    base::Reporter& x_reporter;
    std::optional<cache::TrustedSnapshot> x_before;  // at the target
    std::optional<cache::MirrorPart> x_source_part;
    std::optional<cache::MirrorPart> x_held;  // what the target says that it holds
    std::vector<std::string> x_lost;          // names of what it would hold no more
    cache::MirrorPart x_part;                 // what is sent
    CopyReport x_report;
    std::atomic<std::size_t> x_sent = 0;
    std::atomic<std::size_t> x_there = 0;
    std::atomic<std::uint64_t> x_bytes = 0;
};

}  // namespace

Result<NeededBy> needed_by(cache::Backend& mirror, const cache::SnapshotReading& reading,
                           const std::vector<std::string>& versions) {
    SF_TRY(const auto there, cache::read_snapshot(mirror, reading));
    if (!there)
        return fail_hint(Code::absent, "nothing was published to " + mirror.place(),
                         "see whether toolchain and series are those that were published");
    NeededBy needed;
    cache::WalkChoice choice;
    choice.version = [&](const std::string&, const std::string& version) {
        const bool meant = cache::is_of_versions(versions, version);
        (meant ? needed.versions : needed.others).insert(version);
        return meant;
    };
    auto walked = cache::walk_mirror(mirror, *reading.verifier, there->snapshot, {}, choice);
    if (!walked && walked.error().code == Code::absent)
        return tl::unexpected(cache::explain_hole(mirror, std::move(walked).error()));
    if (!walked) return tl::unexpected(std::move(walked).error());
    for (const cache::MirrorPackage& package : walked->packages) {
        needed.identities.insert(package.manifest.identity);
        if (!package.bundle) continue;
        for (const model::Package& each : package.bundle->packages)
            needed.identities.insert(each.identity);
    }
    return needed;
}

Result<CopyReport> copy_mirror(cache::Backend& from, cache::Backend& to, const CopyRequest& request,
                               base::Reporter& reporter) {
    return base::during(Copy(from, to, request, reporter).run(),
                        "copying " + from.place() + " to " + to.place());
}

}  // namespace sf::publish
