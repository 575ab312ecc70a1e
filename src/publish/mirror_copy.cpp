// SPDX-License-Identifier: Apache-2.0
#include "publish/mirror_copy.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>

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

Status step(const CopyRequest& request, std::string_view name) {
    SF_CHECK(base::check_stop());
    return request.on_step ? request.on_step(name) : Status();
}

Result<std::optional<cache::TrustedSnapshot>> believed(cache::Backend& mirror,
                                                       const CopyRequest& request) {
    return cache::read_snapshot(mirror,
                                {request.verifier, request.mirror, request.memory, request.now});
}

// What the target has. Refuses to go back, and to write over what is none of this.
Result<std::optional<cache::TrustedSnapshot>> before_copy(const cache::Backend& from,
                                                          cache::Backend& to,
                                                          const CopyRequest& request,
                                                          const cache::TrustedSnapshot& source) {
    SF_TRY(auto target, believed(to, request));
    if (!target) return target;
    const cache::Snapshot& theirs = target->snapshot;
    if (theirs.repository != source.snapshot.repository)
        return fail_hint(Code::refused,
                         fmt::format("{} is another cache ({}) than {} ({})", to.place(),
                                     theirs.repository, from.place(), source.snapshot.repository),
                         "what is published there is not written over: name another place");
    if (theirs.serial > source.snapshot.serial)
        return fail_hint(
            Code::refused,
            fmt::format("{} has snapshot number {} already, {} only number {}", to.place(),
                        theirs.serial, from.place(), source.snapshot.serial),
            "a copy never goes back: copy from a place that is up to date");
    if (theirs.serial < source.snapshot.serial || target->text == source.text) return target;
    return fail_hint(Code::refused,
                     fmt::format("{} and {} have two snapshots with number {}", from.place(),
                                 to.place(), theirs.serial),
                     "two were signed under one number: ask who publishes this cache");
}

// Has the target this snapshot, and so all that it names?
bool is_same(const std::optional<cache::TrustedSnapshot>& before,
             const cache::TrustedSnapshot& source) {
    return before && before->text == source.text;
}

// A hole is explained by what the mirror says of itself.
Result<cache::WalkedMirror> walk(cache::Backend& mirror, const trust::Verifier& verifier,
                                 const cache::Snapshot& snapshot, const cache::WalkChoice& choice) {
    auto walked = cache::walk_mirror(mirror, verifier, snapshot, {}, choice);
    if (!walked && walked.error().code == Code::absent)
        return tl::unexpected(cache::explain_hole(mirror, std::move(walked).error()));
    return walked;
}

bool asks_for_all(const CopyChoice& wish) { return wish.versions.empty() && !wish.needed; }

// The index whole, and the packages that are chosen. Both are borrowed.
cache::WalkChoice chosen(const CopyChoice& wish,
                         const std::optional<cache::MirrorPart>& source_part) {
    if (asks_for_all(wish)) return source_part ? cache::held_by(*source_part) : cache::WalkChoice();
    const auto is_meant = std::make_shared<bool>(true);  // the version that is looked at
    cache::WalkChoice choice;
    choice.version = [&wish, is_meant](const std::string&, const std::string& version) {
        *is_meant = wish.needed.has_value() || cache::is_of_versions(wish.versions, version);
        return true;
    };
    choice.build = [&wish, is_meant](const std::string&, const cache::Build& build) {
        return *is_meant && (!wish.needed || wish.needed->contains(build.identity));
    };
    return choice;
}

// None: all.
std::vector<std::string> united(const std::vector<std::string>& some,
                                const std::vector<std::string>& others) {
    if (some.empty() || others.empty()) return {};
    std::set<std::string> all(some.begin(), some.end());
    all.insert(others.begin(), others.end());
    return {all.begin(), all.end()};
}

// What speaks against a copy, and what the target will say that it holds.
class Planning {
public:
    Planning(cache::Backend& from, cache::Backend& to, const CopyRequest& request,
             base::Reporter& reporter)
        : x_from(from), x_to(to), x_request(request), x_reporter(reporter) {}

