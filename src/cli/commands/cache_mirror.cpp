// SPDX-License-Identifier: Apache-2.0
// cache mirror FROM TO: a signed cache, some of its mirrors, or some versions of Slurm in it and
// what they need, copied to another place.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <map>
#include <optional>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/objects.hpp"
#include "cache/revocations.hpp"
#include "cache/snapshot.hpp"
#include "cache/trusted_snapshot.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/public_keys.hpp"
#include "cli/trusted_keys.hpp"
#include "model/names.hpp"
#include "publish/mirror_copy.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct Options {
    std::string from;
    std::string to;
    MirrorChoice mirrors;
    std::vector<std::string> versions;  // of Slurm, or series; none: all
    bool sources = true;
    TrustChoice trust;
};

void tell(Session& session, const std::string& from, const std::string& to,
          const publish::CopyReport& report) {
    session.voice.line(report.changed
                           ? fmt::format("{}: snapshot {}, {} objects sent ({}), {} there already",
                                         to, report.serial, report.sent,
                                         base::human_bytes(report.bytes), report.there)
                           : fmt::format("{}: snapshot {} is there already", to, report.serial));
    if (report.part)
        session.voice.line(fmt::format(
            "  a part: {} packages; what else the snapshot names is not there", report.packages));
    session.voice.event("mirrored", {{"from", from},
                                     {"mirror", to},
                                     {"serial", report.serial},
                                     {"packages", report.packages},
                                     {"part", report.part},
                                     {"sent", report.sent},
                                     {"there", report.there},
                                     {"bytes", report.bytes},
                                     {"changed", report.changed}});
}

// The list of revocations, of the whole place: clients that ask for it find it in the copy, too. It
// is judged as they judge it, by roots that are trusted here.
Status copy_revocations(Session& session, const Options& options, cache::Backend& from,
                        cache::Backend& to) {
    SF_TRY(const std::string key, cache::key_of(cache::FixedName::revocations));
    SF_TRY(const auto there, cache::read_object(from, key, cache::max_snapshot));
    if (!there) return {};
    SF_TRY(const trust::TrustedKeys roots, trusted_roots(session, options.trust));
    if (roots.entries.empty()) {
        session.voice.warning(
            "{}/{} is not copied: no root is trusted here (key trust --root FINGERPRINT)",
            from.place(), key);
        return {};
    }
    SF_TRY(const trust::Verifier verifier, trust::Verifier::create(roots));
    SF_TRY(const bool changed,
           cache::put_revocations(to, there->text, verifier, std::time(nullptr)));
    session.voice.line(fmt::format("{}/{}: {}", to.place(), key,
                                   changed ? "the list of revocations is copied"
                                           : "the list of revocations is there already"));
    session.voice.event("revocations_mirrored", {{"place", to.place()}, {"changed", changed}});
    return {};
}

// One mirror, and what of it.
struct Item {
    cache::MirrorName name;
    publish::CopyChoice choice;
};

