// SPDX-License-Identifier: Apache-2.0
// Whom a command believes: the lists of this user and of the site, a named folder's, or one key
// that a person vouches for. One thread.
#pragma once

#include <string>

#include "cli/session.hpp"
#include "trust/trust_store.hpp"
#include "trust/verdict.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct TrustChoice {
    std::string key;        // only this one, whoever else is trusted
    std::string trust_dir;  // instead of this user's and the site's lists
};

// --key, --trust-dir
void add_trust_options(CLI::App& app, TrustChoice& choice);

// May be nobody. Warnings were said.
[[nodiscard]] base::Result<trust::TrustedKeys> trusted_keys(Session& session,
                                                            const TrustChoice& choice);
// The same of roots, whose lists of revocations count; not narrowed by --key.
[[nodiscard]] base::Result<trust::TrustedKeys> trusted_roots(Session& session,
                                                             const TrustChoice& choice);
// What is said where it is nobody, with the command that mends it.
[[nodiscard]] base::Error nobody_trusted();
// Code::refused if it is nobody, with the command that mends it.
[[nodiscard]] base::Result<trust::Verifier> verifier_of(Session& session,
                                                        const TrustChoice& choice);

[[nodiscard]] base::Result<trust::Verifier> verifier_of(const trust::TrustedKeys& trusted);

// "Release (0123…)": for people.
[[nodiscard]] std::string signer_text(const trust::GoodSignature& signer);

}  // namespace sf::cli
