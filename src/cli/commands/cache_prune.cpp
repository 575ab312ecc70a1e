// SPDX-License-Identifier: Apache-2.0
// cache prune PLACE: what nothing names any more is taken away, once it is old enough.
#include <CLI/CLI.hpp>

#include <ctime>
#include <map>

#include "base/text.hpp"
#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/trusted_keys.hpp"
#include "publish/mirror_index.hpp"
#include "publish/mirror_prune.hpp"

namespace sf::cli {

namespace {

using base::Result;
using base::Status;

struct Options {
    std::string place;
    MirrorChoice mirrors;
    TrustChoice trust;
    int keep_days = 60;
    bool dry_run = false;
};

// What Slurm of every series of a toolchain needs, whatever was asked to be pruned.
Result<std::set<std::string>> needed_by_series(Session& session, cache::Backend& place,
                                               const std::string& toolchain,
                                               cache::SnapshotReading reading) {
    SF_TRY(const auto mirrors, find_mirrors(session, place, {toolchain, {}}));
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

Status run(Session& session, const Options& options) {
    SF_TRY(const KeptCache kept, open_kept(session, options.place, options.trust));
    cache::Backend* place = kept.place.get();
    SF_CHECK(check_writable(*place));
    const trust::Verifier& verifier = *kept.verifier;
    SF_TRY(const auto mirrors, find_mirrors(session, *place, options.mirrors));
    if (options.keep_days <= publish::reuse_days)
        session.voice.warning(
            "publishers take what lies there for up to {} days: let none be at work now",
            publish::reuse_days);
    publish::PruneRequest request;
    request.reading.verifier = &verifier;
    request.reading.memory = session.state().caches();
    request.reading.now = std::time(nullptr);
    request.keep_seconds = std::int64_t{86'400} * options.keep_days;
    request.dry_run = options.dry_run;
    for (const cache::MirrorName& name : mirrors) {
        SF_TRY(request.reading.mirror, cache::folder_of(name));
        request.needed.clear();
        if (name.series.empty()) {
            SF_TRY(request.needed,
                   needed_by_series(session, *place, name.toolchain, request.reading));
        }
        cache::SubBackend mirror(*place, request.reading.mirror);
        base::Json gone = base::Json::array();
        request.on_object = [&](const cache::ObjectInfo& object) {
            session.voice.line(
                fmt::format("{} {}", options.dry_run ? "would remove" : "removed", object.key));
            gone.push_back(object.key);
        };
        SF_TRY(const publish::PruneReport report, publish::prune_mirror(mirror, request));
        session.voice.line(fmt::format(
            "{}: {} objects ({}) {}, {} that nothing names are younger than {} days, {} are named",
            mirror.place(), report.removed, base::human_bytes(report.bytes),
            options.dry_run ? "would go" : "removed", report.young, options.keep_days,
            report.kept));
        session.voice.event("pruned", {{"mirror", mirror.place()},
                                       {"dry_run", options.dry_run},
                                       {"removed", std::move(gone)},
                                       {"bytes", report.bytes},
                                       {"young", report.young},
                                       {"kept", report.kept}});
    }
    return {};
}

}  // namespace

void add_cache_prune(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "prune", "Remove what nothing names any more: traces of killed publishers, old indexes");
    const auto options = std::make_shared<Options>();
    command->add_option("PLACE", options->place, std::string("The cache: ") + writable_kinds)
        ->required();
    command
        ->add_option("--keep-days", options->keep_days,
                     "Leave what is younger: a publisher may be about to name it")
        ->capture_default_str()
        ->check(CLI::Range(0, 3650).description(""))
        ->type_name("N");
    command->add_flag("--dry-run", options->dry_run, "Say what would go; remove nothing");
    add_mirror_options(*command, options->mirrors);
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "What a signed snapshot names, directly or through its index and manifests, stays, and so\n"
        "does what Slurm of any series needs. If any of that cannot be read, nothing is removed.\n"
        "Examples:\n"
        "  slurm-factory cache prune /srv/slurm-cache --dry-run\n"
        "  slurm-factory cache prune s3://slurm-cache --keep-days 90");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
