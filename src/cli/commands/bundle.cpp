// SPDX-License-Identifier: Apache-2.0
// bundle verify|install: is this bundle what somebody trusted signed, and put it into a folder.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <optional>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/command_group.hpp"
#include "cli/commands.hpp"
#include "cli/signing_key.hpp"
#include "install/bundle_install.hpp"
#include "install/bundle_verify.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

namespace {

struct VerifyOptions {
    std::string file;
    std::string key;        // only this one, whoever else is trusted
    std::string trust_dir;  // instead of this user's and the site's lists
    std::string signature;
    std::string sha256;
    bool accept_unsigned = false;
};

struct InstallOptions {
    VerifyOptions verify;
    std::string prefix;
    bool keep_view = false;
};

base::Result<trust::TrustedKeys> lists(Session& session, const VerifyOptions& options) {
    if (!options.trust_dir.empty()) {  // a named folder that is not there is a slip, not "nobody"
        if (base::exists(options.trust_dir)) return trust::load_trusted({options.trust_dir});
        return base::fail(base::Code::absent, "there is no folder {} (--trust-dir)",
                          base::escape_untrusted(options.trust_dir));
    }
    return trust::load_trusted({trust_folder(session), trust::system_trust_folder});
}

// --key: the person vouches for the fingerprint; its public part is in the keyring or in a list.
base::Result<trust::TrustedKeys> only_key(Session& session, const VerifyOptions& options) {
    SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::from_person(options.key));
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(const std::vector<trust::Key> keys, keyring.list());
    const auto is_it = [&](const trust::Key& key) {
        return key.primary.fingerprint == fingerprint;
    };
    if (std::any_of(keys.begin(), keys.end(), is_it)) {
        SF_TRY(const std::string text, keyring.export_public(fingerprint));
        return trust::trusted_from({{fingerprint, ""}}, {text});
    }
    SF_TRY(trust::TrustedKeys trusted, lists(session, options));
    std::erase_if(trusted.keys, [&](const trust::Key& key) { return !is_it(key); });
    std::erase_if(trusted.entries,
                  [&](const trust::TrustEntry& entry) { return entry.fingerprint != fingerprint; });
    if (!trusted.keys.empty()) return trusted;
    return base::fail_hint(base::Code::absent,
                           fmt::format("the public key {} is not here", fingerprint.text()),
                           "slurm-factory key import FILE");
}

base::Result<install::VerifiedBundle> verify(Session& session, const VerifyOptions& options) {
    SF_TRY(trust::TrustedKeys trusted,
           options.key.empty() ? lists(session, options) : only_key(session, options));
    for (const std::string& warning : trusted.warnings) session.voice.warning("{}", warning);
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

std::string signer_text(const trust::GoodSignature& signer) {
    const std::string& name = signer.primary.text();
    return signer.label.empty()
               ? name
               : fmt::format("{} ({})", base::escape_untrusted(signer.label), name);
}

base::Status run_verify(Session& session, const VerifyOptions& options) {
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
    session.voice.line(
        fmt::format("  programs: {}/views/{}/bin and /sbin", prefix, bundle.version));
    base::Json object = bundle_json(verified);
    object["prefix"] = report.prefix.string();
    object["installed"] = report.installed;
    object["kept"] = report.kept;
    object["changed"] = report.changed;
    session.voice.event("installed", std::move(object));
    return {};
}

void add_verify_options(CLI::App& sub, VerifyOptions& options) {
    sub.add_option("FILE", options.file, "The bundle: slurm-VERSION-TOOLCHAIN-ARCH-software.tar.gz")
        ->required();
    sub.add_option("--key", options.key,
                   "Only this key's signature counts; its full fingerprint, which you vouch for")
        ->type_name("FINGERPRINT");
    sub.add_option("--trust-dir", options.trust_dir,
                   "Whom to trust, instead of your own list and /etc/slurm-factory/trust")
        ->type_name("DIR");
    sub.add_option("--signature", options.signature, "The signature (default: FILE.asc)")
        ->type_name("FILE");
    sub.add_option("--sha256", options.sha256, "The digest it must have, from another source")
        ->type_name("HEX");
    sub.add_flag("--accept-unsigned", options.accept_unsigned,
                 "Take a bundle without any signature; who made it is then not known");
    sub.fallthrough();
}

}  // namespace

void add_bundle(CLI::App& app, Session& session) {
    CLI::App* group = add_command_group(app, "bundle", "Verify and install bundles");

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
        "  slurm-factory bundle verify FILE\n"
        "  slurm-factory bundle install FILE --prefix /opt/slurm");
}

}  // namespace sf::cli
