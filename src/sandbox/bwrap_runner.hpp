// SPDX-License-Identifier: Apache-2.0
// Runs plans with bubblewrap: own namespaces, a read-only root, no network, no capabilities, a
// system call filter, limits. Started as root it leases an unprivileged uid per build; real uid 0
// never runs the plan's command. Knows nothing of packages. Thread-safe.
#pragma once

#include <chrono>
#include <memory>

#include "base/files.hpp"
#include "sandbox/runner.hpp"

namespace sf::sandbox {

struct BwrapOptions {
    // The uids (and gids of the same numbers) leased when started as root. The default lies between
    // the ranges systemd uses (homed ends at 60577, dynamic users start at 61184), below 65536 so
    // that it exists in containers too.
    uid_t first_uid = 60736;
    unsigned uid_count = 256;
    // One lock file a uid; the same for every process of the machine.
    base::fs::path lease_folder = "/run/slurm-factory/uids";
    // How often the disk is looked at.
    std::chrono::milliseconds watch_interval{2000};
    // A run is ended when a file system of its writable binds has less room than this.
    std::uint64_t free_reserve = std::uint64_t{256} << 20;
};

class BwrapRunner : public Runner {
public:
    explicit BwrapRunner(BwrapOptions options = {}) : x_options(std::move(options)) {}

    base::Result<std::unique_ptr<Lease>> lease() override;
    base::Result<RunResult> run(const Lease& lease, const SandboxPlan& plan, int log_fd) override;

    // With our terminal as its input and output, in our session: for people. No deadline.
    base::Result<RunResult> run_interactive(const Lease& lease, const SandboxPlan& plan);

    // Runs a real sandbox that does nothing, with this machine's own programs.
    base::Status probe() override;

private:
    BwrapOptions x_options;
};

}  // namespace sf::sandbox
