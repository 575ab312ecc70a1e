// SPDX-License-Identifier: Apache-2.0
// Finds the package that a command is to install: in a cache that is named; the newest of several
// that are named; or in the first of those listed on this machine that has it; or exactly what a
// lock file names. All of it comes from one cache, and counts by the keys of that one. Installs
// nothing. One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cache/objects.hpp"
#include "cli/cache_choice.hpp"
#include "install/mirror_reader.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct PackageSearch {
    std::string spec;  // "slurm@25.11"; may be empty with `frozen`
    // Names or places; none: those that are listed.
    std::vector<std::string> caches;
    std::string toolchain;         // empty: this machine's
    std::string target;            // for processors of this level; empty: this machine's
    std::string frozen;            // a lock file
    std::filesystem::path prefix;  // what is installed there need not be in a cache; may be empty
    TrustChoice trust;
    bool accept_expired = false;
    bool offline = false;  // only from folders
    // What nobody trusted has signed, too, from a cache whose list says so as well.
    bool allow_unsigned = false;
    bool is_origin = false;  // what is found is passed on (check_origin)
};

// Where it was found, and what was found.
struct FoundPackage {
    CacheTrust trust;
    std::string cache;   // what the user calls it; empty: it has no name here
    std::string mirror;  // "bookworm/slurm/25.11"
    std::unique_ptr<cache::SubBackend> main;
    std::unique_ptr<cache::SubBackend> dependencies;
    install::Resolved package;
};

// --cache, for the verbs that look for a package so.
void add_search_caches(CLI::App& app, PackageSearch& search, const char* first_word);

[[nodiscard]] base::Result<FoundPackage> find_package(Session& session,
                                                      const PackageSearch& search);

}  // namespace sf::cli
