// SPDX-License-Identifier: Apache-2.0
// cache index PLACE: what Spack reads first, made anew from what is signed.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/files.hpp"
#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_place.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/public_keys.hpp"
#include "cli/trusted_keys.hpp"
#include "publish/mirror_index.hpp"

namespace sf::cli {

namespace {

using base::Status;

struct Options {
    std::string place;
    MirrorChoice mirrors;
    TrustChoice trust;
};

Status run(Session& session, const Options& options) {
    SF_TRY(const KeptCache kept, open_origin(session, options.place, options.trust));
    cache::Backend* place = kept.place.get();
    SF_CHECK(check_writable(*place));
    const trust::Verifier& verifier = *kept.verifier;
    SF_TRY(const auto mirrors, find_mirrors(session, *place, options.mirrors));
    SF_CHECK(base::make_dirs(session.state().work()));
    SF_TRY(const base::TempDir work, base::TempDir::create(session.state().work(), "index-"));
    publish::IndexAuthority authority;
    authority.verifier = &verifier;
    authority.memory = session.state().caches();
    authority.now = std::time(nullptr);
    for (const cache::MirrorName& name : mirrors) {
        SF_TRY(authority.mirror, cache::folder_of(name));
        cache::SubBackend mirror(*place, authority.mirror);
        publish::MirrorIndex index(mirror, authority, session.voice);
        SF_TRY(const publish::IndexReport report,
               index.remake(keys_from(kept.trusted, work.path())));
        session.voice.line(fmt::format("{}: {}", mirror.place(),
                                       report.changed ? "what Spack reads was made anew"
                                                      : "what Spack reads was right already"));
        session.voice.event(
            "indexed",
            {{"mirror", mirror.place()}, {"changed", report.changed}, {"bytes", report.bytes}});
    }
    return {};
}

}  // namespace

void add_cache_index(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "index", "Make Spack's unsigned index and list of keys anew from what is signed");
    const auto options = std::make_shared<Options>();
    command->add_option("PLACE", options->place, std::string("The cache: ") + writable_kinds)
        ->required();
    add_mirror_options(*command, options->mirrors);
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Our own clients do not read them. Publishers may be at work meanwhile; no key is needed.\n"
        "Examples:\n"
        "  slurm-factory cache index /srv/slurm-cache");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
