// SPDX-License-Identifier: Apache-2.0
// Which distribution a machine runs, by its os-release(5), and what was built for which other it
// runs as well. One rule for who builds and for who installs. Plain values, pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sf::model {

// A release that packages are built for.
struct OsRelease {
    std::string id;          // "debian"
    std::string version_id;  // "12"
};

// What a machine says of itself; empty what it does not say. Nothing of it is to be trusted.
struct RunningOs {
    std::string id;                      // "rocky"
    std::vector<std::string> like;       // "rhel", "centos", "fedora"
    std::string version_id;              // "9.4"
    std::vector<std::string> codenames;  // its own, and of what it is derived from: "noble"
    std::string title;                   // "Rocky Linux 9.4 (Blue Onyx)"
};

// What is not well formed counts as not said.
[[nodiscard]] RunningOs parse_os_release(std::string_view text);

// For people, fit for a terminal; "a system that os-release does not name".
[[nodiscard]] std::string title_of(const RunningOs& system);

// From the nearest: the release itself, a point release of it, another rebuild of the same sources
// (RHEL's), a system that is derived from it and says of which by a codename (Mint's of Ubuntu).
enum class Kinship { none, derived, rebuild, point_release, same };

// What `release` is to the machine. `family`: "debian", "ubuntu", "el"; `codename`: that of the
// release, may be empty. Whatever is not none runs what was built for it, but for libraries that
// are not installed.
[[nodiscard]] Kinship kinship(const RunningOs& system, const OsRelease& release,
                              std::string_view family, std::string_view codename);

}  // namespace sf::model
