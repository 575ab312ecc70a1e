// SPDX-License-Identifier: Apache-2.0
// install SPEC: Slurm from a signed cache, with all it needs, or nothing.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "cli/build_inputs.hpp"
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

install::InstallOptions how(Session& session, const Options& options,
                            const install::Resolved& found, const std::string& place) {
    install::InstallOptions how;
    how.switch_view = !options.keep_view;
    how.waiting = [&session] {
        session.voice.info("another installation is at work in this prefix; waiting for it");
    };
    how.on_step = [&session](std::string_view step) {
        session.voice.debug("{}", step);
        return base::Status();
    };
    how.record = tree::NewGeneration{{{"cache", place},
                                      {"spec", options.spec},
                                      {"hash", found.build.hash},
                                      {"repository", found.repository},
                                      {"serial", std::to_string(found.serial)},
                                      {"signer", found.signer->primary.text()}},
                                     std::time(nullptr)};
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
    SF_TRY(const trust::Verifier verifier, verifier_of(session, options.trust));

    SF_TRY(const auto place, cache::open_backend(options.cache));
    SF_TRY(const std::string folder,
           cache::folder_of({toolchain->name, model::series_of(query.version)}));
    SF_TRY(const std::string deps_folder, cache::folder_of({toolchain->name, ""}));
    cache::SubBackend main(*place, folder);
    cache::SubBackend dependencies(*place, deps_folder);
    install::ReaderOptions reading;
    reading.mirror = folder;
    reading.memory = session.state().caches();
    reading.now = std::time(nullptr);
    reading.accept_expired = options.accept_expired;
    SF_TRY(const install::MirrorReader reader,
           install::MirrorReader::open(main, verifier, reading, session.voice));
    SF_TRY(const install::Resolved found, reader.resolve(query));
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
           install::install_from_cache(found, {&main, &dependencies}, prefix,
                                       how(session, options, found, place->place()), fetched));
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
                     "Where: a folder, file://, http://, https:// or s3://")
        ->required()
        ->envname("SLURM_FACTORY_CACHE")
        ->type_name("PLACE");
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
        "  slurm-factory install slurm@25.11 --cache https://cache.example.org\n"
        "  slurm-factory install slurm@25.11.2 --cache /srv/slurm-cache --prefix /opt/slurm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_install(session, *options); };
    });
}

}  // namespace sf::cli
