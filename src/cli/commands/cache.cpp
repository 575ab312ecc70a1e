// SPDX-License-Identifier: Apache-2.0
// The group `cache`, and its add|list|remove: caches with names, and whose keys count in each.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "cache/named_caches.hpp"
#include "cache/open_backend.hpp"
#include "cache/snapshot_pins.hpp"
#include "cli/cache_choice.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/command_group.hpp"
#include "cli/commands.hpp"
#include "model/names.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct AddOptions {
    std::string name;
    std::string place;
    std::vector<std::string> keys;
    std::string root;
    std::vector<std::string> repositories;
    unsigned max_age_days = 0;
    bool allow_unsigned = false;
    bool site = false;
};

struct RemoveOptions {
    std::string name;
    bool site = false;
};

Result<cache::NamedCaches> open_list(const Session& session, bool site) {
    return cache::NamedCaches::open(site ? std::filesystem::path(cache::site_caches_file)
                                         : user_caches_file(session));
}

// A folder as its absolute path; an address as it was written.
Result<std::string> place_to_keep(const std::string& text) {
    SF_TRY(const auto backend, cache::open_backend(text));
    if (text.find("://") == std::string::npos) return backend->place();
    if (backend->place().find("***@") == std::string::npos) return text;
    return base::fail_hint(Code::usage,
                           "an address with a password is not written into a list that others "
                           "read",
                           "leave it out of the address; say --cache PLACE where it is needed");
}

// "noble/slurm/25.11=ID", or with the lowest number "noble/slurm/25.11=ID:12".
Status add_pin(const std::string& text, cache::SnapshotPins& pins) {
    const std::size_t equals = std::min(text.find('='), text.size());
    const std::size_t colon = std::min(text.find(':', equals), text.size());
    const std::string mirror = text.substr(0, equals);
    cache::SnapshotPin pin;
    if (equals < colon) pin.repository = text.substr(equals + 1, colon - equals - 1);
    if (colon < text.size()) {
        const char* end = text.data() + text.size();
        const auto [at, error] = std::from_chars(text.data() + colon + 1, end, pin.serial);
        if (error != std::errc() || at != end) pin.serial = 0;
    }
    if (const Status good = cache::check_pin(mirror, pin); !good)
        return base::fail_hint(
            Code::usage,
            fmt::format("--repository '{}' is not MIRROR=ID or MIRROR=ID:N: {}",
                        base::escape_untrusted(text), good.error().message),
            "slurm-factory cache verify PLACE shows each mirror's as it is said here");
    if (const auto [known, fresh] = pins.emplace(mirror, pin); !fresh && known->second != pin)
        return base::fail(Code::usage, "--repository says two things of {}", mirror);
    return {};
}

// Some servers of S3 take conditions and write all the same; better known before anything is
// published. Whoever only reads has no right to try, and needs none.
void tell_conditions(Session& session, const std::string& place) {
    if (!place.starts_with("s3://")) return;
    const auto backend = cache::open_backend(place);
    if (!backend) return;
    const auto keeps = (*backend)->keeps_conditions();
    if (!keeps)
        session.voice.info(
            "whether it can be published to from here is not known ({}); installing from it needs "
            "no right to write",
            keeps.error().text());
    else if (*keeps)
        session.voice.info(
            "{} can be written from here, and keeps conditions: it can be "
            "published to",
            (*backend)->place());
    else
        session.voice.warning(
            "{} does not keep conditions: two publishers could lose each other's work, so nothing "
            "is published or copied to it, or signed afresh in it; installing from it works",
            (*backend)->place());
    session.voice.event(
        "conditions",
        {{"place", (*backend)->place()}, {"known", keeps.has_value()}, {"kept", keeps && *keeps}});
}

