// SPDX-License-Identifier: Apache-2.0
#include "cli/signing_key.hpp"

#include <CLI/CLI.hpp>

#include <climits>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include "base/text.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

using base::Code;
using base::Result;

void add_signing_options(CLI::App& app, SigningRequest& request) {
    app.add_option(
           "--signing-key", request.fingerprint,
           "Full fingerprint of the key that signs (default: the only secret key, or a new one)")
        ->envname("SLURM_FACTORY_SIGNING_KEY")
        ->type_name("FINGERPRINT");
    auto* file = app.add_option("--passphrase-file", request.passphrase_file,
                                "The key's passphrase is in this file (mode 0600)")
                     ->type_name("FILE");
    app.add_option("--passphrase-fd", request.passphrase_fd,
                   "The key's passphrase comes from this open file descriptor")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N")
        ->excludes(file);
}

trust::Keyring keyring_of(const Session& session) {
    return trust::Keyring(session.state().keys() / "gnupg");
}

std::filesystem::path trust_folder(const Session& session) {
    return session.state().keys() / "trust";
}

namespace {

Result<trust::Key> make_key(Session& session, const trust::Keyring& keyring) {
    char host[HOST_NAME_MAX + 1] = {};
    if (::gethostname(host, HOST_NAME_MAX) != 0)
        return base::fail_errno(errno, "ask the host name");
    trust::KeyRequest request;
    request.name = "slurm-factory on " + base::escape_untrusted(host);
    request.email = "slurm-factory@localhost";
    session.voice.info("there is no signing key yet: making one (rsa4096)");
    SF_TRY(trust::Key key, keyring.create(request));
    SF_TRY(const std::string text, keyring.export_public(key.primary.fingerprint));
    SF_TRY(trust::TrustStore trusted, trust::TrustStore::open(trust_folder(session)));
    SF_CHECK(trusted.add({key.primary.fingerprint, "made on this machine"}, text));
    session.voice.notice(
        "made the signing key {} without a passphrase, and trust it on this machine; to use "
        "another: "
        "slurm-factory key create, then --signing-key FINGERPRINT",
        key.primary.fingerprint.text());
    return key;
}

trust::Passphrase passphrase_of(const SigningRequest& request) {
    trust::Passphrase passphrase;
    passphrase.from = trust::Passphrase::From::agent;
    if (!request.passphrase_file.empty()) {
        passphrase.from = trust::Passphrase::From::file;
        passphrase.file = request.passphrase_file;
    } else if (request.passphrase_fd >= 0) {
        passphrase.from = trust::Passphrase::From::descriptor;
        passphrase.descriptor = request.passphrase_fd;
    }
    return passphrase;
}

// The one named, else the only one that can sign; none of the two: nullopt.
Result<std::optional<trust::Fingerprint>> wanted_key(const trust::Keyring& keyring,
                                                     const SigningRequest& request) {
    if (!request.fingerprint.empty()) {
        SF_TRY(trust::Fingerprint fingerprint,
               base::during(trust::Fingerprint::from_person(request.fingerprint), "--signing-key"));
        return std::optional(std::move(fingerprint));
    }
    SF_TRY(const std::vector<trust::Key> keys, keyring.list());
    std::vector<trust::Key> usable;
    for (const trust::Key& key : keys)
        if (key.secret && !key.primary.revoked && !key.primary.expired) usable.push_back(key);
    if (usable.empty()) return std::optional<trust::Fingerprint>();
    if (usable.size() == 1) return std::optional(usable.front().primary.fingerprint);
    std::string message = "several keys could sign; say which:";
    for (const trust::Key& key : usable)
        message +=
            fmt::format("\n  --signing-key {}  {}", key.primary.fingerprint.text(),
                        key.user_ids.empty() ? "" : base::escape_untrusted(key.user_ids.front()));
    return base::fail(Code::usage, "{}", message);
}

}  // namespace

base::Status check_signing_request(Session& session, const SigningRequest& request) {
    if (request.passphrase_fd >= 0 && ::fcntl(request.passphrase_fd, F_GETFD) < 0) {
        return base::fail_hint(
            Code::usage,
            fmt::format("--passphrase-fd {}: no such descriptor is open", request.passphrase_fd),
            fmt::format("… --passphrase-fd {0} {0}<FILE", request.passphrase_fd));
    }
    if (!request.passphrase_file.empty())
        SF_CHECK(trust::open_passphrase_file(request.passphrase_file).map([](const base::Fd&) {}));
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(const auto fingerprint, wanted_key(keyring, request));
    if (!fingerprint) return {};
    // Without the passphrase: a pipe gives it only once, to the signer that signs.
    return trust::Signer::create(keyring, *fingerprint, {}).map([](const trust::Signer&) {});
}

Result<trust::Signer> choose_signer(Session& session, const SigningRequest& request) {
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(auto fingerprint, wanted_key(keyring, request));
    if (!fingerprint) {
        SF_TRY(const trust::Key key, make_key(session, keyring));
        fingerprint = key.primary.fingerprint;
    }
    return trust::Signer::create(keyring, *fingerprint, passphrase_of(request));
}

}  // namespace sf::cli
