// SPDX-License-Identifier: Apache-2.0
// cache prune PLACE: what nothing names any more is taken away, once it is old enough; with --keep
// older versions are named no more.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/mirror_part.hpp"
#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_signing.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/public_keys.hpp"
#include "cli/trusted_keys.hpp"
#include "model/names.hpp"
#include "publish/conditions.hpp"
#include "publish/mirror_index.hpp"
#include "publish/mirror_prune.hpp"
#include "publish/retirement.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct Options {
    std::string place;
    MirrorChoice mirrors;
    TrustChoice trust;
    SigningRequest signing;
    unsigned keep = 0;                  // versions of each package; 0: all
    std::vector<std::string> versions;  // that stay whatever `keep` says
    int keep_days = 60;
    bool dry_run = false;
};

Status check_options(const Options& options) {
    for (const std::string& version : options.versions)
        if (!model::check_version(version))
            return base::fail_hint(
                Code::usage, fmt::format("'{}' is no version", base::escape_untrusted(version)),
                "for instance: --keep-version 25.11.2");
    if (options.keep > 0 || options.versions.empty()) return {};
    return base::fail_hint(Code::usage, "--keep-version is an exception to --keep",
                           "say how many versions stay otherwise: --keep N");
}

// What becomes of older versions, mirror by mirror: decided first, then shown or done. plan() and
// get_ready() change nothing and find whatever speaks against it, so that they go before anything
// is removed.
class Retiring {
public:
    Retiring(Session& session, const Options& options, const KeptCache& kept,
             const cache::SnapshotReading& reading)
        : x_session(session), x_options(options), x_kept(kept), x_reading(reading) {}

    Status plan(const std::vector<cache::MirrorName>& mirrors) {
        std::set<std::string> toolchains;
        for (const cache::MirrorName& name : mirrors) toolchains.insert(name.toolchain);
        for (const std::string& toolchain : toolchains) {
            // Of every series, for what is needed; retired is from those that were asked for.
            SF_TRY(const auto all, find_mirrors(x_session, *x_kept.place, {{toolchain}, {}}));
            std::set<base::Digest> needed;
            for (const cache::MirrorName& name : all) {
                if (name.series.empty()) continue;
                const bool meant = std::ranges::find(mirrors, name) != mirrors.end();
                SF_TRY(const Found found, look(name, meant ? x_options.keep : 0, {}));
                needed.merge(publish::needed_by_kept(found.walked, found.retired));
            }
            SF_CHECK(
                look({toolchain, ""}, x_options.keep, std::move(needed)).map([](const Found&) {}));
        }
        return {};
    }

    [[nodiscard]] bool empty() const { return x_plan.retired.empty(); }

    void show() const {
        for (const auto& [mirror, packages] : x_titles)
            for (const std::string& package : packages)
                x_session.voice.line(fmt::format("{} {} of {}",
                                                 x_options.dry_run ? "would retire" : "retired",
                                                 package, mirror));
        for (const auto& [mirror, packages] : x_titles)
            x_session.voice.event(
                "retired",
                {{"mirror", mirror}, {"dry_run", x_options.dry_run}, {"packages", packages}});
    }

    // A place that keeps conditions, a key that counts there, and mirrors without a defect.
    Status get_ready() {
        if (empty()) return {};
        SF_CHECK(publish::check_conditions(*x_kept.place));
        SF_TRY(x_signing, sign_cache(x_session, x_kept, x_options.signing, x_plan));
        for (const auto& [folder, unused] : x_builds) SF_CHECK(check(folder));
        return {};
    }

