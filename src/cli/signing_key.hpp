// SPDX-License-Identifier: Apache-2.0
// Which key signs what is built here: the one named, else the only secret key there is, else one
// that is made now, and said so; while a key is being replaced, both. Used by commands that sign.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/session.hpp"
#include "publish/signing_plan.hpp"
#include "trust/keyring.hpp"
#include "trust/signer_process.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct SigningRequest {
    // --signing-key: all of these sign, as while one is being replaced by another
    std::vector<std::string> fingerprints;
    // --passphrase-file: one for all, or one for each in the order of the keys
    std::vector<std::string> passphrase_files;
    int passphrase_fd = -1;  // --passphrase-fd
};

void add_signing_options(CLI::App& app, SigningRequest& request);
// --passphrase-file and --passphrase-fd alone.
void add_passphrase_options(CLI::App& app, SigningRequest& request);
// Of the key that is named as the `index`-th.
[[nodiscard]] trust::Passphrase passphrase_of(const SigningRequest& request, std::size_t index = 0);

// Call before anything else is opened, and before an hour of building: is the descriptor that was
// named really open (later its number could be one of our own files), is the file there and
// private, can the key sign? Makes no key.
[[nodiscard]] base::Status check_signing_request(Session& session, const SigningRequest& request);

// Tells the agent's pinentry which terminal is ours (GPG_TTY), if that was not said: before
// anything that may ask for a passphrase.
void name_terminal();

[[nodiscard]] trust::Keyring keyring_of(const Session& session);
[[nodiscard]] std::filesystem::path trust_folder(const Session& session);

// Starts the signer, in a process of its own: before anything of upstream runs, and once a run: a
// passphrase that comes through a pipe can be read only once. From then on it is not open here any
// more. A key made here is trusted here, so that what it signs can be verified at once on this
// machine; other machines must be told its fingerprint.
[[nodiscard]] base::Result<std::unique_ptr<trust::SignerProcess>> choose_signer(
    Session& session, const SigningRequest& request);

// What this run will sign; nothing is signed before it was said.
[[nodiscard]] base::Status say_plan(const trust::Signer& signer, const publish::SigningPlan& plan);

}  // namespace sf::cli
