// SPDX-License-Identifier: Apache-2.0
// A signer in a process of its own: this program, executed anew before anything of upstream runs,
// with an empty environment and one socket. It alone gets the passphrase; this side asks. The
// process ends with the object, with this process, or when the socket closes. Thread-safe: one
// question at a time.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "trust/signer.hpp"
#include "trust/signer_wire.hpp"

namespace sf::trust {

// The word after the program's name that makes it the signer, and where its socket is then.
inline constexpr const char* signer_verb = "signer";
inline constexpr int signer_socket = 3;

struct SignerStart {
    std::filesystem::path home;  // the private GnuPG home
    std::vector<SignerKey> keys;
    int passphrase_descriptor = -1;  // borrowed, for those whose passphrase is there
    std::filesystem::path program = "/proc/self/exe";
};

class SignerProcess : public Signer {
public:
    [[nodiscard]] static base::Result<std::unique_ptr<SignerProcess>> start(
        const SignerStart& start);
    SignerProcess(const SignerProcess&) = delete;
    SignerProcess& operator=(const SignerProcess&) = delete;
    SignerProcess(SignerProcess&&) = delete;
    SignerProcess& operator=(SignerProcess&&) = delete;
    ~SignerProcess() override;

    [[nodiscard]] const Fingerprint& fingerprint() const override { return *x_fingerprint; }
    [[nodiscard]] std::vector<Fingerprint> primaries() const override { return x_primaries; }
    [[nodiscard]] base::Result<std::string> sign(Paper paper, std::string_view text) const override;
    [[nodiscard]] base::Result<std::string> sign_bundle(int descriptor) const override;
    [[nodiscard]] base::Status admit(Evidence evidence, std::string_view text) const override;
    [[nodiscard]] base::Status admit_file(int descriptor) const override;

    [[nodiscard]] pid_t pid() const { return x_child.pid(); }

private:
    struct Answer {
        SignerReply reply;
        std::string body;
    };
    SignerProcess(base::Child child, base::Fd socket)
        : x_child(std::move(child)), x_socket(std::move(socket)) {}
    [[nodiscard]] base::Status begin(const SignerStart& start);
    [[nodiscard]] base::Result<Answer> ask(const SignerRequest& request, int descriptor) const;
    [[nodiscard]] base::Result<Answer> await() const;

    base::Child x_child;
    base::Fd x_socket;
    mutable std::mutex x_one_question;
    mutable bool x_lost = false;  // an answer may still come to what nobody waits for any more
    std::optional<Fingerprint> x_fingerprint;
    std::vector<Fingerprint> x_primaries;
};

}  // namespace sf::trust
