// SPDX-License-Identifier: Apache-2.0
#include "trust/keyring.hpp"

#include <algorithm>
#include <ctime>
#include <memory>
#include <regex>

#include "base/text.hpp"
#include "trust/armor.hpp"
#include "trust/kept_agent.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t max_key_file = std::uint64_t{16} << 20;

// "2031-02-28", after today.
bool is_day_to_come(const std::string& text) {
    std::tm day{};
    day.tm_year = std::stoi(text.substr(0, 4)) - 1900;
    day.tm_mon = std::stoi(text.substr(5, 2)) - 1;
    day.tm_mday = std::stoi(text.substr(8, 2));
    // A day that does not exist comes back as another.
    return base::utc_date(::timegm(&day)) == text && text > base::utc_date(std::time(nullptr));
}

bool printable(std::string_view text) { return base::escape_untrusted(text) == text; }

const std::vector<std::string>& listing_arguments() {
    static const std::vector<std::string> arguments{"--with-colons", "--fixed-list-mode",
                                                    "--with-subkey-fingerprint"};
    return arguments;
}

base::Result<std::vector<Key>> list_with(GpgSession& session, const Passphrase* passphrase,
                                         std::string_view verb) {
    GpgCall call;
    call.arguments = listing_arguments();
    call.arguments.emplace_back(verb);
    call.passphrase = passphrase;
    SF_TRY(const base::Finished finished, session.run_ok(call));
    return parse_key_listing(finished.out);
}

base::Result<std::vector<Key>> list_in(GpgSession& session, const fs::path& home) {
    SF_TRY(std::vector<Key> keys, list_with(session, nullptr, "--list-keys"));
    // Only the agent knows which of them we can sign with: none is started where there is no
    // secret.
    SF_TRY(const std::vector<std::string> names,
           base::list_dir_if_exists(home / "private-keys-v1.d"));
    if (names.empty()) return keys;
    const Passphrase nothing;
    SF_TRY(const std::vector<Key> secret, list_with(session, &nothing, "--list-secret-keys"));
    for (Key& key : keys) {
        key.secret = std::ranges::any_of(secret, [&](const Key& other) {
            return other.primary.fingerprint == key.primary.fingerprint;
        });
    }
    return keys;
}

// "[GNUPG:] <keyword> … <fingerprint>": the last word of the first such line.
base::Result<Fingerprint> fingerprint_from_status(std::string_view out, std::string_view keyword) {
    const std::string start = fmt::format("[GNUPG:] {} ", keyword);
    for (const std::string& line : base::split(out, '\n')) {
        if (line.starts_with(start)) return Fingerprint::parse(base::split(line, ' ').back());
    }
    return base::fail(base::Code::failed, "gpg did not say {}", keyword);
}

base::Result<std::string> export_from(GpgSession& session, const Fingerprint& fingerprint) {
    SF_TRY(base::Finished finished,
           session.run_ok({.arguments = {"--armor", "--export", fingerprint.text()}}));
    if (finished.out.empty()) {
        return base::fail_hint(base::Code::absent,
                               fmt::format("there is no key {} here", fingerprint.text()),
                               "slurm-factory key list");
    }
    return std::move(finished.out);
}

}  // namespace

base::Status check_key_request(const KeyRequest& request) {
    if (request.name.size() < 5 || request.name.size() > 100 || !printable(request.name) ||
        request.name.find_first_of("<>()\"%") != std::string::npos ||
        base::trim(request.name) != request.name ||
        (request.name[0] >= '0' && request.name[0] <= '9')) {
        return base::fail(base::Code::usage,
                          "the key's name must have 5 to 100 printable characters, without "
                          "<>()\"%, not beginning with a digit: \"{}\"",
                          base::escape_untrusted(request.name));
    }
    static const std::regex email(R"([A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,100})");
    if (!std::regex_match(request.email, email)) {
        return base::fail(base::Code::usage, "\"{}\" is not an email address",
                          base::escape_untrusted(request.email));
    }
    static const std::regex expires(R"(0|[1-9][0-9]{0,4}[dwmy]|[0-9]{4}-[0-9]{2}-[0-9]{2})");
    if (!std::regex_match(request.expires, expires)) {
        return base::fail(base::Code::usage,
                          "\"{}\" is not an expiry: 0 (never), 90d, 12w, 6m, 2y or YYYY-MM-DD",
                          base::escape_untrusted(request.expires));
    }
    if (request.expires.size() == 10 && !is_day_to_come(request.expires)) {
        return base::fail(base::Code::usage,
                          "\"{}\" is not an expiry: that day is past, or is none", request.expires);
    }
    return {};
}

