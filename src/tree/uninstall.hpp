// SPDX-License-Identifier: Apache-2.0
// Removes one version, one generation, or everything, from a prefix, with the packages that nothing
// else there needs. Not what is current, unless it is everything; not what a process of this host,
// or another host by its lease, runs from. The services of a machine are deploy/uninstall.hpp's.
// One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "tree/removal.hpp"

namespace sf::tree {

struct UninstallRequest {
    std::string version;           // this one, with all its generations; or
    std::uint64_t generation = 0;  // this one; or
    bool all = false;              // everything that was installed
    bool no_other_hosts = false;   // said by whoever knows
    std::int64_t now = 0;
    RemovalOptions options;
};

struct UninstallPlan {
    std::filesystem::path prefix;
    Removal removal;
    std::uint64_t bytes = 0;
    std::size_t unseen = 0;  // processes of other users that we may not look at
};

// What would go, or why not. Changes nothing.
[[nodiscard]] base::Result<UninstallPlan> plan_uninstall(const std::filesystem::path& prefix,
                                                         const UninstallRequest& request);
[[nodiscard]] base::Result<UninstallPlan> uninstall(const std::filesystem::path& prefix,
                                                    const UninstallRequest& request);

}  // namespace sf::tree