std::vector<std::string> sorted(const std::set<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

Status check_options(const Options& options) {
    if (!options.versions.empty() && !options.mirrors.series.empty())
        return base::fail_hint(Code::usage,
                               "--versions takes series as well: --series says the same once more",
                               "for instance: --versions 24.11,25.11.2");
    for (const std::string& version : options.versions)
        if (!model::check_version(version) ||
            model::series_of(version).find('.') == std::string::npos)
            return base::fail_hint(
                Code::usage,
                fmt::format("'{}' is no version of Slurm", base::escape_untrusted(version)),
                "for instance: --versions 24.11,25.11.2");
    return {};
}

// Of some versions: of each toolchain what they need of its dependencies, then the versions. What
// the target says that it holds of others is kept up to date with them.
class PartPlan {
public:
    PartPlan(Session& session, const Options& options, cache::Backend& from, cache::Backend& to,
             const trust::Verifier& verifier)
        : x_session(session), x_options(options), x_from(from), x_to(to), x_verifier(verifier) {}

    Result<std::vector<Item>> run() {
        MirrorChoice choice = x_options.mirrors;
        std::set<std::string> series;
        for (const std::string& version : x_options.versions)
            series.insert(model::series_of(version));
        choice.series = sorted(series);
        SF_TRY(const auto mirrors, find_mirrors(x_session, x_from, choice));
        std::set<std::string> toolchains;
        for (const cache::MirrorName& name : mirrors)
            if (!name.series.empty()) toolchains.insert(name.toolchain);
        for (const std::string& toolchain : toolchains) SF_CHECK(add(toolchain));
        std::vector<std::string> nowhere;
        for (const std::string& version : x_options.versions)
            if (!found(version)) nowhere.push_back(version);
        if (nowhere.empty()) return std::move(x_items);
        return base::fail_hint(
            Code::absent,
            fmt::format("{} has no Slurm {}", x_from.place(), base::join(nowhere, ", ")),
            "there is: " + base::join(sorted(x_there), ", "));
    }

private:
    // Of a toolchain, at the target.
    struct Held {
        std::set<std::string> series;    // of its mirrors, also of one that was only begun
        std::set<std::string> versions;  // that they say they hold
    };
    // Of a series, at the source.
    struct Wish {
        std::vector<std::string> versions;  // none: nothing is copied
        std::set<base::Digest> needed;      // identities
    };

    [[nodiscard]] bool found(const std::string& wanted) const {
        return std::ranges::any_of(x_found, [&](const std::string& version) {
            return cache::is_of_versions({wanted}, version);
        });
    }

    Result<std::set<std::string>> series_of_target(const std::string& toolchain) {
        const std::vector<std::string> ends{'/' + cache::key_of(cache::FixedName::snapshot).value(),
                                            '/' + cache::key_of(cache::FixedName::part).value()};
        std::set<std::string> series;
        SF_CHECK(x_to.list(toolchain + "/slurm/", [&](const cache::ObjectInfo& object) -> Status {
            for (const std::string& end : ends) {
                if (!object.key.ends_with(end)) continue;
                const auto mirror =
                    cache::mirror_of(object.key.substr(0, object.key.size() - end.size()));
                if (mirror) series.insert(mirror->series);
            }
            return {};
        }));
        return series;
    }

    // By all of its marks: one of them may be spoilt.
    Result<Held> held_of(const std::string& toolchain) {
        Held held;
        SF_TRY(held.series, series_of_target(toolchain));
        for (const std::string& series : held.series) {
            SF_TRY(const std::string folder, cache::folder_of({toolchain, series}));
            cache::SubBackend mirror(x_to, folder);
            const auto part = cache::read_part(mirror);
            if (!part && part.error().code != Code::corrupt) return tl::unexpected(part.error());
            if (!part)
                x_session.voice.warning(
                    "what {} holds cannot be read: what it alone says has to be named by "
                    "--versions, too",
                    mirror.place());
            if (part && *part)
                held.versions.insert((*part)->versions.begin(), (*part)->versions.end());
        }
        return held;
    }

    Status add(const std::string& toolchain) {
        SF_TRY(const Held held, held_of(toolchain));
        std::set<std::string> all = held.versions;
        all.insert(x_options.versions.begin(), x_options.versions.end());
        std::map<std::string, std::set<std::string>> by_series;
        for (const std::string& version : all) by_series[model::series_of(version)].insert(version);
        std::set<std::string> kept;  // of those that are there
        std::set<base::Digest> needed;
        std::vector<Item> items;
        for (const auto& [series, versions] : by_series) {
            SF_TRY(Wish wish, wish_of({toolchain, series}, versions, held.series.contains(series)));
            if (wish.versions.empty()) continue;
            needed.merge(wish.needed);
            kept.insert(wish.versions.begin(), wish.versions.end());
            items.push_back({{toolchain, series}, {wish.versions, {}, x_options.sources}});
        }
        if (items.empty()) return {};
        // Dependencies before what needs them.
        x_items.push_back({{toolchain, ""}, {sorted(kept), needed, x_options.sources}});
        x_items.insert(x_items.end(), items.begin(), items.end());
        return {};
    }

    // `held`: the target has this mirror, so it is not left behind.
    Result<Wish> wish_of(const cache::MirrorName& name, const std::set<std::string>& versions,
                         bool held) {
        SF_TRY(const std::string folder, cache::folder_of(name));
        cache::SubBackend mirror(x_from, folder);
        SF_TRY(const auto its, needed_in(mirror, folder, versions));
        if (!its && held)
            return left_behind(folder, sorted(versions),
                               "nothing was published to " + mirror.place());
        if (!its) {
            // Not every distribution has every series; what is found nowhere, run() says.
            x_session.voice.info("nothing was published to {}", mirror.place());
            return Wish();
        }
        x_there.insert(its->versions.begin(), its->versions.end());
        x_there.insert(its->others.begin(), its->others.end());
        x_found.insert(its->versions.begin(), its->versions.end());
        Wish wish;
        wish.needed = its->identities;
        for (const std::string& version : versions)
            if (std::ranges::any_of(its->versions, [&](const std::string& one) {
                    return cache::is_of_versions({version}, one);
                }))
                wish.versions.push_back(version);
        if (!wish.versions.empty()) return wish;
        x_session.voice.info("{} has no Slurm {}", mirror.place(),
                             base::join(sorted(versions), ", "));
        // It had some once: its snapshot and index are kept up to date all the same.
        if (held) wish.versions = sorted(versions);
        return wish;
    }

    // nullopt: nothing was published there.
    Result<std::optional<publish::NeededBy>> needed_in(cache::Backend& mirror,
                                                       const std::string& folder,
                                                       const std::set<std::string>& versions) {
        cache::SnapshotReading reading;
        reading.verifier = &x_verifier;
        reading.mirror = folder;
        reading.memory = x_session.state().caches();
        reading.now = std::time(nullptr);
        auto its = publish::needed_by(mirror, reading, sorted(versions));
        if (its || its.error().code != Code::absent) return its;
        std::vector<std::string> asked;
        std::vector<std::string> besides;
        for (const std::string& version : versions)
            (cache::is_of_versions(x_options.versions, version) ? asked : besides)
                .push_back(version);
        // What the user has named is what is missing: that is said as it is.
        if (besides.empty() || (!asked.empty() && !publish::needed_by(mirror, reading, asked)))
            return its;
        return left_behind(folder, besides, its.error().text());
    }

    [[nodiscard]] tl::unexpected<base::Error> left_behind(const std::string& folder,
                                                          const std::vector<std::string>& versions,
                                                          const std::string& why) {
        const cache::SubBackend mirror(x_to, folder);
        return base::fail_hint(
            Code::refused,
            fmt::format("{} holds slurm {} too, which is kept up to date with it: {}",
                        mirror.place(), base::join(versions, ", "), why),
            "copy from a place that has both");
    }

    Session& x_session;
    const Options& x_options;
    cache::Backend& x_from;
    cache::Backend& x_to;
    const trust::Verifier& x_verifier;
    std::vector<Item> x_items;
    std::set<std::string> x_found;
    std::set<std::string> x_there;
};

Result<std::vector<Item>> plan(Session& session, const Options& options, cache::Backend& from,
                               cache::Backend& to, const trust::Verifier& verifier) {
    if (!options.versions.empty()) return PartPlan(session, options, from, to, verifier).run();
    // Dependencies before what needs them: find_mirrors() gives that order.
    SF_TRY(const auto mirrors, find_mirrors(session, from, options.mirrors));
    std::vector<Item> items;
    for (const cache::MirrorName& name : mirrors)
        items.push_back({name, {{}, {}, options.sources}});
    return items;
}

// Both ends of one mirror.
struct Ends {
    explicit Ends(const publish::CopyRequest& request)
        : original(*request.from_place, request.mirror),
          target(*request.to_place, request.mirror) {}
    cache::SubBackend original;
    cache::SubBackend target;
};

// What speaks against one of the copies is found before the first is begun: it may be of the last
// series, and dependencies go first.
Status copy_all(Session& session, const std::vector<Item>& items, publish::CopyRequest request) {
    const auto turn_to = [&request](const Item& item) -> Status {
        SF_TRY(request.mirror, cache::folder_of(item.name));
        request.choice = item.choice;
        return {};
    };
    std::vector<publish::CopyPlan> plans;
    for (const Item& item : items) {
        SF_CHECK(turn_to(item));
        Ends ends(request);
        SF_TRY(publish::CopyPlan plan,
               publish::plan_copy(ends.original, ends.target, request, session.voice));
        plans.push_back(std::move(plan));
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        SF_CHECK(turn_to(items[i]));
        Ends ends(request);
        session.voice.info("copying {} to {}", ends.original.place(), ends.target.place());
        SF_TRY(const publish::CopyReport report,
               publish::copy_mirror(ends.original, ends.target, request, std::move(plans[i]),
                                    session.voice));
        tell(session, ends.original.place(), ends.target.place(), report);
    }
    return {};
}

Status run(Session& session, const Options& options) {
    SF_CHECK(check_options(options));
    SF_TRY(const KeptCache source, open_origin(session, options.from, options.trust));
    cache::Backend* from = source.place.get();
    const trust::TrustedKeys& trusted = source.trusted;
    const trust::Verifier& verifier = *source.verifier;
    SF_TRY(const auto to, open_place(session, options.to));
    SF_CHECK(check_writable(*to));
    SF_TRY(const std::vector<Item> items, plan(session, options, *from, *to, verifier));
    SF_CHECK(base::make_dirs(session.state().work()));
    SF_TRY(const base::TempDir work, base::TempDir::create(session.state().work(), "mirror-"));
    publish::CopyRequest request;
    request.verifier = &verifier;
    request.keys_of = keys_from(trusted, work.path());
    request.memory = session.state().caches();
    request.from_place = from;
    request.to_place = to.get();
    request.work = work.path();
    request.now = std::time(nullptr);
    request.on_step = [&session](std::string_view step) {
        session.voice.debug("{}", step);
        return Status();
    };
    // What was taken back is known before what could be taken.
    SF_CHECK(copy_revocations(session, options, *from, *to));
    return copy_all(session, items, std::move(request));
}

}  // namespace

