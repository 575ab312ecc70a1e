// SPDX-License-Identifier: Apache-2.0
// install SPEC: Slurm from a signed cache, with all it needs, or nothing.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cli/build_inputs.hpp"
#include "cli/cache_choice.hpp"
#include "cli/commands.hpp"
#include "cli/prefix_choice.hpp"
#include "cli/slurm_spec.hpp"
#include "cli/trusted_keys.hpp"
#include "install/cache_install.hpp"
#include "model/bundle_layout.hpp"
#include "model/cpu_level.hpp"
#include "model/names.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct Options {
    std::string spec;
    std::string cache;
    std::string toolchain;
    std::string prefix;
    TrustChoice trust;
    bool keep_view = false;
    bool dry_run = false;
    bool accept_expired = false;
};

base::Json json_of(const install::Resolved& found, const std::filesystem::path& prefix) {
    base::Json packages = base::Json::array();
    for (const model::Package& package : found.bundle.packages)
        packages.push_back(package.store_name());
    return {{"name", found.bundle.name},
            {"version", found.bundle.version},
            {"toolchain", found.bundle.toolchain},
            {"target", found.bundle.target},
            {"hash", found.build.hash},
            {"identity", found.build.identity.hex()},
            {"signer", found.signer->primary.text()},
            {"repository", found.repository},
            {"serial", found.serial},
            {"packages", std::move(packages)},
            {"prefix", prefix.native()}};
}

// Where it was found, and what was found.
struct Found {
    CacheTrust trust;
    std::string cache;  // what the user calls it; empty: it has no name here
    std::unique_ptr<cache::SubBackend> main;
    std::unique_ptr<cache::SubBackend> dependencies;
    install::Resolved package;
};

Result<Found> look_in(Session& session, const Options& options, const install::Query& query,
                      const ChosenCache& chosen) {
    Found found;
    if (chosen.named) found.cache = chosen.named->name;
    SF_TRY(found.trust, open_cache(session, chosen, options.trust, options.accept_expired));
    SF_TRY(const std::string folder,
           cache::folder_of({query.toolchain, model::series_of(query.version)}));
    SF_TRY(const std::string deps_folder, cache::folder_of({query.toolchain, ""}));
    found.main = std::make_unique<cache::SubBackend>(*found.trust.place, folder);
    found.dependencies = std::make_unique<cache::SubBackend>(*found.trust.place, deps_folder);
    install::ReaderOptions reading;
    reading.mirror = folder;
    reading.memory = session.state().caches();
    reading.now = std::time(nullptr);
    reading.accept_expired = options.accept_expired;
    reading.max_age = found.trust.max_age;
    reading.revocations = found.trust.revocations;
    SF_TRY(const install::MirrorReader reader,
           install::MirrorReader::open(*found.main, *found.trust.verifier, reading, session.voice));
    SF_TRY(found.package, reader.resolve(query));
    return found;
}

// In the first of the caches that has it. One that cannot be reached, or is not to be believed, is
// no reason to go on to another: whoever cuts the first off would choose the second.
Result<Found> look(Session& session, const Options& options, const install::Query& query) {
    SF_TRY(const std::vector<ChosenCache> caches, choose_caches(session, options.cache));
    std::vector<std::string> lacking;
    for (const ChosenCache& chosen : caches) {
        Result<Found> found = look_in(session, options, query, chosen);
        if (found || caches.size() == 1) return found;
        if (found.error().code != Code::absent) {
            base::Error error = std::move(found).error();
            error.message += fmt::format(" (cache {})", chosen.text());
            if (error.hint.empty()) error.hint = "--cache NAME takes another one of those listed";
            return tl::unexpected(std::move(error));
        }
        session.voice.info("{} has no {}: {}", chosen.text(), options.spec, found.error().message);
        lacking.push_back(chosen.text());
    }
    return base::fail(Code::absent, "none of the caches listed here has {}: {}",
                      base::escape_untrusted(options.spec), base::join(lacking, ", "));
}

