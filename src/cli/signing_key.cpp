// SPDX-License-Identifier: Apache-2.0
#include "cli/signing_key.hpp"

#include <CLI/CLI.hpp>

#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
using base::Status;

void add_signing_options(CLI::App& app, SigningRequest& request) {
    app.add_option(
           "--signing-key", request.fingerprints,
           "Full fingerprint of the key that signs (default: the only secret key, or a new one); "
           "given again, both sign")
        ->envname("SLURM_FACTORY_SIGNING_KEY")
        ->allow_extra_args(false)
        ->type_name("FINGERPRINT");
    add_passphrase_options(app, request);
}

void add_passphrase_options(CLI::App& app, SigningRequest& request) {
    auto* file = app.add_option("--passphrase-file", request.passphrase_files,
                                "The key's passphrase is in this file (mode 0600); for several "
                                "keys once, or once for each")
                     ->allow_extra_args(false)
                     ->type_name("FILE");
    app.add_option("--passphrase-fd", request.passphrase_fd,
                   "The key's passphrase comes from this open file descriptor")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("N")
        ->excludes(file);
}

void name_terminal() {
    const char* terminal = ::ttyname(0);
    if (terminal != nullptr) ::setenv("GPG_TTY", terminal, 0);
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

// Those named, else the only one that can sign; none of the two: empty.
Result<std::vector<trust::Fingerprint>> wanted_keys(const trust::Keyring& keyring,
                                                    const SigningRequest& request) {
    std::vector<trust::Fingerprint> wanted;
    for (const std::string& named : request.fingerprints) {
        SF_TRY(trust::Fingerprint fingerprint,
               base::during(trust::Fingerprint::from_person(named), "--signing-key"));
        wanted.push_back(std::move(fingerprint));
    }
    if (!wanted.empty()) return wanted;
    SF_TRY(const std::vector<trust::Key> keys, keyring.list());
    std::vector<trust::Key> usable;
    for (const trust::Key& key : keys)
        if (key.secret && !key.primary.revoked && !key.primary.expired) usable.push_back(key);
    if (usable.empty()) return wanted;
    if (usable.size() == 1) return std::vector{usable.front().primary.fingerprint};
    std::string message = "several keys could sign; say which:";
    for (const trust::Key& key : usable)
        message +=
            fmt::format("\n  --signing-key {}  {}", key.primary.fingerprint.text(),
                        key.user_ids.empty() ? "" : base::escape_untrusted(key.user_ids.front()));
    return base::fail(Code::usage, "{}", message);
}

// Its number stays taken, so that it is never that of another file.
Status close_passphrase(int descriptor) {
    SF_TRY(const base::Fd nothing, base::open_file("/dev/null", O_RDONLY));
    if (::dup3(nothing.get(), descriptor, descriptor > 2 ? O_CLOEXEC : 0) < 0)
        return base::fail_errno(errno, "close the passphrase's descriptor");
    return {};
}

}  // namespace

trust::Passphrase passphrase_of(const SigningRequest& request, std::size_t index) {
    trust::Passphrase passphrase;
    passphrase.from = trust::Passphrase::From::agent;
    const std::vector<std::string>& files = request.passphrase_files;
    if (!files.empty()) {
        passphrase.from = trust::Passphrase::From::file;
        passphrase.file = files.size() == 1 ? files.front() : files.at(index);
    } else if (request.passphrase_fd >= 0) {
        passphrase.from = trust::Passphrase::From::descriptor;
        passphrase.descriptor = request.passphrase_fd;
    }
    return passphrase;
}

base::Status check_signing_request(Session& session, const SigningRequest& request) {
    if (request.passphrase_fd >= 0 && ::fcntl(request.passphrase_fd, F_GETFD) < 0) {
        return base::fail_hint(
            Code::usage,
            fmt::format("--passphrase-fd {}: no such descriptor is open", request.passphrase_fd),
            fmt::format("… --passphrase-fd {0} {0}<FILE", request.passphrase_fd));
    }
    const std::vector<std::string>& files = request.passphrase_files;
    if (files.size() > 1 && files.size() != request.fingerprints.size())
        return base::fail_hint(Code::usage,
                               fmt::format("{} passphrase files for {} keys", files.size(),
                                           request.fingerprints.size()),
                               "--passphrase-file once for all of them, or once for each in the "
                               "order of --signing-key");
    for (const std::string& file : files)
        SF_CHECK(trust::open_passphrase_file(file).map([](const base::Fd&) {}));
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(const std::vector<trust::Fingerprint> wanted, wanted_keys(keyring, request));
    for (const trust::Fingerprint& each : wanted)
        SF_CHECK(keyring.find_signing(each).map([](const trust::Key&) {}));
    return {};
}

Result<std::unique_ptr<trust::SignerProcess>> choose_signer(Session& session,
                                                            const SigningRequest& request) {
    const trust::Keyring keyring = keyring_of(session);
    SF_TRY(std::vector<trust::Fingerprint> wanted, wanted_keys(keyring, request));
    if (wanted.empty()) {
        SF_TRY(const trust::Key key, make_key(session, keyring));
        wanted.push_back(key.primary.fingerprint);
    }
    trust::SignerStart start;
    std::error_code error;
    start.home = std::filesystem::absolute(keyring.home(), error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const trust::Passphrase passphrase = passphrase_of(request, i);
        trust::SignerKey key{wanted[i].text(), passphrase.from, {}};
        if (passphrase.from == trust::Passphrase::From::file) {
            key.file = std::filesystem::absolute(passphrase.file, error).string();
            if (error) return base::fail_errno(error.value(), "find the current folder");
        }
        if (passphrase.from == trust::Passphrase::From::descriptor)
            start.passphrase_descriptor = passphrase.descriptor;
        start.keys.push_back(std::move(key));
    }
    name_terminal();
    SF_TRY(std::unique_ptr<trust::SignerProcess> signer, trust::SignerProcess::start(start));
    if (start.passphrase_descriptor >= 0) SF_CHECK(close_passphrase(start.passphrase_descriptor));
    return signer;
}

Status say_plan(const trust::Signer& signer, const publish::SigningPlan& plan) {
    SF_TRY(const std::string text, publish::to_json(plan));
    return base::during(signer.admit(trust::Evidence::plan, text),
                        "telling the signer what will be signed");
}

}  // namespace sf::cli