    // Of these mirrors, once get_ready() has passed. Slurm before what it needed.
    Status carry_out(const std::vector<cache::MirrorName>& mirrors) {
        SF_CHECK(check_unchanged(mirrors));
        SF_CHECK(base::make_dirs(x_session.state().work()));
        SF_TRY(const base::TempDir work, base::TempDir::create(x_session.state().work(), "prune-"));
        for (const bool deps : {false, true}) {
            for (const auto& [folder, builds] : x_builds) {
                SF_TRY(const cache::MirrorName name, cache::mirror_of(folder));
                if (name.series.empty() != deps) continue;
                SF_CHECK(check(folder));
                cache::SubBackend mirror(*x_kept.place, folder);
                publish::MirrorIndex index(mirror, x_signing->authority, x_session.voice);
                SF_TRY(const publish::IndexReport report, index.retire(builds));
                SF_CHECK(index.remake(keys_from(x_kept.trusted, work.path()))
                             .map([](const publish::IndexReport&) {}));
                x_session.voice.line(fmt::format(
                    "{}: snapshot {} names them no more; their archives stay for {} days",
                    mirror.place(), report.serial, x_options.keep_days));
            }
        }
        show();
        return {};
    }

private:
    struct Found {
        cache::WalkedMirror walked;
        cache::BuildsByVersion retired;
    };
    Status check(const std::string& folder) {
        cache::SubBackend mirror(*x_kept.place, folder);
        x_signing->authority.mirror = folder;
        x_signing->authority.now = std::time(nullptr);
        return check_whole(mirror, nullptr, *x_kept.verifier, x_signing->authority);
    }
    // Pruning takes a while: what was published meanwhile may need what was to be retired, and the
    // signer was told of that alone.
    Status check_unchanged(const std::vector<cache::MirrorName>& mirrors) {
        Retiring now(x_session, x_options, x_kept, x_reading);
        now.x_reading.now = std::time(nullptr);
        SF_CHECK(now.plan(mirrors));
        if (now.x_plan.retired == x_plan.retired) return {};
        return base::fail_hint(Code::exhausted,
                               "other publishers changed " + x_kept.place->place() +
                                   " while it was pruned: nothing was retired",
                               "run this again");
    }
    Result<Found> look(const cache::MirrorName& name, unsigned keep,
                       std::set<base::Digest> needed) {
        SF_TRY(const std::string folder, cache::folder_of(name));
        cache::SubBackend mirror(*x_kept.place, folder);
        SF_TRY(const auto part, cache::read_part(mirror));
        if (part)
            return base::fail_hint(
                Code::refused,
                mirror.place() + " is a copy of a part of a cache: nothing is retired here",
                "retire it where it is published, then copy again");
        cache::SnapshotReading reading = x_reading;
        reading.mirror = folder;
        SF_TRY(const auto there, cache::read_snapshot(mirror, reading));
        if (!there) return base::fail(Code::absent, "nothing was published to {}", mirror.place());
        Found found;
        SF_TRY(found.walked, cache::walk_mirror(mirror, *x_kept.verifier, there->snapshot));
        SF_TRY(found.retired,
               publish::plan_retirement(there->snapshot, found.walked,
                                        {keep, x_options.versions, std::move(needed)}));
        if (found.retired.empty()) return found;
        x_plan.mirrors.insert(folder);
        for (const cache::MirrorPackage& package : found.walked.packages) {
            if (!publish::is_retired(found.retired, package)) continue;
            x_plan.retired[folder].insert(package.manifest.hash);
            x_titles[mirror.place()].push_back(package.title());
        }
        x_builds[folder] = found.retired;
        return found;
    }

    Session& x_session;
    const Options& x_options;
    const KeptCache& x_kept;
    cache::SnapshotReading x_reading;
    std::optional<CacheSigner> x_signing;  // from get_ready() on
    publish::SigningPlan x_plan;
    std::map<std::string, cache::BuildsByVersion> x_builds;    // by folder
    std::map<std::string, std::vector<std::string>> x_titles;  // by place
};

// What Slurm of every series of a toolchain needs, whatever was asked to be pruned.
Result<std::set<std::string>> needed_by_series(Session& session, cache::Backend& place,
                                               const std::string& toolchain,
                                               cache::SnapshotReading reading) {
    SF_TRY(const auto mirrors, find_mirrors(session, place, {{toolchain}, {}}));
    std::set<std::string> needed;
    for (const cache::MirrorName& name : mirrors) {
        if (name.series.empty()) continue;
        SF_TRY(reading.mirror, cache::folder_of(name));
        cache::SubBackend mirror(place, reading.mirror);
        SF_TRY(std::set<std::string> keys, publish::keys_needed(mirror, reading));
        needed.merge(keys);
    }
    return needed;
}