install::InstallOptions how(Session& session, const Options& options, const Found& where) {
    const install::Resolved& found = where.package;
    install::InstallOptions how;
    how.switch_view = !options.keep_view;
    how.waiting = [&session] {
        session.voice.info("another installation is at work in this prefix; waiting for it");
    };
    how.on_step = [&session](std::string_view step) {
        session.voice.debug("{}", step);
        return base::Status();
    };
    how.record = tree::NewGeneration{{{"cache", where.trust.place->place()},
                                      {"spec", options.spec},
                                      {"hash", found.build.hash},
                                      {"repository", found.repository},
                                      {"serial", std::to_string(found.serial)},
                                      {"signer", found.signer->primary.text()}},
                                     std::time(nullptr)};
    if (!where.cache.empty()) how.record->origin.emplace("cache_name", where.cache);
    return how;
}

Status run_install(Session& session, const Options& options) {
    SF_TRY(install::Query query, slurm_spec(options.spec));
    SF_TRY(const std::filesystem::path prefix, prefix_of(options.prefix));
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    BuildRequest request;
    request.toolchain = options.toolchain;
    SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, request));
    query.toolchain = toolchain->name;
    SF_TRY(const std::string cpuinfo, base::read_file("/proc/cpuinfo"));
    query.cpu = model::cpu_level(cpuinfo);
    SF_TRY(const Found where, look(session, options, query));
    const install::Resolved& found = where.package;
    session.voice.info("{} {} for {}, {}, signed by {}", found.bundle.name, found.bundle.version,
                       found.bundle.toolchain, found.bundle.target, signer_text(*found.signer));
    base::Json result = json_of(found, prefix);
    if (options.dry_run) {
        for (const model::Package& package : found.bundle.packages)
            session.voice.line(fmt::format(
                "{:<8} {}",
                base::exists(prefix / model::bundle_store_path(package.store_name())) ? "have"
                                                                                      : "fetch",
                package.store_name()));
        session.voice.event("resolved", std::move(result));
        return {};
    }
    install::FetchReport fetched;
    SF_TRY(const install::InstallReport report,
           install::install_from_cache(found, {where.main.get(), where.dependencies.get()}, prefix,
                                       how(session, options, where), fetched));
    const std::string shown = base::escape_untrusted(report.prefix.native());
    session.voice.line(
        report.changed
            ? fmt::format("{} {} is in {}: {} packages installed, {} kept, {} fetched",
                          found.bundle.name, found.bundle.version, shown, report.installed.size(),
                          report.kept.size(), base::human_bytes(fetched.bytes))
            : fmt::format("{} {} was in {} already", found.bundle.name, found.bundle.version,
                          shown));
    session.voice.line(
        fmt::format("  programs: {}/views/{}/bin and /sbin", shown, found.bundle.version));
    result["installed"] = report.installed;
    result["kept"] = report.kept;
    result["changed"] = report.changed;
    result["fetched"] = fetched.bytes;
    result["generation"] = report.generation;
    session.voice.event("installed", std::move(result));
    return {};
}

}  // namespace

void add_install(CLI::App& app, Session& session) {
    CLI::App* command =
        app.add_subcommand("install", "Install Slurm from a signed cache, with all it needs");
    const auto options = std::make_shared<Options>();
    command->add_option("SPEC", options->spec, "slurm@SERIES or slurm@VERSION")->required();
    command
        ->add_option("--cache", options->cache,
                     "Which: a name of 'cache list', a folder, file://, http://, https:// or s3:// "
                     "(default: the first of those listed that has it)")
        ->envname("SLURM_FACTORY_CACHE")
        ->type_name("CACHE");
    add_prefix_option(*command, options->prefix);
    command
        ->add_option("--toolchain", options->toolchain,
                     "The distribution it was built for (default: this machine's)")
        ->type_name("NAME");
    add_trust_options(*command, options->trust);
    command->add_flag("--keep-view", options->keep_view,
                      "Leave PREFIX/view at the version it points to");
    command->add_flag("--accept-expired", options->accept_expired,
                      "Take a snapshot whose time is over: newer packages may be held back");
    command->add_flag("--dry-run", options->dry_run, "Say what would be fetched; change nothing");
    command->fallthrough();
    command->footer(
        "Only what the prefix lacks is fetched. Versions lie side by side; if anything is wrong,\n"
        "nothing is changed. 'rollback' brings back what was there before.\n"
        "Examples:\n"
        "  slurm-factory install slurm@25.11\n"
        "  slurm-factory install slurm@25.11 --cache https://cache.example.org\n"
        "  slurm-factory install slurm@25.11.2 --cache /srv/slurm-cache --prefix /opt/slurm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_install(session, *options); };
    });
}

}  // namespace sf::cli
