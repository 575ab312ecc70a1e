// SPDX-License-Identifier: Apache-2.0
// Puts what was found in a cache, or in a file made of one, into a prefix, and tells what was done:
// for the verbs that install. One thread.
#pragma once

#include <filesystem>
#include <string>

#include "cli/package_search.hpp"

namespace sf::cli {

struct InstallRequest {
    PackageSearch search;
    std::string prefix;
    std::string write_lock;  // a file
    bool keep_view = false;
    bool dry_run = false;
};

[[nodiscard]] base::Status install_package(Session& session, const InstallRequest& options);

// For people, once a version is in a prefix: where its programs are, and how a cluster gets started
// from it where its installer came along.
void say_how_to_use(Session& session, const std::filesystem::path& prefix,
                    const std::string& version);

}  // namespace sf::cli
