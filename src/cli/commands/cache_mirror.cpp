// SPDX-License-Identifier: Apache-2.0
// cache mirror FROM TO: a signed cache, or some of its mirrors, copied whole to another place.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/revocations.hpp"
#include "cache/snapshot.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/public_keys.hpp"
#include "cli/trusted_keys.hpp"
#include "publish/mirror_copy.hpp"

namespace sf::cli {

namespace {

using base::Status;

struct Options {
    std::string from;
    std::string to;
    MirrorChoice mirrors;
    TrustChoice trust;
};

void tell(Session& session, const std::string& from, const std::string& to,
          const publish::CopyReport& report) {
    session.voice.line(report.changed
                           ? fmt::format("{}: snapshot {}, {} objects sent ({}), {} there already",
                                         to, report.serial, report.sent,
                                         base::human_bytes(report.bytes), report.there)
                           : fmt::format("{}: snapshot {} is there already", to, report.serial));
    session.voice.event("mirrored", {{"from", from},
                                     {"mirror", to},
                                     {"serial", report.serial},
                                     {"packages", report.packages},
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

Status run(Session& session, const Options& options) {
    SF_TRY(const KeptCache source, open_origin(session, options.from, options.trust));
    cache::Backend* from = source.place.get();
    const trust::TrustedKeys& trusted = source.trusted;
    const trust::Verifier& verifier = *source.verifier;
    SF_TRY(const auto to, open_place(session, options.to));
    SF_CHECK(check_writable(*to));
    SF_TRY(const auto mirrors, find_mirrors(session, *from, options.mirrors));
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
    // Dependencies before what needs them: find_mirrors() gives that order.
    for (const cache::MirrorName& name : mirrors) {
        SF_TRY(request.mirror, cache::folder_of(name));
        cache::SubBackend original(*from, request.mirror);
        cache::SubBackend target(*to, request.mirror);
        session.voice.info("copying {} to {}", original.place(), target.place());
        SF_TRY(const publish::CopyReport report,
               publish::copy_mirror(original, target, request, session.voice));
        tell(session, original.place(), target.place(), report);
    }
    return {};
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
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Everything is verified on the way, and the signatures stay the publisher's: no key is\n"
        "needed. Only what is missing is sent; what is there is never made older. If it is "
        "stopped,\n"
        "the copy stays what it was, and the next run goes on from there.\n"
        "Examples:\n"
        "  slurm-factory cache mirror https://cache.example.org /srv/slurm-cache\n"
        "  slurm-factory cache mirror /srv/slurm-cache /media/disk/cache --series 25.11");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
