// SPDX-License-Identifier: Apache-2.0
// install SPEC, or exactly what a lock file names: Slurm from a signed cache, with all it needs, or
// nothing.
#include <CLI/CLI.hpp>

#include <cctype>
#include <ctime>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/open_backend.hpp"
#include "cli/build_inputs.hpp"
#include "cli/commands.hpp"
#include "cli/prefix_choice.hpp"
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
    std::string frozen;      // a lock file
    std::string write_lock;  // likewise
    bool keep_view = false;
    bool dry_run = false;
    bool offline = false;
    bool accept_expired = false;
};

constexpr std::uint64_t max_lock = std::uint64_t{4} << 20;

// "slurm@25.11": the name, and a series or an exact version.
Result<install::Query> parse_spec(const std::string& text) {
    install::Query query;
    const std::size_t at = text.find('@');
    query.name = text.substr(0, at);
    if (query.name != "slurm")
        return base::fail_hint(
            Code::usage,
            fmt::format("'{}' is not installed by name", base::escape_untrusted(query.name)),
            "what Slurm needs comes with it: slurm@25.11");
    if (at == std::string::npos)
        return base::fail_hint(Code::usage, "which Slurm? Say its series or its version",
                               "for instance: slurm@25.11 or slurm@25.11.2");
    query.version = text.substr(at + 1);
    if (query.version.find('.') != std::string::npos && model::check_version(query.version))
        return query;
    return base::fail_hint(Code::usage,
                           fmt::format("'{}' is no series", base::escape_untrusted(query.version)),
                           "for instance: slurm@25.11 or slurm@25.11.2");
}

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
    const std::string spec = options.spec.empty()
                                 ? fmt::format("{}@{}", found.bundle.name, found.bundle.version)
                                 : options.spec;
    how.record = tree::NewGeneration{{{"cache", place},
                                      {"spec", spec},
                                      {"hash", found.build.hash},
                                      {"repository", found.repository},
                                      {"serial", std::to_string(found.serial)},
                                      {"signer", found.signer->primary.text()}},
                                     std::time(nullptr)};
    return how;
}

// Before anything is opened: an address of the network is not even looked up.
Status check_offline(const Options& options) {
    if (!options.offline) return {};
    const std::size_t end = options.cache.find("://");
    std::string scheme = end == std::string::npos ? "file" : options.cache.substr(0, end);
    for (char& c : scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (scheme == "file") return {};
    return base::fail_hint(Code::refused, "--offline: that cache is on the network",
                           "name a folder, a copy of it: --cache /path; or leave --offline out");
}

Result<std::optional<install::LockFile>> frozen_lock(const Options& options) {
    if (options.frozen.empty()) {
        if (!options.spec.empty()) return std::optional<install::LockFile>();
        return base::fail_hint(Code::usage, "what is to be installed?",
                               "for instance: slurm@25.11, or --frozen LOCKFILE");
    }
    const std::string shown = base::escape_untrusted(options.frozen);
    SF_TRY(const std::string text, base::read_file(options.frozen, max_lock));
    SF_TRY(install::LockFile lock, base::during(install::lock_from_json(text), "reading " + shown));
    if (!options.spec.empty()) {
        SF_TRY(const install::Query said, parse_spec(options.spec));
        const bool same = lock.name == said.name && (lock.version == said.version ||
                                                     lock.version.starts_with(said.version + '.'));
        if (!same)
            return base::fail(Code::usage, "{} is of {} {}, not of {}", shown, lock.name,
                              lock.version, base::escape_untrusted(options.spec));
    }
    if (!options.toolchain.empty() && options.toolchain != lock.build.toolchain)
        return base::fail(Code::usage, "{} is for {}, not for {}", shown, lock.build.toolchain,
                          base::escape_untrusted(options.toolchain));
    return std::optional(std::move(lock));
}

// What is asked for: by the words of the command line, or by a lock file.
Result<install::Query> query_of(Session& session, const Options& options,
                                const std::optional<install::LockFile>& lock) {
    install::Query query;
    SF_TRY(const std::string cpuinfo, base::read_file("/proc/cpuinfo"));
    if (lock) {
        query.name = lock->name;
        query.version = lock->version;
        query.toolchain = lock->build.toolchain;
    } else {
        SF_TRY(query, parse_spec(options.spec));
        SF_TRY(const recipe::Catalog catalog, session.catalog());
        BuildRequest request;
        request.toolchain = options.toolchain;
        SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, request));
        query.toolchain = toolchain->name;
    }
    query.cpu = model::cpu_level(cpuinfo);
    if (lock && !model::cpu_runs(query.cpu, lock->build.target))
        return base::fail(Code::refused, "the lock file is for {} processors, this one is {}",
                          lock->build.target, query.cpu);
    return query;
}