    Result<CopyPlan> run() {
        SF_CHECK(step(x_request, "look"));
        SF_TRY(const bool kept, x_to.keeps_conditions());
        if (!kept)
            return fail_hint(Code::refused,
                             x_to.place() +
                                 " does not keep conditions: a newer snapshot could be "
                                 "written over by an older one",
                             "use a server that knows If-None-Match and If-Match for writing");
        SF_TRY(auto source, believed(x_from, x_request));
        if (!source)
            return fail_hint(Code::absent, "nothing was published to " + x_from.place(),
                             "see whether toolchain and series are those that were published");
        x_plan.source = std::move(*source);
        const cache::Snapshot& snapshot = x_plan.source.snapshot;
        if (cache::freshness(snapshot, x_request.now) == cache::Freshness::expired)
            x_reporter.warning(
                "the snapshot of {} expired on {}: clients take no package by it, here or there",
                x_from.place(), base::utc_date(snapshot.expires));
        SF_TRY(x_plan.before, before_copy(x_from, x_to, x_request, x_plan.source));
        SF_CHECK(choose());
        SF_CHECK(look_at_target());
        SF_CHECK(check_stays_whole());
        SF_CHECK(check_sources());
        SF_CHECK(check_holds_no_less());
        return std::move(x_plan);
    }

private:
    // Is what is copied what the source says that it holds?
    [[nodiscard]] bool by_its_word() const {
        return x_plan.source_part && asks_for_all(x_request.choice);
    }

    // A part's part is what it holds, unless something else is asked for.
    Status choose() {
        const CopyChoice& choice = x_request.choice;
        auto said = cache::read_part(x_from);
        if (!said) {
            base::Error error = std::move(said).error();
            if (error.code == Code::corrupt && error.hint.empty())
                error.hint =
                    "if it is a copy, copy to it again first: slurm-factory cache mirror FROM "
                    "PLACE";
            return tl::unexpected(std::move(error));
        }
        x_plan.source_part = std::move(*said);
        x_plan.part.versions = choice.versions;
        x_plan.part.sources = choice.sources;
        x_plan.is_part = x_plan.source_part || !asks_for_all(choice) || !choice.sources;
        if (!x_plan.source_part) return {};
        if (choice.versions.empty()) x_plan.part.versions = x_plan.source_part->versions;
        x_plan.part.sources = choice.sources && x_plan.source_part->sources;
        return {};
    }

    // What cannot be read was of a part, and is mended by the copy: there is nothing to compare
    // with.
    Status look_at_target() {
        auto held = cache::read_part(x_to);
        if (held) {
            // One that was begun and has no snapshot yet holds nothing for anybody.
            if (x_plan.before) x_held = std::move(*held);
            return {};
        }
        if (held.error().code != Code::corrupt) return tl::unexpected(std::move(held).error());
        x_plan.spoilt = true;
        x_reporter.warning(
            "what {} says that it holds cannot be read: it is not compared with this copy, which "
            "says it anew: {}",
            x_to.place(), held.error().text());
        return {};
    }

    // What makes a copy a part may be an unsigned word, or a slip: no packages are forgotten for
    // it.
    Status check_stays_whole() {
        if (!x_plan.before || !x_plan.is_part || x_plan.spoilt) return {};
        if (!x_held)
            return fail_hint(
                Code::refused,
                fmt::format("{} is a whole copy, and would become one of a part", x_to.place()),
                by_its_word() && x_request.choice.sources
                    ? x_from.place() +
                          " says itself that it is a part of its cache: copy from a whole one, "
                          "or to another place"
                    : "name another place for the part, or copy all of it: neither --versions "
                      "nor --no-sources");
        if (!x_held->versions.empty() || asks_for_all(x_request.choice)) return {};
        return fail_hint(
            Code::refused,
            fmt::format("{} holds {}, and would hold less", x_to.place(), x_held->text()),
            "name another place for the part, or copy all of it: without --versions");
    }

    // The user's own word counts, of a part: nothing is taken away, and the next copy brings what
    // was left out meanwhile.
    Status check_sources() {
        if (x_plan.part.sources) return {};
        const bool had = x_held && x_held->sources;
        if (!x_request.choice.sources) {
            if (had)
                x_reporter.warning(
                    "{} had the sources, and says from now on that it has none (--no-sources): "
                    "those that are there stay, and no others come",
                    x_to.place());
            return {};
        }
        if (had)
            return fail_hint(Code::refused,
                             fmt::format("{} has the sources, and {} says that it has none",
                                         x_to.place(), x_from.place()),
                             "copy from a place that has them, or to another place");
        x_reporter.warning("{} has no sources: the copy has none", x_from.place());
        return {};
    }