base::Result<Key> Keyring::create(const KeyRequest& request) const {
    SF_CHECK(check_key_request(request));
    std::string parameters = request.kind == KeyKind::rsa4096
                                 ? "Key-Type: RSA\nKey-Length: 4096\n"
                                 : "Key-Type: eddsa\nKey-Curve: ed25519\n";
    parameters += "Key-Usage: sign,cert\n";
    parameters += fmt::format("Name-Real: {}\nName-Email: {}\nExpire-Date: {}\n", request.name,
                              request.email, request.expires);
    if (request.passphrase.from == Passphrase::From::nothing) parameters += "%no-protection\n";
    parameters += "%commit\n";
    using From = Passphrase::From;
    Passphrase passphrase = request.passphrase;
    base::Fd checked;
    if (passphrase.from == From::file || passphrase.from == From::descriptor) {
        SF_TRY(checked, passphrase_for_new_key(passphrase));
        passphrase.from = From::descriptor;
        passphrase.descriptor = checked.get();
    }
    SF_TRY(GpgSession session, GpgSession::open(x_home));
    SF_TRY(const base::Finished finished,
           base::during(session.run_ok({.arguments = {"--status-fd", "1", "--full-generate-key"},
                                        .input = parameters,
                                        .passphrase = &passphrase,
                                        .deadline = std::chrono::minutes(3)}),
                        "creating a key"));
    SF_TRY(const Fingerprint fingerprint, fingerprint_from_status(finished.out, "KEY_CREATED"));
    SF_TRY(const std::vector<Key> keys, list_in(session, x_home));
    for (const Key& key : keys) {
        if (key.primary.fingerprint == fingerprint) return key;
    }
    return base::fail(base::Code::failed, "gpg made the key {} but does not list it",
                      fingerprint.text());
}

base::Result<std::vector<Key>> Keyring::list() const {
    if (!base::exists(x_home)) return std::vector<Key>{};
    SF_TRY(GpgSession session, GpgSession::open(x_home));
    return list_in(session, x_home);
}

base::Result<Key> Keyring::find(const Fingerprint& fingerprint) const {
    SF_TRY(const std::vector<Key> keys, list());
    for (const Key& key : keys) {
        if (key.part(fingerprint.text()) != nullptr) return key;
    }
    return base::fail_hint(base::Code::absent,
                           fmt::format("there is no key {} here", fingerprint.text()),
                           "slurm-factory key list");
}

base::Result<Key> Keyring::find_signing(const Fingerprint& fingerprint) const {
    SF_TRY(Key key, find(fingerprint));
    if (!key.secret) {
        return base::fail(base::Code::absent, "the key {} is public only: it cannot sign",
                          fingerprint.text());
    }
    const KeyPart* part = key.part(fingerprint.text());
    if (part->revoked || part->expired || key.primary.revoked || key.primary.expired) {
        return base::fail(base::Code::refused, "the key {} is {}: it does not sign any more",
                          fingerprint.text(),
                          part->revoked || key.primary.revoked ? "revoked" : "expired");
    }
    if (!strong_enough(*part) || !strong_enough(key.primary)) {
        return base::fail(base::Code::refused, "the key {} is too weak: {}", fingerprint.text(),
                          algorithm_text(*part));
    }
    return key;
}

base::Result<std::string> Keyring::export_public(const Fingerprint& fingerprint) const {
    SF_TRY(GpgSession session, GpgSession::open(x_home));
    return export_from(session, fingerprint);
}