Result<install::Resolved> find(Session& session, const Options& options,
                               const install::Query& query,
                               const std::optional<install::LockFile>& lock, cache::Backend& mirror,
                               const trust::Verifier& verifier, const std::string& folder) {
    install::ReaderOptions reading;
    reading.mirror = folder;
    reading.memory = session.state().caches();
    reading.now = std::time(nullptr);
    reading.accept_expired = options.accept_expired;
    if (lock) return install::MirrorReader::locked(mirror, verifier, reading, *lock);
    SF_TRY(const install::MirrorReader reader,
           install::MirrorReader::open(mirror, verifier, reading, session.voice));
    return reader.resolve(query);
}

void say_plan(Session& session, const install::Resolved& found, const std::filesystem::path& prefix,
              base::Json result) {
    std::uint64_t bytes = 0;
    base::Json missing = base::Json::array();
    for (const model::Package& package : found.bundle.packages) {
        const std::string name = package.store_name();
        const bool have = base::exists(prefix / model::bundle_store_path(name));
        session.voice.line(fmt::format("{:<8} {}{}", have ? "have" : "fetch", name,
                                       have ? "" : "  " + base::human_bytes(package.run.size)));
        if (have) continue;
        missing.push_back(name);
        bytes += package.run.size;
    }
    const auto in_place =
        base::read_file_if_exists(prefix / model::bundle_manifest_path(found.bundle.version));
    const bool same = in_place && *in_place && **in_place == found.bundle_text;
    if (!same) bytes += found.assets.size;
    session.voice.line(fmt::format("{} {}: {} of {} packages, {} in all, would be fetched",
                                   found.bundle.name, found.bundle.version, missing.size(),
                                   found.bundle.packages.size(), base::human_bytes(bytes)));
    result["missing"] = std::move(missing);
    result["bytes"] = bytes;
    session.voice.event("resolved", std::move(result));
}

Status run_install(Session& session, const Options& options) {
    SF_CHECK(check_offline(options));
    SF_TRY(const std::optional<install::LockFile> lock, frozen_lock(options));
    SF_TRY(const std::filesystem::path prefix, prefix_of(options.prefix));
    SF_TRY(const install::Query query, query_of(session, options, lock));
    SF_TRY(const trust::Verifier verifier, verifier_of(session, options.trust));
    SF_TRY(const auto place, cache::open_backend(options.cache));
    SF_TRY(const std::string folder,
           cache::folder_of({query.toolchain, model::series_of(query.version)}));
    SF_TRY(const std::string deps_folder, cache::folder_of({query.toolchain, ""}));
    cache::SubBackend main(*place, folder);
    cache::SubBackend dependencies(*place, deps_folder);
    SF_TRY(const install::Resolved found,
           find(session, options, query, lock, main, verifier, folder));
    session.voice.info("{} {} for {}, {}, signed by {}", found.bundle.name, found.bundle.version,
                       found.bundle.toolchain, found.bundle.target, signer_text(*found.signer));
    if (!options.write_lock.empty()) {
        SF_TRY(const std::string text, install::to_json(install::lock_of(found, folder)));
        SF_CHECK(base::write_file(options.write_lock, text));
    }
    base::Json result = json_of(found, prefix);
    if (options.dry_run) {
        say_plan(session, found, prefix, std::move(result));
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
    command->add_option("SPEC", options->spec, "slurm@SERIES or slurm@VERSION");
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
    command
        ->add_option("--frozen", options->frozen,
                     "Exactly what this lock file names, also when the cache has moved on")
        ->type_name("LOCKFILE");
    command
        ->add_option("--write-lock", options->write_lock,
                     "Write what is installed to a lock file, for --frozen")
        ->type_name("FILE");
    command->add_flag("--offline", options->offline,
                      "Only from a folder; an address of the network is refused");
    command->add_flag("--dry-run", options->dry_run, "Say what would be fetched; change nothing");
    command->fallthrough();
    command->footer(
        "Only what the prefix lacks is fetched. Versions lie side by side; if anything is wrong,\n"
        "nothing is changed. 'rollback' brings back what was there before.\n"
        "Examples:\n"
        "  slurm-factory install slurm@25.11 --cache https://cache.example.org\n"
        "  slurm-factory install slurm@25.11.2 --cache /srv/slurm-cache --prefix /opt/slurm\n"
        "  slurm-factory install --frozen slurm.lock --cache /mnt/usb/cache --offline");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_install(session, *options); };
    });
}

}  // namespace sf::cli
