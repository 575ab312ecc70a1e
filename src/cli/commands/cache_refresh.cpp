// SPDX-License-Identifier: Apache-2.0
// cache refresh PLACE: the snapshots signed afresh, so that clients go on taking packages by them.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>

#include "base/text.hpp"
#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_signing.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/trusted_keys.hpp"
#include "publish/conditions.hpp"
#include "publish/mirror_index.hpp"

namespace sf::cli {

namespace {

using base::Status;

constexpr std::int64_t day = 86'400;

struct Options {
    std::string place;
    MirrorChoice mirrors;
    TrustChoice trust;
    SigningRequest signing;
    int lifetime = 30;
    int older_than = -1;
    bool force = false;
};

bool is_due(const cache::Snapshot& snapshot, const Options& options, std::int64_t now) {
    if (options.force) return true;
    if (options.older_than >= 0) return now - snapshot.issued >= options.older_than * day;
    return cache::freshness(snapshot, now) != cache::Freshness::fresh;
}

void tell(Session& session, const std::string& mirror, const cache::Snapshot& before,
          const publish::IndexReport& report, std::int64_t expires) {
    session.voice.line(report.changed
                           ? fmt::format("{}: snapshot {}, expires {}", mirror, report.serial,
                                         base::utc_date(expires))
                           : fmt::format("{}: snapshot {} is young enough, expires {}", mirror,
                                         before.serial, base::utc_date(before.expires)));
    session.voice.event("refreshed", {{"mirror", mirror},
                                      {"serial", report.changed ? report.serial : before.serial},
                                      {"expires", report.changed ? expires : before.expires},
                                      {"changed", report.changed}});
}

Status run(Session& session, const Options& options) {
    SF_TRY(const KeptCache kept, open_origin(session, options.place, options.trust));
    cache::Backend* place = kept.place.get();
    const trust::Verifier& verifier = *kept.verifier;
    SF_CHECK(check_writable(*place));
    // Whoever looks at it every day hears of it the first day, not when half of the time is over.
    SF_CHECK(publish::check_conditions(*place));
    SF_TRY(const auto mirrors, find_mirrors(session, *place, options.mirrors));
    publish::SigningPlan plan;
    for (const cache::MirrorName& name : mirrors) {
        SF_TRY(std::string folder, cache::folder_of(name));
        plan.mirrors.insert(std::move(folder));
    }
    SF_TRY(CacheSigner signing, sign_cache(session, kept, options.signing, std::move(plan)));
    publish::IndexAuthority& authority = signing.authority;
    authority.lifetime = std::chrono::seconds(options.lifetime * day);
    for (const cache::MirrorName& name : mirrors) {
        SF_TRY(authority.mirror, cache::folder_of(name));
        SF_TRY(const std::string deps, cache::folder_of({name.toolchain, ""}));
        cache::SubBackend mirror(*place, authority.mirror);
        cache::SubBackend dependencies(*place, deps);
        SF_TRY(const auto before, cache::read_snapshot(mirror, {&verifier, authority.mirror,
                                                                authority.memory, authority.now}));
        if (!before) continue;  // taken away since it was listed
        publish::IndexReport report;
        if (is_due(before->snapshot, options, authority.now)) {
            SF_CHECK(check_whole(mirror, name.series.empty() ? nullptr : &dependencies, verifier,
                                 authority));
            publish::MirrorIndex index(mirror, authority, session.voice);
            SF_TRY(report, index.refresh(true));
        }
        tell(session, mirror.place(), before->snapshot, report,
             std::max(authority.now, before->snapshot.issued) + authority.lifetime.count());
    }
    return {};
}

}  // namespace

void add_cache_refresh(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "refresh", "Sign what a cache holds afresh, so that clients go on taking packages from it");
    const auto options = std::make_shared<Options>();
    command->add_option("PLACE", options->place, std::string("The cache: ") + writable_kinds)
        ->required();
    command->add_option("--lifetime", options->lifetime, "For how many days, from now")
        ->capture_default_str()
        ->check(CLI::Range(1, 365).description(""))
        ->type_name("DAYS");
    command
        ->add_option("--if-older-than", options->older_than,
                     "Only what was signed so long ago (default: half of its time)")
        ->check(CLI::Range(0, 365).description(""))
        ->type_name("DAYS");
    command->add_flag("--force", options->force, "Sign it, however young it is");
    add_mirror_options(*command, options->mirrors);
    add_signing_options(*command, options->signing);
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Run it from a timer where the signing key is, once a day: until half of the time is over "
        "it\n"
        "changes nothing. A cache with a defect is not signed. Publishers may be at work "
        "meanwhile.\n"
        "Examples:\n"
        "  slurm-factory cache refresh /srv/slurm-cache\n"
        "  slurm-factory cache refresh s3://slurm-cache --lifetime 90 --passphrase-file FILE");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