base::Result<std::vector<Key>> Keyring::inspect(const fs::path& file) {
    SF_TRY(const std::string read, base::read_file(file, max_key_file));
    const std::string text = with_checksums(read);
    SF_TRY(GpgSession session, GpgSession::scratch());
    GpgCall call;
    call.arguments = listing_arguments();
    // With another model gpg 2.2 asks its trust database about a revoked key, finds none in an
    // empty home, and dies.
    for (const char* word : {"--trust-model", "direct", "--show-keys"})
        call.arguments.emplace_back(word);
    call.input = text;
    SF_TRY(const base::Finished finished, session.run(call));
    SF_TRY(std::vector<Key> keys, parse_key_listing(finished.out));
    if (keys.empty()) {
        return base::fail_hint(base::Code::corrupt,
                               base::escape_untrusted(file.string()) + " holds no OpenPGP key",
                               "slurm-factory key export FINGERPRINT -o FILE, where the key is");
    }
    return keys;
}

base::Result<ImportResult> Keyring::import(const fs::path& file) const {
    ImportResult result;
    SF_TRY(result.keys, inspect(file));
    result.secret = std::ranges::any_of(result.keys, &Key::secret);
    SF_TRY(const std::string read, base::read_file(file, max_key_file));
    const std::string text = with_checksums(read);
    SF_TRY(GpgSession session, GpgSession::open(x_home));
    GpgCall call;
    call.arguments = {"--import"};
    call.input = text;
    const Passphrase nothing;
    if (result.secret) call.passphrase = &nothing;  // a protected key stays as protected as it was
    SF_CHECK(
        base::during(session.run_ok(call), "importing " + base::escape_untrusted(file.string()))
            .map([](const base::Finished&) {}));
    // As we have them now: merged with what was here, revocations included.
    SF_TRY(const std::vector<Key> all, list_in(session, x_home));
    for (Key& key : result.keys) {
        const auto found = std::ranges::find_if(all, [&](const Key& other) {
            return other.primary.fingerprint == key.primary.fingerprint;
        });
        if (found == all.end()) {
            return base::fail(base::Code::corrupt, "gpg did not accept the key {}",
                              key.primary.fingerprint.text());
        }
        key = *found;
    }
    return result;
}

base::Result<std::string> Keyring::revoke(const Fingerprint& fingerprint, RevocationReason reason,
                                          const Passphrase& passphrase) const {
    std::unique_ptr<KeptAgent> agent;  // ends after the session
    if (passphrase.from == Passphrase::From::agent) {
        SF_TRY(agent, KeptAgent::of(x_home));
    }
    SF_TRY(GpgSession session, GpgSession::open(x_home, agent.get()));
    SF_TRY(const std::vector<Key> keys, list_in(session, x_home));
    const auto key = std::ranges::find_if(
        keys, [&](const Key& other) { return other.primary.fingerprint == fingerprint; });
    if (key == keys.end() || !key->secret) {
        return base::fail(base::Code::absent, "there is no secret key {} here", fingerprint.text());
    }
    // --gen-revoke asks: create? reason? text (until an empty line)? is this right?
    const std::string answers = fmt::format("y\n{}\n\ny\n", static_cast<int>(reason));
    // --command-fd and stdin: --no-batch, because gpg refuses the question in batch mode.
    base::Result<base::Finished> certificate =
        base::during(session.run_ok({.arguments = {"--no-batch", "--command-fd", "0", "--armor",
                                                   "--gen-revoke", fingerprint.text()},
                                     .input = answers,
                                     .passphrase = &passphrase}),
                     "making a revocation certificate");
    if (!certificate) {
        // gpg has said what; there is little else that it could be.
        if (certificate.error().code == base::Code::failed)
            certificate.error().hint = ways_to_unlock;
        return tl::unexpected(std::move(certificate).error());
    }
    SF_CHECK(base::during(session.run_ok({.arguments = {"--import"}, .input = certificate->out}),
                          "revoking " + fingerprint.text())
                 .map([](const base::Finished&) {}));
    return export_from(session, fingerprint);
}

}  // namespace sf::trust
