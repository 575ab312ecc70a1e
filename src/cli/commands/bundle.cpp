// SPDX-License-Identifier: Apache-2.0
// bundle verify|install: is this bundle, or this file made of a cache, what somebody trusted
// signed, and put it into a folder.
#include <CLI/CLI.hpp>

#include <ctime>
#include <optional>

#include "base/text.hpp"
#include "cache/tar_backend.hpp"
#include "cli/command_group.hpp"
#include "cli/commands.hpp"
#include "cli/offline_bundle.hpp"
#include "cli/package_install.hpp"
#include "cli/trusted_keys.hpp"
#include "install/bundle_install.hpp"
#include "install/bundle_verify.hpp"

namespace sf::cli {

namespace {

struct VerifyOptions {
    std::string file;
    TrustChoice trust;
    std::string signature;
    std::string sha256;
    bool accept_unsigned = false;
    bool accept_expired = false;
};

struct InstallOptions {
    VerifyOptions verify;
    std::string prefix;
    bool keep_view = false;
};

base::Result<install::VerifiedBundle> verify(Session& session, const VerifyOptions& options) {
    SF_TRY(trust::TrustedKeys trusted, trusted_keys(session, options.trust));
    install::BundlePolicy policy;
    std::optional<trust::Verifier> verifier;
    if (!trusted.entries.empty()) {
        SF_TRY(verifier, trust::Verifier::create(trusted));
        policy.verifier = &*verifier;
    }
    policy.accept_unsigned = options.accept_unsigned;
    policy.signature = options.signature;
    if (!options.sha256.empty()) {
        base::Result<base::Digest> digest = base::Digest::parse(options.sha256);
        if (!digest) {
            return base::fail(base::Code::usage, "--sha256 wants 64 hexadecimal digits, not '{}'",
                              base::escape_untrusted(options.sha256));
        }
        policy.sha256 = *digest;
    }
    SF_TRY(install::VerifiedBundle verified, install::verify_bundle(options.file, policy));
    for (const std::string& notice : verified.notices) session.voice.warning("{}", notice);
    return verified;
}

base::Json bundle_json(const install::VerifiedBundle& verified) {
    base::Json packages = base::Json::array();
    for (const model::Package& package : verified.bundle.packages)
        packages.push_back(package.store_name());
    base::Json object{{"file", verified.file},
                      {"sha256", verified.sha256.hex()},
                      {"size", verified.size},
                      {"name", verified.bundle.name},
                      {"version", verified.bundle.version},
                      {"toolchain", verified.bundle.toolchain},
                      {"architecture", verified.bundle.architecture},
                      {"target", verified.bundle.target},
                      {"builder", verified.bundle.builder},
                      {"unpacked_size", verified.unpacked_size},
                      {"packages", std::move(packages)},
                      {"features", verified.bundle.features},
                      {"signed", verified.signer.has_value()}};
    if (verified.signer) {
        object["signer"] = {{"fingerprint", verified.signer->primary.text()},
                            {"key", verified.signer->key.text()},
                            {"label", verified.signer->label}};
    }
    return object;
}

// A file made of a cache has everything that is signed inside.
base::Result<OfflineChoice> offline_choice(const VerifyOptions& options) {
    if (options.accept_unsigned || !options.signature.empty())
        return base::fail(
            base::Code::usage,
            "{} was made of a cache: what is signed is inside, {} means nothing there",
            base::escape_untrusted(options.file),
            options.accept_unsigned ? "--accept-unsigned" : "--signature");
    return OfflineChoice{options.file, options.trust, options.sha256, options.accept_expired};
}

base::Status verify_offline(Session& session, const VerifyOptions& options) {
    SF_TRY(const OfflineChoice choice, offline_choice(options));
    SF_TRY(const install::OfflineVerified verified, verify_offline_file(session, choice));
    tell_offline_file(session, options.file, verified);
    return {};
}

base::Status install_offline(Session& session, const InstallOptions& options) {
    SF_TRY(const OfflineChoice choice, offline_choice(options.verify));
    SF_TRY(const install::OfflineVerified verified, verify_offline_file(session, choice));
    InstallRequest request;
    request.search.spec = verified.package.bundle.name + '@' + verified.package.bundle.version;
    request.search.caches = {options.verify.file};
    request.search.toolchain = verified.package.bundle.toolchain;
    request.search.trust = options.verify.trust;
    request.search.accept_expired = options.verify.accept_expired;
    request.prefix = options.prefix;
    request.keep_view = options.keep_view;
    return install_package(session, request);
}

base::Status run_verify(Session& session, const VerifyOptions& options) {
    SF_TRY(const bool offline, cache::is_offline_file(options.file));
    if (offline) return verify_offline(session, options);
    SF_TRY(const install::VerifiedBundle verified, verify(session, options));
    const model::Bundle& bundle = verified.bundle;
    session.voice.line(
        verified.signer
            ? fmt::format("{}: good signature by {}", base::escape_untrusted(verified.file),
                          signer_text(*verified.signer))
            : fmt::format("{}: whole, but NOT SIGNED", base::escape_untrusted(verified.file)));
    session.voice.line(fmt::format("  {} {} for {}, {} ({}), made by {}", bundle.name,
                                   bundle.version, bundle.toolchain, bundle.architecture,
                                   bundle.target, base::escape_untrusted(bundle.builder)));
    session.voice.line(fmt::format("  {} packages, {} files, {} packed, {} unpacked",
                                   bundle.packages.size(), verified.tree.size(),
                                   base::human_bytes(verified.size),
                                   base::human_bytes(verified.unpacked_size)));
    if (!bundle.features.empty())
        session.voice.line("  asserted: " + base::join(bundle.features, ", "));
    session.voice.line("  sha256 " + verified.sha256.hex());
    session.voice.event("bundle", bundle_json(verified));
    return {};
}

base::Status run_install(Session& session, const InstallOptions& options) {
    SF_TRY(const bool offline, cache::is_offline_file(options.verify.file));
    if (offline) return install_offline(session, options);
    SF_TRY(const install::VerifiedBundle verified, verify(session, options.verify));
    if (verified.signer) session.voice.info("good signature by {}", signer_text(*verified.signer));
    install::InstallOptions how;
    how.switch_view = !options.keep_view;
    how.waiting = [&session] {
        session.voice.info("another installation is at work in this prefix; waiting for it");
    };
    how.on_step = [&session](std::string_view step) {
        session.voice.debug("{}", step);
        return base::Status();
    };
    how.record = tree::NewGeneration{
        {{"bundle", std::filesystem::path(options.verify.file).filename().native()},
         {"sha256", verified.sha256.hex()},
         {"signer", verified.signer ? verified.signer->primary.text() : ""}},
        std::time(nullptr)};
    SF_TRY(const install::InstallReport report,
           install::install_bundle(verified, options.prefix, how));
    const std::string prefix = base::escape_untrusted(report.prefix.string());
    const model::Bundle& bundle = verified.bundle;
    if (report.changed) {
        session.voice.line(fmt::format("{} {} is in {}: {} packages installed, {} kept",
                                       bundle.name, bundle.version, prefix, report.installed.size(),
                                       report.kept.size()));
    } else {
        session.voice.line(
            fmt::format("{} {} was in {} already", bundle.name, bundle.version, prefix));
    }
    say_how_to_use(session, report.prefix, bundle.version);
    base::Json object = bundle_json(verified);
    object["prefix"] = report.prefix.string();
    object["installed"] = report.installed;
    object["kept"] = report.kept;
    object["changed"] = report.changed;
    object["generation"] = report.generation;
    session.voice.event("installed", std::move(object));
    return {};
}

void add_verify_options(CLI::App& sub, VerifyOptions& options) {
    sub.add_option("FILE", options.file,
                   "The bundle (slurm-VERSION-TOOLCHAIN-ARCH-software.tar.gz), or a file of "
                   "'bundle create --offline'")
        ->required();
    add_trust_options(sub, options.trust);
    sub.add_option("--signature", options.signature, "The signature (default: FILE.asc)")
        ->type_name("FILE");
    sub.add_option("--sha256", options.sha256, "The digest it must have, from another source")
        ->type_name("HEX");
    sub.add_flag("--accept-unsigned", options.accept_unsigned,
                 "Take a bundle without any signature; who made it is then not known");
    sub.add_flag("--accept-expired", options.accept_expired,
                 "Take a file made of a cache whose time is over");
    sub.fallthrough();
}

}  // namespace

void add_bundle(CLI::App& app, Session& session) {
    CLI::App* group = add_command_group(app, "bundle", "Create, verify and install bundles");
    add_bundle_create(*group, session);

    const auto verify_options = std::make_shared<VerifyOptions>();
    CLI::App* verifier = group->add_subcommand(
        "verify", "Is this bundle whole, and signed by somebody trusted here?");
    add_verify_options(*verifier, *verify_options);
    verifier->footer(
        "Every file inside is compared with the signed manifest. Exits 1 unless all is well.\n"
        "Examples:\n"
        "  slurm-factory bundle verify slurm-25.11.2-bookworm-amd64-software.tar.gz\n"
        "  slurm-factory bundle verify FILE --key FINGERPRINT");
    verifier->callback([&session, verify_options] {
        session.action = [&session, verify_options] {
            return run_verify(session, *verify_options);
        };
    });

    const auto install_options = std::make_shared<InstallOptions>();
    CLI::App* installer =
        group->add_subcommand("install", "Verify a bundle, then put it into a folder");
    add_verify_options(*installer, install_options->verify);
    installer->add_option("--prefix", install_options->prefix, "The folder; any path will do")
        ->required()
        ->type_name("DIR");
    installer->add_flag("--keep-view", install_options->keep_view,
                        "Leave PREFIX/view at the version it points to");
    installer->footer(
        "Versions lie side by side; installing one does not touch another. The tree can be moved\n"
        "afterwards. If anything is wrong, nothing is changed.\n"
        "Examples:\n"
        "  slurm-factory bundle install FILE --prefix /opt/slurm");
    installer->callback([&session, install_options] {
        session.action = [&session, install_options] {
            return run_install(session, *install_options);
        };
    });
    group->footer(
        "Examples:\n"
        "  slurm-factory bundle create --offline slurm@25.11 --cache NAME -o slurm.tar\n"
        "  slurm-factory bundle verify FILE\n"
        "  slurm-factory bundle install FILE --prefix /opt/slurm");
}

}  // namespace sf::cli