Status run_add(Session& session, const AddOptions& options) {
    cache::NamedCache named;
    named.name = options.name;
    if (const Status good = model::check_name(options.name, "name of a cache"); !good)
        return base::fail(Code::usage, "{}", good.error().message);
    SF_TRY(named.place, place_to_keep(options.place));
    for (const std::string& key : options.keys) {
        SF_TRY(trust::Fingerprint fingerprint,
               base::during(trust::Fingerprint::from_person(key), "--key"));
        if (std::ranges::find(named.keys, fingerprint) == named.keys.end())
            named.keys.push_back(std::move(fingerprint));
    }
    if (!options.root.empty()) {
        SF_TRY(named.root, base::during(trust::Fingerprint::from_person(options.root), "--root"));
    }
    for (const std::string& repository : options.repositories)
        SF_CHECK(add_pin(repository, named.mirrors));
    named.max_age_days = options.max_age_days;
    named.allow_unsigned = options.allow_unsigned;
    if (named.keys.empty() && !named.allow_unsigned)
        return base::fail_hint(Code::usage, "--key is required: whose signatures count there",
                               "--key FINGERPRINT");
    if (named.allow_unsigned)
        session.voice.warning(
            "{}: with 'install --allow-unsigned' packages that nobody has signed can be installed "
            "from there; whoever can write there, or stands on the way, runs what he likes here",
            named.name);
    SF_TRY(const trust::TrustedKeys trusted, trusted_keys(session, {}));
    SF_TRY(const trust::TrustedKeys roots, trusted_roots(session, {}));
    const auto lists = [](const trust::TrustedKeys& list, const trust::Fingerprint& key) {
        return std::ranges::find(list.entries, key, &trust::TrustEntry::fingerprint) !=
               list.entries.end();
    };
    for (const trust::Fingerprint& key : named.keys)
        if (!lists(trusted, key))
            session.voice.notice("{} is not trusted here yet: slurm-factory key trust {}",
                                 key.text(), key.text());
    if (named.root && !lists(roots, *named.root))
        session.voice.notice(
            "{} is no root that is trusted here yet: slurm-factory key trust "
            "--root {}",
            named.root->text(), named.root->text());
    SF_TRY(cache::NamedCaches list, open_list(session, options.site));
    const bool known = list.find(named.name) != nullptr;
    SF_TRY(const bool changed, list.put(named));
    session.voice.line(fmt::format("{} {} in {}", named.name,
                                   !changed ? "is as it was"
                                   : known  ? "is changed"
                                            : "is listed",
                                   base::escape_untrusted(list.file().native())));
    session.voice.event("cache_added",
                        {{"name", named.name}, {"place", named.place}, {"changed", changed}});
    tell_conditions(session, named.place);
    return {};
}

void show(Session& session, const cache::NamedCache& named, bool site) {
    session.voice.line(fmt::format("{}{}  {}", named.name, site ? " (site)" : "",
                                   base::escape_untrusted(named.place)));
    base::Json keys = base::Json::array();
    for (const trust::Fingerprint& key : named.keys) {
        session.voice.line("  key " + key.text());
        keys.push_back(key.text());
    }
    base::Json object{
        {"name", named.name}, {"place", named.place}, {"site", site}, {"keys", std::move(keys)}};
    if (named.root) {
        session.voice.line("  root " + named.root->text());
        object["root"] = named.root->text();
    }
    for (const auto& [mirror, pin] : named.mirrors) {
        session.voice.line(fmt::format("  {} is repository {}, its snapshots number {} and later",
                                       mirror, pin.repository, pin.serial));
        object["mirrors"][mirror] = {{"repository", pin.repository}, {"serial", pin.serial}};
    }
    if (named.max_age_days > 0) {
        session.voice.line(fmt::format("  snapshots are good for {} days", named.max_age_days));
        object["max_age_days"] = named.max_age_days;
    }
    if (named.allow_unsigned) {
        session.voice.line("  UNSIGNED packages may be installed from it");
        object["allow_unsigned"] = true;
    }
    session.voice.event("cache", std::move(object));
}

Status run_list(Session& session) {
    SF_TRY(const cache::NamedCaches site, open_list(session, true));
    SF_TRY(const cache::NamedCaches user, open_list(session, false));
    for (const cache::NamedCache& each : site.all()) show(session, each, true);
    for (const cache::NamedCache& each : user.all())
        if (site.find(each.name) == nullptr) show(session, each, false);
    if (site.all().empty() && user.all().empty())
        session.voice.info(
            "there are none yet; next: slurm-factory cache add NAME PLACE --key FINGERPRINT");
    return {};
}

