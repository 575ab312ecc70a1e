// SPDX-License-Identifier: Apache-2.0
#include "cli/trusted_keys.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/signing_key.hpp"
#include "trust/verdict.hpp"

namespace sf::cli {

namespace {

using Folders = std::vector<std::filesystem::path>;

base::Result<Folders> folders(Session& session, const TrustChoice& choice) {
    if (choice.trust_dir.empty()) return Folders{trust_folder(session), trust::system_trust_folder};
    // A named folder that is not there is a slip, not "nobody".
    if (base::exists(choice.trust_dir)) return Folders{choice.trust_dir};
    return base::fail(base::Code::absent, "there is no folder {} (--trust-dir)",
                      base::escape_untrusted(choice.trust_dir));
}

base::Result<trust::TrustedKeys> lists(Session& session, const TrustChoice& choice) {
    SF_TRY(const Folders from, folders(session, choice));
    return trust::load_trusted(from);
}

// --key: the person vouches for the fingerprint; its public part is in the keyring or in a list.
base::Result<trust::TrustedKeys> only_key(Session& session, const TrustChoice& choice) {
    SF_TRY(const trust::Fingerprint fingerprint, trust::Fingerprint::from_person(choice.key));
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(const std::vector<trust::Key> keys, keyring.list());
    const auto is_it = [&](const trust::Key& key) {
        return key.primary.fingerprint == fingerprint;
    };
    if (std::any_of(keys.begin(), keys.end(), is_it)) {
        SF_TRY(const std::string text, keyring.export_public(fingerprint));
        return trust::trusted_from({{fingerprint, ""}}, {text});
    }
    SF_TRY(trust::TrustedKeys trusted, lists(session, choice));
    std::erase_if(trusted.keys, [&](const trust::Key& key) { return !is_it(key); });
    std::erase_if(trusted.entries,
                  [&](const trust::TrustEntry& entry) { return entry.fingerprint != fingerprint; });
    if (!trusted.keys.empty()) return trusted;
    return base::fail_hint(base::Code::absent,
                           fmt::format("the public key {} is not here", fingerprint.text()),
                           "slurm-factory key import FILE; " + trust::clock_advice());
}

}  // namespace

void add_trust_options(CLI::App& app, TrustChoice& choice) {
    app.add_option("--key", choice.key,
                   "Only this key's signature counts; its full fingerprint, which you vouch for")
        ->type_name("FINGERPRINT");
    app.add_option("--trust-dir", choice.trust_dir,
                   "Whom to trust, instead of your own list and /etc/slurm-factory/trust")
        ->type_name("DIR");
}

base::Result<trust::TrustedKeys> trusted_keys(Session& session, const TrustChoice& choice) {
    SF_TRY(trust::TrustedKeys trusted,
           choice.key.empty() ? lists(session, choice) : only_key(session, choice));
    for (const std::string& warning : trusted.warnings) session.voice.warning("{}", warning);
    return trusted;
}

base::Result<trust::TrustedKeys> trusted_roots(Session& session, const TrustChoice& choice) {
    SF_TRY(const Folders from, folders(session, choice));
    SF_TRY(trust::TrustedKeys roots, trust::load_roots(from));
    for (const std::string& warning : roots.warnings) session.voice.warning("{}", warning);
    return roots;
}

base::Error nobody_trusted() {
    return {base::Code::refused,
            "no key is trusted on this machine, so nothing can be believed",
            {},
            "get the fingerprint of who publishes from two places, then: "
            "slurm-factory key import FILE; slurm-factory key trust FINGERPRINT"};
}

base::Result<trust::Verifier> verifier_of(Session& session, const TrustChoice& choice) {
    SF_TRY(const trust::TrustedKeys trusted, trusted_keys(session, choice));
    return verifier_of(trusted);
}

base::Result<trust::Verifier> verifier_of(const trust::TrustedKeys& trusted) {
    if (!trusted.entries.empty()) return trust::Verifier::create(trusted);
    return tl::unexpected(nobody_trusted());
}

std::string signer_text(const trust::GoodSignature& signer) {
    const std::string& name = signer.primary.text();
    return signer.label.empty()
               ? name
               : fmt::format("{} ({})", base::escape_untrusted(signer.label), name);
}

}  // namespace sf::cli