    // Of a part, by a smaller one's word, or by a slip.
    Status check_holds_no_less() {
        if (!x_held || !x_plan.is_part) return {};
        SF_TRY(const cache::MirrorName name, cache::mirror_of(x_request.mirror));
        if (name.series.empty()) {
            if (by_its_word()) SF_CHECK(keep_dependencies());
        } else {
            SF_TRY(const auto lost, lost_releases());
            if (!lost.empty()) return would_lose(lost);
        }
        // What was asked for before: all that there is of it now goes along, as was just seen.
        if (by_its_word()) x_plan.part.versions = united(x_plan.part.versions, x_held->versions);
        return {};
    }

    // Everything that is named, and nothing of it is read.
    Status for_each_build(
        const std::function<void(const std::string& name, const std::string& version,
                                 const cache::Build& build)>& look) {
        std::string version;
        cache::WalkChoice choice;
        choice.version = [&](const std::string&, const std::string& each) {
            version = each;
            return true;
        };
        choice.build = [&](const std::string& name, const cache::Build& build) {
            look(name, version, build);
            return false;
        };
        return walk(x_from, *x_request.verifier, x_plan.source.snapshot, choice)
            .map([](const cache::WalkedMirror&) {});
    }

    // Of dependencies a place holds what its releases need, which are compared where they are. A
    // smaller part, or one that has followed a retirement, holds fewer: that is no reason to
    // refuse it, and none to forget the others.
    Status keep_dependencies() {
        SF_CHECK(for_each_build(
            [this](const std::string&, const std::string&, const cache::Build& build) {
                if (x_held->builds.contains(build.hash) &&
                    !x_plan.source_part->builds.contains(build.hash))
                    x_plan.part.builds.insert(build.hash);
            }));
        if (x_plan.part.builds.empty() || x_held->sources || !x_plan.part.sources) return {};
        // What is said of sources is said of all.
        x_plan.part.sources = false;
        x_reporter.warning(
            "{} holds packages without their sources that {} does not hold: it gets no sources",
            x_to.place(), x_from.place());
        return {};
    }

    // Of what is named: who has retired a release has not lost it.
    Result<std::vector<std::string>> lost_releases() {
        std::vector<std::string> lost;
        SF_CHECK(for_each_build(
            [&](const std::string& name, const std::string& version, const cache::Build& build) {
                const bool meant = cache::is_of_versions(x_plan.part.versions, version);
                const bool sent =
                    by_its_word() ? x_plan.source_part->builds.contains(build.hash) : meant;
                const bool was_meant = cache::is_of_versions(x_held->versions, version);
                if ((x_held->builds.contains(build.hash) && !sent) || (was_meant && !meant))
                    lost.push_back(name + ' ' + version);
            }));
        return lost;
    }

    [[nodiscard]] tl::unexpected<base::Error> would_lose(
        const std::vector<std::string>& lost) const {
        if (by_its_word())
            return fail_hint(Code::refused,
                             fmt::format("{} holds {} packages, {} among them, which {} says that "
                                         "it does not hold",
                                         x_to.place(), lost.size(), lost.front(), x_from.place()),
                             "copy from a place that holds them, or to another place");
        return fail_hint(
            Code::refused,
            fmt::format("{} holds {} packages, {} among them, which were not asked for",
                        x_to.place(), lost.size(), lost.front()),
            "name their versions as well (--versions), or another place");
    }

    cache::Backend& x_from;
    cache::Backend& x_to;
    const CopyRequest& x_request;
    base::Reporter& x_reporter;
    std::optional<cache::MirrorPart> x_held;  // what the target says that it holds
    CopyPlan x_plan;
};

class Copy {
public:
    Copy(cache::Backend& from, cache::Backend& to, const CopyRequest& request, CopyPlan plan,
         base::Reporter& reporter)
        : x_from(from),
          x_to(to),
          x_request(request),
          x_reporter(reporter),
          x_plan(std::move(plan)) {}

    Result<CopyReport> run() {
        const cache::TrustedSnapshot& source = x_plan.source;
        x_report.serial = source.snapshot.serial;
        x_report.part = x_plan.is_part;
        // Also where the snapshot is there: what was lost since is sent again.
        SF_TRY(const cache::WalkedMirror walked,
               walk(x_from, *x_request.verifier, source.snapshot,
                    chosen(x_request.choice, x_plan.source_part)));
        SF_CHECK(send(source, walked));
        // Whoever sees the snapshot sees as well that not all of it is here; and sees it for as
        // long as that is so.
        if (x_plan.is_part) SF_CHECK(put_part(walked));
        if (!is_same(x_plan.before, source)) SF_CHECK(put_snapshot(source));
        if (!x_plan.is_part) SF_CHECK(remove_part());
        SF_CHECK(step(x_request, "spack"));
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
        return x_report;
    }

private:
    [[nodiscard]] std::map<std::string, cache::Ref> of_part(
        const std::map<std::string, cache::Ref>& files) const {
        return x_plan.is_part ? cache::held_files(x_plan.part, files) : files;
    }

