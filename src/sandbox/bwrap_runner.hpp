// SPDX-License-Identifier: Apache-2.0
// Runs plans with bubblewrap: own namespaces, a read-only root, no network, no capabilities, a
// system call filter, limits. Started as root it leases an unprivileged uid per build; real uid 0
// never runs the plan's command. Knows nothing of packages. Thread-safe.
#pragma once

#include <chrono>
#include <memory>

#include "base/files.hpp"
#include "sandbox/runner.hpp"
#include "sandbox/uid_lease.hpp"

namespace sf::sandbox {

struct BwrapOptions {
    UidLender uids;
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
