// SPDX-License-Identifier: Apache-2.0
// The signer's side: a process that holds the keys and runs nothing but gpg, and signs what its
// rules let pass. What the papers say is the rules' affair (publish/signing_rules.hpp). One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "trust/signer.hpp"

namespace sf::trust {

// A primary key that signs here.
struct SigningIdentity {
    Fingerprint primary;
    std::string public_key;  // armoured
};

class SigningRules {
public:
    SigningRules() = default;
    SigningRules(const SigningRules&) = delete;
    SigningRules& operator=(const SigningRules&) = delete;
    virtual ~SigningRules() = default;

    // Once, first. `asked`: the key that was asked for first, maybe a subkey of the first of them.
    virtual void begin(const Fingerprint& asked, std::vector<SigningIdentity> who) = 0;
    // Of Evidence::blob the text's digest counts, as below.
    virtual base::Status admit(Evidence evidence, std::string_view text) = 0;
    virtual base::Status admit_blob(const base::Digest& sha256, std::uint64_t size) = 0;
    // May it be signed? Code::refused with what speaks against it.
    virtual base::Status check(Paper paper, std::string_view text) = 0;
    // `descriptor`: a copy that nobody else can write to.
    virtual base::Status check_bundle(int descriptor, const base::Digest& sha256,
                                      std::uint64_t size) = 0;
    // It was; `result` is what the asker gets.
    virtual void signed_paper(Paper paper, std::string_view text, std::string_view result) = 0;
};

// What this process may not do any more: leave a core, be looked into by others of its user, gain
// rights; and it ends, in order, when its parent does.
base::Status lock_signer_down();

// Until the other side closes the socket. An error: it said something that is no request, which
// ends the service; what was refused does not.
base::Status serve_signer(int socket, SigningRules& rules);

}  // namespace sf::trust