    Status put_part(const cache::WalkedMirror& walked) {
        for (const cache::MirrorPackage& package : walked.packages)
            x_plan.part.builds.insert(package.manifest.hash);
        x_report.packages = x_plan.part.builds.size();
        SF_TRY(const std::string text, cache::to_json(x_plan.part));
        const std::string key = cache::key_of(cache::FixedName::part).value();
        if (!x_plan.spoilt) return put(key, text);
        // Whatever it is that lies there.
        SF_CHECK(cache::put_text(x_to, key, text, json_type).map([](PutOutcome) {}));
        x_sent += 1;
        x_bytes += text.size();
        return {};
    }

    Status remove_part() {
        const std::string key = cache::key_of(cache::FixedName::part).value();
        SF_TRY(const auto there, x_to.look(key));
        if (!there) return {};
        x_report.changed = true;
        return x_to.remove(key);
    }

    Status send(const cache::TrustedSnapshot& source, const cache::WalkedMirror& walked) {
        SF_CHECK(step(x_request, "blobs"));
        x_report.packages = walked.packages.size();
        std::vector<base::Task> tasks;
        tasks.reserve(walked.blobs.size());
        for (const auto& each : walked.blobs)
            tasks.emplace_back(
                [this, &each] { return send_blob(x_from, x_to, each.first, each.second); });
        SF_CHECK(base::run_batch(tasks, x_request.connections));
        SF_CHECK(send_place_files(source, walked));
        SF_CHECK(step(x_request, "manifests"));
        for (const cache::MirrorPackage& package : walked.packages)
            SF_CHECK(put(package.key, package.stored));
        SF_CHECK(step(x_request, "index"));
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
        SF_CHECK(step(x_request, "bundles and sources"));
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
            SF_CHECK(step(x_request, "snapshot"));
            const PutCondition condition =
                x_plan.before ? PutCondition{PutCondition::Kind::if_etag, x_plan.before->etag}
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
            SF_TRY(x_plan.before, before_copy(x_from, x_to, x_request, source));
            if (is_same(x_plan.before, source)) return {};
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
    CopyPlan x_plan;
    CopyReport x_report;
    std::atomic<std::size_t> x_sent = 0;
    std::atomic<std::size_t> x_there = 0;
    std::atomic<std::uint64_t> x_bytes = 0;
};

}  // namespace

Result<std::optional<NeededBy>> needed_by(cache::Backend& mirror,
                                          const cache::SnapshotReading& reading,
                                          const std::vector<std::string>& versions) {
    SF_TRY(const auto there, cache::read_snapshot(mirror, reading));
    if (!there) return std::optional<NeededBy>();
    NeededBy needed;
    cache::WalkChoice choice;
    choice.version = [&](const std::string&, const std::string& version) {
        const bool meant = cache::is_of_versions(versions, version);
        (meant ? needed.versions : needed.others).insert(version);
        return meant;
    };
    SF_TRY(const cache::WalkedMirror walked,
           walk(mirror, *reading.verifier, there->snapshot, choice));
    for (const cache::MirrorPackage& package : walked.packages) {
        needed.identities.insert(package.manifest.identity);
        if (!package.bundle) continue;
        for (const model::Package& each : package.bundle->packages)
            needed.identities.insert(each.identity);
    }
    return std::optional(std::move(needed));
}

Result<CopyPlan> plan_copy(cache::Backend& from, cache::Backend& to, const CopyRequest& request,
                           base::Reporter& reporter) {
    return base::during(Planning(from, to, request, reporter).run(),
                        "copying " + from.place() + " to " + to.place());
}

Result<CopyReport> copy_mirror(cache::Backend& from, cache::Backend& to, const CopyRequest& request,
                               CopyPlan plan, base::Reporter& reporter) {
    return base::during(Copy(from, to, request, std::move(plan), reporter).run(),
                        "copying " + from.place() + " to " + to.place());
}

Result<CopyReport> copy_mirror(cache::Backend& from, cache::Backend& to, const CopyRequest& request,
                               base::Reporter& reporter) {
    SF_TRY(CopyPlan plan, plan_copy(from, to, request, reporter));
    return copy_mirror(from, to, request, std::move(plan), reporter);
}

}  // namespace sf::publish