Status prune_one(Session& session, const Options& options, cache::Backend& place,
                 const cache::MirrorName& name, publish::PruneRequest request) {
    SF_TRY(request.reading.mirror, cache::folder_of(name));
    if (name.series.empty()) {
        SF_TRY(request.needed, needed_by_series(session, place, name.toolchain, request.reading));
    }
    cache::SubBackend mirror(place, request.reading.mirror);
    base::Json gone = base::Json::array();
    request.on_object = [&](const cache::ObjectInfo& object) {
        session.voice.line(
            fmt::format("{} {}", options.dry_run ? "would remove" : "removed", object.key));
        gone.push_back(object.key);
    };
    SF_TRY(publish::PruneReport report, publish::prune_mirror(mirror, request));
    if (!name.series.empty()) {
        SF_TRY(const publish::PruneReport bundles, publish::prune_bundles(place, name, request));
        report.removed += bundles.removed;
        report.bytes += bundles.bytes;
        report.young += bundles.young;
        report.kept += bundles.kept;
    }
    session.voice.line(fmt::format(
        "{}: {} objects ({}) {}, {} that nothing names are younger than {} days, {} are named",
        mirror.place(), report.removed, base::human_bytes(report.bytes),
        options.dry_run ? "would go" : "removed", report.young, options.keep_days, report.kept));
    session.voice.event("pruned", {{"mirror", mirror.place()},
                                   {"dry_run", options.dry_run},
                                   {"removed", std::move(gone)},
                                   {"bytes", report.bytes},
                                   {"young", report.young},
                                   {"kept", report.kept}});
    return {};
}

Status run(Session& session, const Options& options) {
    SF_CHECK(check_options(options));
    SF_TRY(const KeptCache kept, open_kept(session, options.place, options.trust));
    cache::Backend* place = kept.place.get();
    SF_CHECK(check_writable(*place));
    SF_TRY(const auto mirrors, find_mirrors(session, *place, options.mirrors));
    if (options.keep_days <= publish::reuse_days)
        session.voice.warning(
            "publishers take what lies there for up to {} days: let none be at work now",
            publish::reuse_days);
    publish::PruneRequest request;
    request.reading.verifier = &*kept.verifier;
    request.reading.memory = session.state().caches();
    request.reading.now = std::time(nullptr);
    request.keep_seconds = std::int64_t{86'400} * options.keep_days;
    request.dry_run = options.dry_run;
    Retiring retiring(session, options, kept, request.reading);
    if (options.keep > 0) {
        SF_CHECK(check_origin(kept.chosen));
        SF_CHECK(retiring.plan(mirrors));
        if (!options.dry_run) SF_CHECK(retiring.get_ready());
    }
    // What is retired now goes with a later run.
    for (const cache::MirrorName& name : mirrors)
        SF_CHECK(prune_one(session, options, *place, name, request));
    if (options.keep == 0) return {};
    if (retiring.empty()) {
        session.voice.line(
            fmt::format("nothing to retire: no package has more than {} versions "
                        "that nothing needs",
                        options.keep));
        return {};
    }
    if (!options.dry_run) return retiring.carry_out(mirrors);
    retiring.show();
    return {};
}

}  // namespace

void add_cache_prune(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "prune", "Remove what nothing names any more, and with --keep retire older versions");
    const auto options = std::make_shared<Options>();
    command->add_option("PLACE", options->place, std::string("The cache: ") + writable_kinds)
        ->required();
    command
        ->add_option("--keep", options->keep,
                     "Retire what is older than the newest N versions of each package, for each "
                     "level of processors, unless what stays needs it: signs new snapshots")
        ->configurable(false)
        ->check(CLI::Range(1, 1000).description(""))
        ->type_name("N");
    command
        ->add_option("--keep-version", options->versions,
                     "With --keep: this release or series of Slurm stays as well; may be repeated")
        ->configurable(false)
        ->allow_extra_args(false)
        ->type_name("VERSION");
    command
        ->add_option("--keep-days", options->keep_days,
                     "Leave what is younger: a publisher may be about to name it")
        ->capture_default_str()
        ->check(CLI::Range(0, 3650).description(""))
        ->type_name("N");
    command->add_flag("--dry-run", options->dry_run, "Say what would go; remove nothing");
    add_mirror_options(*command, options->mirrors);
    add_signing_options(*command, options->signing);
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "What a signed snapshot names, directly or through its index and manifests, stays, and so\n"
        "does what Slurm of any series needs. If any of that cannot be read, nothing is removed.\n"
        "What --keep retires is named no more at once, and removed by a later run, once it is "
        "old.\n"
        "Examples:\n"
        "  slurm-factory cache prune /srv/slurm-cache --dry-run\n"
        "  slurm-factory cache prune s3://slurm-cache --keep-days 90\n"
        "  slurm-factory cache prune /srv/slurm-cache --keep 3 --keep-version 24.11 --dry-run");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
