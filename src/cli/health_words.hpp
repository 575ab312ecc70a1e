// SPDX-License-Identifier: Apache-2.0
// What verify, fsck, gc and uninstall say, and ask, in the same words. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "cli/session.hpp"
#include "cli/trusted_keys.hpp"
#include "tree/check.hpp"
#include "tree/removal.hpp"

namespace sf::cli {

// Whose signature on a manifest counts. Where nobody is trusted, none is judged, and that is said.
class SignatureJudge {
public:
    [[nodiscard]] static base::Result<SignatureJudge> create(Session& session,
                                                             const TrustChoice& choice);
    // Empty: there is nobody to ask.
    [[nodiscard]] tree::JudgeSignature question() const;

private:
    std::shared_ptr<const trust::Verifier> x_verifier;
    Session* x_session = nullptr;
};

// A line, or an event, for each.
void say_defects(Session& session, const tree::CheckReport& report);
// The error that there are some.
[[nodiscard]] base::Status defects_left(const std::filesystem::path& prefix,
                                        const tree::CheckReport& report);

// --dry-run or not: what goes, what stays and why, and how much it is.
void say_removal(Session& session, const tree::Removal& removal, std::uint64_t bytes, bool done);
[[nodiscard]] base::Json json_of(const tree::Removal& removal);
// Of other users' processes we know nothing.
void say_unseen(Session& session, std::size_t processes);
[[nodiscard]] tree::RemovalOptions removal_options(Session& session);

}  // namespace sf::cli
