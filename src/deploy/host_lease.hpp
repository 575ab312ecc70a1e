// SPDX-License-Identifier: Apache-2.0
// The lease of this host on a tree that several hosts share (docs/formats/store.md): its part of
// slurm_install.sh, and `slurm-setup lease`, by which a unit of systemd, or the supervisor, renews
// it. Reads and writes the real disk, so it is not behind the seam. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"

namespace sf::deploy {

// Renewed often enough that one failure, or two, let none end.
inline constexpr int lease_hours = 24;
inline constexpr int renewal_hours = 6;

// By which systemd renews it; with the service that it starts.
inline constexpr std::string_view lease_timer = "slurm-factory-lease.timer";
[[nodiscard]] inline bool is_of_the_lease(std::string_view unit_path) {
    return unit_path.find("/slurm-factory-lease.") != unit_path.npos;
}

// Why other hosts may run from the tree, which need not be there yet; empty: none is known of.
[[nodiscard]] base::Result<std::string> why_tree_is_shared(const std::filesystem::path& tree);

struct LeaseOptions {
    std::filesystem::path tree;
    bool keep = false;   // again and again, until asked to stop
    bool print = false;  // to standard output, where this host may not write to the tree
    int hours = lease_hours;
};
// "[--keep | --print] [--hours=N] TREE"
[[nodiscard]] base::Result<LeaseOptions> parse_lease(const std::vector<std::string>& words);

// Writes it once; with `keep` a failure is a warning, and what failed is tried again later.
[[nodiscard]] base::Status hold_lease(const LeaseOptions& options, base::Reporter& reporter);

// The file that this host's lease is, or would be.
[[nodiscard]] base::Result<std::filesystem::path> lease_path(const std::filesystem::path& tree);

// Takes this host's lease back, unless something still runs from the tree, jobs for instance: then
// it is renewed once more, and that is said.
[[nodiscard]] base::Status end_lease(const std::filesystem::path& tree, base::Reporter& reporter);

}  // namespace sf::deploy
