// SPDX-License-Identifier: Apache-2.0
#include "cli/package_install.hpp"

#include <ctime>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/prefix_choice.hpp"
#include "cli/trusted_keys.hpp"
#include "install/cache_install.hpp"
#include "model/bundle_layout.hpp"
#include "tree/generations.hpp"

namespace sf::cli {

using base::Status;

namespace {

// Empty: nobody trusted.
std::string signer_of(const install::Resolved& found) {
    return found.signer ? found.signer->primary.text() : "";
}

void warn_unsigned(Session& session, const FoundPackage& where) {
    const install::Resolved& found = where.package;
    session.voice.warning(
        "UNSIGNED: nobody trusted here has signed {} of {} {}. Whoever can write to {}, or stands "
        "on "
        "the way to it, decides what runs on this machine. Digests were compared; they say nothing "
        "of "
        "who made it. This is recorded for good, and nothing of it can be passed on",
        base::join(found.unsigned_parts, ", "), found.bundle.name, found.bundle.version,
        where.trust.place->place());
}

// A manifest that is there already keeps its generation.
Status tell_kept_word(Session& session, const install::Resolved& found,
                      const install::InstallReport& report) {
    if (report.generation == 0 || !found.unsigned_parts.empty()) return {};
    SF_TRY(const tree::KeptGeneration kept,
           tree::read_generation(report.prefix, report.generation));
    if (!kept.generation.origin.contains(tree::origin_unsigned)) return {};
    session.voice.warning(
        "generation {} was installed UNSIGNED, and stays so: this signed one has the same "
        "manifest. "
        "To have it signed, uninstall that version first",
        report.generation);
    return {};
}

base::Json json_of(const FoundPackage& where, const std::filesystem::path& prefix) {
    const install::Resolved& found = where.package;
    base::Json packages = base::Json::array();
    for (const model::Package& package : found.bundle.packages)
        packages.push_back(package.store_name());
    return {{"name", found.bundle.name},
            {"version", found.bundle.version},
            {"toolchain", found.bundle.toolchain},
            {"target", found.bundle.target},
            {"hash", found.build.hash},
            {"identity", found.build.identity.hex()},
            {"signer", signer_of(found)},
            {"unsigned", found.unsigned_parts},
            {"cache", where.trust.place->place()},
            {"repository", found.repository},
            {"serial", found.serial},
            {"packages", std::move(packages)},
            {"prefix", prefix.native()}};
}

install::InstallOptions how(Session& session, const InstallRequest& options,
                            const FoundPackage& where) {
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
    const std::string spec = options.search.spec.empty()
                                 ? fmt::format("{}@{}", found.bundle.name, found.bundle.version)
                                 : options.search.spec;
    how.record = tree::NewGeneration{{{"cache", where.trust.place->place()},
                                      {"spec", spec},
                                      {"hash", found.build.hash},
                                      {"repository", found.repository},
                                      {"serial", std::to_string(found.serial)},
                                      {"signer", signer_of(found)}},
                                     std::time(nullptr)};
    if (!found.unsigned_parts.empty())
        how.record->origin.emplace(tree::origin_unsigned, base::join(found.unsigned_parts, ", "));
    if (!where.cache.empty()) how.record->origin.emplace("cache_name", where.cache);
    return how;
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

}  // namespace

void say_how_to_use(Session& session, const std::filesystem::path& prefix,
                    const std::string& version) {
    session.voice.line(fmt::format("  programs: {}/views/{}/bin and /sbin",
                                   base::escape_untrusted(prefix.native()), version));
    // Of this version: the link at the shorter path may have stayed with another.
    const std::filesystem::path installer =
        prefix / model::bundle_assets_path(version) / model::installer_name;
    if (!base::exists(installer)) return;
    if (::geteuid() != 0) {
        session.voice.line("  to run a cluster, let root install it, where only root writes");
        return;
    }
    session.voice.line(fmt::format("  to run a cluster from it, as root: {} --full-init --dry-run",
                                   base::escape_untrusted(base::shell_quote(installer.native()))));
}

Status install_package(Session& session, const InstallRequest& options) {
    SF_TRY(const std::filesystem::path prefix, prefix_of(options.prefix));
    PackageSearch search = options.search;
    search.prefix = prefix;
    SF_TRY(const FoundPackage where, find_package(session, search));
    const install::Resolved& found = where.package;
    session.voice.info("{} {} for {}, {}, {}", found.bundle.name, found.bundle.version,
                       found.bundle.toolchain, found.bundle.target,
                       found.signer ? "signed by " + signer_text(*found.signer) : "NOT SIGNED");
    if (!found.unsigned_parts.empty()) warn_unsigned(session, where);
    if (!options.write_lock.empty()) {
        install::LockFile lock = install::lock_of(found, where.mirror);
        lock.cache = base::escape_untrusted(where.trust.place->place());
        SF_TRY(const std::string text, install::to_json(lock));
        SF_CHECK(base::write_file(options.write_lock, text));
    }
    base::Json result = json_of(where, prefix);
    if (options.dry_run) {
        say_plan(session, found, prefix, std::move(result));
        return {};
    }
    install::FetchReport fetched;
    SF_TRY(const install::InstallReport report,
           install::install_from_cache(found, {where.main.get(), where.dependencies.get()}, prefix,
                                       how(session, options, where), fetched));
    SF_CHECK(tell_kept_word(session, found, report));
    const std::string shown = base::escape_untrusted(report.prefix.native());
    session.voice.line(
        report.changed
            ? fmt::format("{} {} is in {}: {} packages installed, {} kept, {} fetched",
                          found.bundle.name, found.bundle.version, shown, report.installed.size(),
                          report.kept.size(), base::human_bytes(fetched.bytes))
            : fmt::format("{} {} was in {} already", found.bundle.name, found.bundle.version,
                          shown));
    say_how_to_use(session, report.prefix, found.bundle.version);
    result["installed"] = report.installed;
    result["kept"] = report.kept;
    result["changed"] = report.changed;
    result["fetched"] = fetched.bytes;
    result["generation"] = report.generation;
    session.voice.event("installed", std::move(result));
    return {};
}

}  // namespace sf::cli
