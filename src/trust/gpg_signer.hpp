// SPDX-License-Identifier: Apache-2.0
// Makes signatures, detached or around a text, by gpg. Forces SHA-512. Several keys sign together
// while one of them is being replaced: each has a passphrase of its own, so each signs by itself
// and the packets are put into one block. Knows nothing of what is signed, and signs whatever it is
// given: in the program only the signer's process has one (signer_service.cpp). One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trust/kept_agent.hpp"
#include "trust/keyring.hpp"
#include "trust/signer.hpp"

namespace sf::trust {

class GpgSigner : public Signer {
public:
    // `fingerprint`: of a primary key (its newest signing subkey signs) or of one subkey. A
    // descriptor with a passphrase is read here, once, and an agent is asked once: make one signer
    // a run.
    [[nodiscard]] static base::Result<GpgSigner> create(const Keyring& keyring,
                                                        const Fingerprint& fingerprint,
                                                        Passphrase passphrase);

    // This one signs, too, whatever is signed from now on. Code::usage: its key does already.
    base::Status also(GpgSigner other);

    [[nodiscard]] const Fingerprint& fingerprint() const override { return x_fingerprint; }
    [[nodiscard]] std::vector<Fingerprint> primaries() const override;
    [[nodiscard]] base::Result<std::string> sign(Paper paper, std::string_view text) const override;
    [[nodiscard]] base::Result<std::string> sign_bundle(int descriptor) const override {
        return sign(descriptor);
    }
    // Nothing is asked for here, so nothing is looked at.
    [[nodiscard]] base::Status admit(Evidence, std::string_view) const override { return {}; }
    [[nodiscard]] base::Status admit_file(int) const override { return {}; }

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
    GpgSigner(std::filesystem::path home, Key key, Fingerprint fingerprint, Passphrase passphrase,
              base::Fd held, std::unique_ptr<KeptAgent> agent)
        : x_home(std::move(home)),
          x_key(std::move(key)),
          x_fingerprint(std::move(fingerprint)),
          x_passphrase(std::move(passphrase)),
          x_held(std::move(held)),
          x_agent(std::move(agent)) {}
    [[nodiscard]] base::Status rewind_passphrase() const;
    [[nodiscard]] base::Result<std::string> sign_alone(int descriptor) const;
    [[nodiscard]] base::Result<std::string> clearsign_alone(std::string_view text) const;
    // What gpg writes; `descriptor` or, if it is -1, `input` is signed.
    [[nodiscard]] base::Result<std::string> run_gpg(const Kind& kind, int descriptor,
                                                    std::string_view input) const;

    std::filesystem::path x_home;
    Key x_key;
    Fingerprint x_fingerprint;
    Passphrase x_passphrase;
    base::Fd x_held;                     // what x_passphrase.descriptor names, if anything
    std::unique_ptr<KeptAgent> x_agent;  // for Passphrase::From::agent
    std::vector<GpgSigner> x_also;
};

}  // namespace sf::trust