Status run_remove(Session& session, const RemoveOptions& options) {
    SF_TRY(cache::NamedCaches list, open_list(session, options.site));
    SF_TRY(const bool removed, list.remove(options.name));
    if (!removed)
        return base::fail_hint(
            Code::absent,
            fmt::format("there is no cache '{}' in {}", base::escape_untrusted(options.name),
                        base::escape_untrusted(list.file().native())),
            options.site ? "slurm-factory cache list"
                         : "slurm-factory cache list; --site for those of the "
                           "site");
    session.voice.line(fmt::format("{} is not listed any more", options.name));
    session.voice.event("cache_removed", {{"name", options.name}});
    return {};
}

void add_add(CLI::App& group, Session& session) {
    const auto options = std::make_shared<AddOptions>();
    CLI::App* sub = group.add_subcommand("add", "Give a cache a name, and say whose keys count");
    sub->add_option("NAME", options->name, "For --cache; that of a cache that is listed changes it")
        ->required();
    sub->add_option("PLACE", options->place, "A folder, file://, http://, https:// or s3://")
        ->required();
    sub->add_option("--key", options->keys,
                    "Full fingerprint of a primary key that may sign what is in this cache; given "
                    "again for each")
        ->allow_extra_args(false)
        ->type_name("FINGERPRINT");
    sub->add_option("--root", options->root,
                    "It has a list of revocations, which this root key must have signed")
        ->type_name("FINGERPRINT");
    sub->add_option(
           "--repository", options->repositories,
           "Which repository a mirror of it is (noble/slurm/25.11), as its publisher says, "
           "and the lowest number of its snapshots: the first that is seen there is "
           "believed otherwise; given again for each")
        ->configurable(false)
        ->allow_extra_args(false)
        ->type_name("MIRROR=ID[:N]");
    sub->add_option("--max-age-days", options->max_age_days,
                    "Its snapshots are good for so long after they were signed, whatever they say: "
                    "for a cache that is carried to machines without a network")
        ->check(CLI::Range(1, 3650).description(""))
        ->type_name("N");
    sub->add_flag("--allow-unsigned", options->allow_unsigned,
                  "Packages that nobody trusted has signed may be installed from it, by 'install "
                  "--allow-unsigned'; nothing of it is copied or passed on");
    sub->add_flag("--site", options->site, "For all users: /etc/slurm-factory/caches.json");
    sub->fallthrough();
    sub->footer(
        "A key must be trusted as well ('key trust'): here it is said for which cache.\n"
        "Examples:\n"
        "  slurm-factory cache add upstream https://cache.example.org --key FINGERPRINT\n"
        "  slurm-factory cache add local /srv/slurm-cache --key FINGERPRINT --max-age-days 180");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_add(session, *options); };
    });
}

void add_cache_list(CLI::App& group, Session& session) {
    CLI::App* sub = group.add_subcommand("list", "The caches that have names here, in their order");
    sub->fallthrough();
    sub->footer("Examples:\n  slurm-factory cache list\n  slurm-factory cache list --json");
    sub->callback([&session] { session.action = [&session] { return run_list(session); }; });
}

void add_remove(CLI::App& group, Session& session) {
    const auto options = std::make_shared<RemoveOptions>();
    CLI::App* sub = group.add_subcommand("remove", "Take a cache off the list");
    sub->add_option("NAME", options->name, "As 'cache list' shows it")->required();
    sub->add_flag("--site", options->site, "From the site's list, /etc/slurm-factory/caches.json");
    sub->fallthrough();
    sub->footer("Examples:\n  slurm-factory cache remove local");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_remove(session, *options); };
    });
}

}  // namespace

void add_cache(CLI::App& app, Session& session) {
    CLI::App* group = add_command_group(
        app, "cache", "Caches of signed packages: their names here, their keeping");
    add_add(*group, session);
    add_cache_list(*group, session);
    add_remove(*group, session);
    add_cache_push(*group, session);
    add_cache_verify(*group, session);
    add_cache_refresh(*group, session);
    add_cache_mirror(*group, session);
    add_cache_index(*group, session);
    add_cache_prune(*group, session);
    group->footer(
        "Packages are published by 'build-slurm --publish' or 'cache push', installed by "
        "'install', and\n"
        "taken instead of built by 'build-slurm --buildcache'.\n"
        "Examples:\n"
        "  slurm-factory cache add upstream https://cache.example.org --key FINGERPRINT\n"
        "  slurm-factory cache list\n"
        "  slurm-factory cache verify /srv/slurm-cache --deep\n"
        "  slurm-factory cache mirror https://cache.example.org /srv/slurm-cache");
}

}  // namespace sf::cli
