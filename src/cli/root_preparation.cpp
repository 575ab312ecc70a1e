// SPDX-License-Identifier: Apache-2.0
#include "cli/root_preparation.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "cli/archive_places.hpp"
#include "cli/failure_report.hpp"
#include "net/url.hpp"
#include "sandbox/rootfs.hpp"

namespace sf::cli {

namespace {

// What was given must be good; what was found here and is not for us is passed over.
base::Status check_given(const std::vector<std::string>& addresses, const char* option) {
    for (const std::string& address : addresses) {
        const base::Result<net::Url> url = net::Url::parse(address);
        if (!url) {
            return base::fail_hint(base::Code::usage,
                                   fmt::format("{}: {}", option, url.error().text()),
                                   fmt::format("{} https://HOST/PATH", option));
        }
        if (url->has_user()) {
            return base::fail_hint(
                base::Code::usage,
                fmt::format("{} {}: a user name or password in it would be seen by every user of "
                            "this machine",
                            option, url->redacted()),
                "use an address without them, for instance of a mirror within your site");
        }
    }
    return {};
}

void drop_secret_ones(std::vector<std::string>& addresses) {
    std::erase_if(addresses, [](const std::string& address) {
        const base::Result<net::Url> url = net::Url::parse(address);
        return url && url->has_user();
    });
}

// The addresses of the archive and of its security updates.
base::Status find_mirrors(Session& session, const recipe::Catalog& catalog,
                          sandbox::RootRequest& request, const RootOptions& options) {
    const std::string& family = request.toolchain.family;
    net::ArchiveFinder finder(archive_options(
        session, catalog,
        {.family = family, .archive = options.mirrors, .security = options.security_mirrors}));
    request.mirrors = finder.archive_addresses(family);
    drop_secret_ones(request.mirrors);
    if (request.mirrors.empty()) {
        return base::fail_hint(
            base::Code::absent,
            fmt::format(
                "toolchain {}: no address of the {} archive is known on this machine (looked "
                "in --mirror, the environment, apt's configuration, prepared roots, "
                "debootstrap's scripts and mmdebstrap)",
                request.toolchain.name, family),
            fmt::format("slurm-factory toolchain prepare {} --mirror URL", request.toolchain.name));
    }
    if (family == "ubuntu") {  // its security suites are in the archive itself
        request.security_mirrors = options.security_mirrors;
        return {};
    }
    const std::vector<std::string>& suites = request.toolchain.suites;
    const bool separate = std::any_of(suites.begin(), suites.end(), [](const std::string& suite) {
        return suite.ends_with("-security");
    });
    request.security_mirrors = finder.security_addresses(family);
    drop_secret_ones(request.security_mirrors);
    if (separate && request.security_mirrors.empty()) {
        return base::fail_hint(
            base::Code::absent,
            fmt::format(
                "toolchain {}: no address of {}'s security archive is known on this machine",
                request.toolchain.name, family),
            fmt::format("slurm-factory toolchain prepare {} --security-mirror URL",
                        request.toolchain.name));
    }
    return {};
}

}  // namespace

void add_mirror_options(CLI::App& command, RootOptions& options) {
    command
        .add_option("--mirror", options.mirrors,
                    "Address of the distribution's archive, tried before those found here")
        ->type_name("URL")
        ->take_all();
    command
        .add_option("--security-mirror", options.security_mirrors,
                    "The same for the archive of security updates")
        ->type_name("URL")
        ->take_all();
}

base::Result<model::Toolchain> find_toolchain(const recipe::Catalog& catalog,
                                              const std::string& name) {
    const auto found = catalog.toolchains.find(name);
    if (found != catalog.toolchains.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, toolchain] : catalog.toolchains) names.push_back(known);
    const auto better = base::did_you_mean(name, names);
    return base::fail_hint(
        base::Code::usage,
        fmt::format("there is no toolchain '{}'{}; there are: {}", base::escape_untrusted(name),
                    better ? fmt::format(" (did you mean '{}'?)", *better) : std::string(),
                    base::join(names, ", ")),
        "slurm-factory toolchain list");
}

base::Status check_root_supported(const recipe::Catalog& catalog,
                                  const model::Toolchain& toolchain) {
    if (toolchain.family == "debian" || toolchain.family == "ubuntu") return {};
    std::vector<std::string> proven;
    std::vector<std::string> others;
    for (const auto& [name, other] : catalog.toolchains) {
        if (other.family != "debian" && other.family != "ubuntu") continue;
        (other.state == "proven" ? proven : others).push_back(name);
    }
    return base::fail_hint(
        base::Code::refused,
        fmt::format(
            "toolchain {} ({}): this version makes no roots of the family '{}' yet; it makes "
            "{} (proven by a whole build) and {} (described, not proven)",
            toolchain.name, toolchain.title, toolchain.family, base::join(proven, ", "),
            base::join(others, ", ")),
        fmt::format("slurm-factory build-slurm --toolchain {}",
                    proven.empty() ? "NAME" : proven.front()));
}

base::Result<sandbox::PreparedRoot> prepare_root(Session& session,
                                                 const model::Toolchain& toolchain,
                                                 const RootOptions& options) {
    SF_CHECK(check_given(options.mirrors, "--mirror"));
    SF_CHECK(check_given(options.security_mirrors, "--security-mirror"));
    sandbox::RootStore store(session.state().roots(), session.voice);
    sandbox::RootRequest request;
    request.toolchain = toolchain;
    SF_TRY(const std::optional<std::string> reason, store.reason_to_make(request, options.update));
    // A root that is there needs neither addresses nor a network.
    if (!reason) return store.prepare(request, false);

    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_CHECK(check_root_supported(catalog, toolchain));
    SF_CHECK(find_mirrors(session, catalog, request, options));
    session.voice.info("preparing the root of {} ({}); this takes some minutes", toolchain.title,
                       *reason);
    session.voice.event("root_preparing", {{"toolchain", toolchain.name}, {"reason", *reason}});
    const auto start = std::chrono::steady_clock::now();
    const LogWatch watch(session.state().roots() / toolchain.name / sandbox::root_names::log);
    base::Result<sandbox::PreparedRoot> made = store.prepare(request, options.update);
    if (!made) {
        report_failed_root(session, toolchain.name, watch, made.error());
        return made;
    }
    sandbox::PreparedRoot root = std::move(*made);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    session.voice.info("the root of {} is ready: {} packages, {} packed, {} unpacked, in {}",
                       toolchain.title, root.record.packages.size(),
                       base::human_bytes(root.archive_bytes), base::human_bytes(root.tree_bytes),
                       base::human_seconds(took.count()));
    session.voice.event("root_prepared", {{"toolchain", toolchain.name},
                                          {"digest", root.record.digest.hex()},
                                          {"seconds", took.count()}});
    return root;
}

}  // namespace sf::cli