void add_cache_mirror(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "mirror", "Copy a signed cache to another place, and keep it up to date");
    const auto options = std::make_shared<Options>();
    command->add_option("FROM", options->from, std::string("The cache: ") + place_kinds)
        ->required();
    command->add_option("TO", options->to, std::string("Where to: ") + writable_kinds)->required();
    add_mirror_options(*command, options->mirrors);
    command
        ->add_option("--versions", options->versions,
                     "Only these releases or series of Slurm, and what installing them needs "
                     "(default: all); may be repeated, or a list with commas. Copying more later "
                     "adds to them")
        ->configurable(false)
        ->allow_extra_args(false)
        ->delimiter(',')
        ->type_name("VERSION");
    command
        ->add_flag("--sources,!--no-sources", options->sources,
                   "Whether the sources of what is copied go along (default: they do): who passes "
                   "programs on to others has to have them to offer")
        ->configurable(false);
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Everything is verified on the way, and the signatures stay the publisher's: no key is\n"
        "needed. Only what is missing is sent; what is there is never made older. If it is "
        "stopped,\n"
        "the copy stays what it was, and the next run goes on from there.\n"
        "Examples:\n"
        "  slurm-factory cache mirror https://cache.example.org /srv/slurm-cache\n"
        "  slurm-factory cache mirror /srv/slurm-cache /media/disk/cache --series 25.11\n"
        "  slurm-factory cache mirror upstream /srv/part --versions 25.11.2 --toolchain noble");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
