// SPDX-License-Identifier: Apache-2.0
// Runs plans with Docker, for machines where bubblewrap cannot: no network, a read-only root, no
// capabilities, an unprivileged user, limits. The same plan leaves the same bytes as with
// bubblewrap. What differs: no descriptors can be passed, system calls are filtered by Docker's own
// profile only, and whoever may talk to the Docker daemon is as good as root. Knows nothing of
// packages. Thread-safe.
#pragma once

#include <chrono>
#include <set>

#include "base/files.hpp"
#include "base/synced.hpp"
#include "sandbox/runner.hpp"
#include "sandbox/uid_lease.hpp"

namespace sf::sandbox {

struct DockerOptions {
    std::string host;  // "unix:///run/docker.sock"; empty: docker's own default
    UidLender uids;
    std::chrono::milliseconds watch_interval{2000};
    std::uint64_t free_reserve = std::uint64_t{256} << 20;
};

class DockerRunner : public Runner {
public:
    explicit DockerRunner(DockerOptions options = {}) : x_options(std::move(options)) {}

    base::Result<std::unique_ptr<Lease>> lease() override;
    base::Result<RunResult> run(const Lease& lease, const SandboxPlan& plan, int log_fd) override;
    [[nodiscard]] base::Identity user_inside(const Lease& lease) const override;
    [[nodiscard]] bool passes_descriptors() const override { return false; }
    // Is there a daemon, and does it answer?
    base::Status probe() override;

private:
    base::Result<std::string> image_of(const base::fs::path& root);

    DockerOptions x_options;
    base::Synced<std::set<std::string>> x_images;  // known to be there
};

}  // namespace sf::sandbox
