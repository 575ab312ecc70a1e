// SPDX-License-Identifier: Apache-2.0
// Makes signatures, detached or around a text, by gpg in a process of its own that has never run
// anything of upstream. Forces SHA-512. Knows nothing of what is signed. One thread.
#pragma once

#include <string>
#include <string_view>

#include "trust/keyring.hpp"

namespace sf::trust {

class Signer {
public:
    // `fingerprint`: of a primary key (its newest signing subkey signs) or of one subkey. A
    // descriptor with a passphrase is read here, once: make one signer a run.
    [[nodiscard]] static base::Result<Signer> create(const Keyring& keyring,
                                                     const Fingerprint& fingerprint,
                                                     Passphrase passphrase);

    [[nodiscard]] const Fingerprint& fingerprint() const { return x_fingerprint; }

    // The armoured signature of a whole regular file; the offset is rewound.
    [[nodiscard]] base::Result<std::string> sign(int descriptor) const;
    [[nodiscard]] base::Result<std::string> sign_bytes(std::string_view bytes) const;
    // Writes `<file>.asc`, whole or not at all.
    base::Status sign_file(const std::filesystem::path& file) const;
    // The text with its signature around it. What gpg would not give back to the byte is refused
    // before it signs (check_clearsign_text).
    [[nodiscard]] base::Result<std::string> clearsign(std::string_view text) const;

private:
    struct Kind;
    Signer(std::filesystem::path home, Key key, Fingerprint fingerprint, Passphrase passphrase,
           base::Fd held)
        : x_home(std::move(home)),
          x_key(std::move(key)),
          x_fingerprint(std::move(fingerprint)),
          x_passphrase(std::move(passphrase)),
          x_held(std::move(held)) {}
    [[nodiscard]] base::Status rewind_passphrase() const;
    // What gpg writes; `descriptor` or, if it is -1, `input` is signed.
    [[nodiscard]] base::Result<std::string> run_gpg(const Kind& kind, int descriptor,
                                                    std::string_view input) const;

    std::filesystem::path x_home;
    Key x_key;
    Fingerprint x_fingerprint;
    Passphrase x_passphrase;
    base::Fd x_held;  // what x_passphrase.descriptor names, if anything
};

}  // namespace sf::trust
