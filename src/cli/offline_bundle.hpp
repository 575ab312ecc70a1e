// SPDX-License-Identifier: Apache-2.0
// A file made of a cache, as the verbs of `bundle` work on it: judged by whom it is judged by as a
// cache. One thread.
#pragma once

#include <filesystem>
#include <string>

#include "cli/package_search.hpp"
#include "install/offline_verify.hpp"

namespace sf::cli {

struct OfflineChoice {
    std::string file;
    TrustChoice trust;
    std::string sha256;  // that it must have; empty: any
    bool accept_expired = false;
};

// As an installation judges it, and every object of it.
[[nodiscard]] base::Result<install::OfflineVerified> verify_offline_file(
    Session& session, const OfflineChoice& choice);

// For people and programs: what is in it, by whom, and how long it is good for.
void tell_offline_file(Session& session, const std::string& file,
                       const install::OfflineVerified& verified);

}  // namespace sf::cli
