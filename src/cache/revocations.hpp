// SPDX-License-Identifier: Apache-2.0
// The list of revocations of a place (docs/formats/revocations.md), asked for before anything else
// of it is believed, and what this machine remembers of it. What a list says is
// trust/revocation_list.hpp. Any number of processes may share the memory; one thread for each
// call.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "cache/backend.hpp"
#include "trust/revocation_list.hpp"
#include "trust/verdict.hpp"

namespace sf::cache {

struct RevocationOptions {
    const trust::Verifier* roots = nullptr;        // borrowed; nobody: no list is asked for
    std::vector<std::string> root_fingerprints{};  // theirs: whose lists were seen in files
    std::filesystem::path memory;  // the folder of what is remembered; empty: nothing
    std::int64_t now = 0;          // seconds since 1970
    bool required = false;         // a place without one is refused
    bool accept_expired = false;
    std::int64_t max_age = 0;  // seconds it is good for, whatever it says; 0: as it says
};

// `place`: the whole of it, not one mirror. An empty list (serial 0) where there is none and none
// was seen. Code::refused: signed by no root of ours, older than the one seen before, gone, or
// expired. What is accepted is remembered, durably, before this returns.
[[nodiscard]] base::Result<trust::RevocationList> read_revocations(Backend& place,
                                                                   const RevocationOptions& options,
                                                                   base::Reporter& reporter);

// Puts a signed list there: on the condition that nobody changed it meanwhile, and that it is newer
// than what is there, which has to be signed by a root as well. False: it was there already.
[[nodiscard]] base::Result<bool> put_revocations(Backend& place, const std::string& signed_text,
                                                 const trust::Verifier& roots, std::int64_t now);

}  // namespace sf::cache
