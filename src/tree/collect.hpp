// SPDX-License-Identifier: Apache-2.0
// gc: removes from a prefix what is old and what nothing needs. Kept is what is current, what a
// rollback would go back to, what is younger than it is told, what this host or, by its lease,
// another runs from. Where other hosts may run from the prefix and do not say what, nothing is
// removed. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "tree/removal.hpp"

namespace sf::tree {

inline constexpr std::int64_t seconds_a_day = 86'400;
inline constexpr std::int64_t days_kept = 60;

struct CollectOptions {
    std::int64_t now = 0;
    std::int64_t keep_days = days_kept;
    bool no_other_hosts = false;  // said by whoever knows
    RemovalOptions removal;
};

struct CollectPlan {
    std::filesystem::path prefix;  // resolved
    Removal removal;
    std::vector<Kept> kept;  // what is old, and stays
    std::uint64_t bytes = 0;
    std::size_t unseen = 0;  // processes of other users that we may not look at
};

// What would go. Changes nothing.
[[nodiscard]] base::Result<CollectPlan> plan_collection(const std::filesystem::path& prefix,
                                                        const CollectOptions& options);
// Does it; the plan that was carried out.
[[nodiscard]] base::Result<CollectPlan> collect(const std::filesystem::path& prefix,
                                                const CollectOptions& options);

}  // namespace sf::tree
