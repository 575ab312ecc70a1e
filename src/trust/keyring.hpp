// SPDX-License-Identifier: Apache-2.0
// Our own keys: a private GnuPG home where signing keys are made and public keys are brought in.
// Having a key here means nothing for trust (trust_store.hpp). One thread; processes wait for each
// other.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "trust/gpg.hpp"
#include "trust/key.hpp"

namespace sf::trust {

enum class KeyKind { rsa4096, ed25519 };

struct KeyRequest {
    std::string name;
    std::string email;
    KeyKind kind = KeyKind::rsa4096;
    std::string expires = "2y";  // "0": never; a number with d, w, m or y; or YYYY-MM-DD
    Passphrase passphrase;       // From::nothing: unprotected on disk
};

struct ImportResult {
    std::vector<Key> keys;  // what the file holds and we now have
    bool secret = false;
};

// Revocation reasons of OpenPGP.
enum class RevocationReason { none = 0, compromised = 1, superseded = 2, unused = 3 };

class Keyring {
public:
    // <state>/keys/gnupg; made (0700) if absent.
    explicit Keyring(std::filesystem::path home) : x_home(std::move(home)) {}
    [[nodiscard]] const std::filesystem::path& home() const { return x_home; }

    [[nodiscard]] base::Result<Key> create(const KeyRequest& request) const;
    // Absent home: no keys.
    [[nodiscard]] base::Result<std::vector<Key>> list() const;
    [[nodiscard]] base::Result<Key> find(const Fingerprint& fingerprint) const;
    // The same, of a key that can sign and should. Code::refused: revoked, expired or too weak;
    // Code::absent: its secret part is not here.
    [[nodiscard]] base::Result<Key> find_signing(const Fingerprint& fingerprint) const;
    [[nodiscard]] base::Result<std::string> export_public(const Fingerprint& fingerprint) const;
    // Public or secret keys, armoured or binary. Shows what came; trusts nothing.
    [[nodiscard]] base::Result<ImportResult> import(const std::filesystem::path& file) const;
    // What a file holds, without keeping it.
    [[nodiscard]] static base::Result<std::vector<Key>> inspect(const std::filesystem::path& file);
    // Cannot be undone. Returns the revoked public key, to be published and passed to
    // TrustStore::refresh.
    [[nodiscard]] base::Result<std::string> revoke(const Fingerprint& fingerprint,
                                                   RevocationReason reason,
                                                   const Passphrase& passphrase) const;

private:
    std::filesystem::path x_home;
};

// The rules for user ids and expiry; nothing in them may become a line of gpg's parameter file.
[[nodiscard]] base::Status check_key_request(const KeyRequest& request);

}  // namespace sf::trust
