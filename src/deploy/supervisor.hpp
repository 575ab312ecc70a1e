// SPDX-License-Identifier: Apache-2.0
// A small init for machines without one, such as containers: starts the daemons of a list in order,
// each when the one before listens, starts again what ends by itself, at growing intervals, and on
// SIGTERM ends all in reverse order. A daemon is ended alone, not its children: slurmd's jobs go
// on. One at a time holds the lock on its pid file. One thread; runs real processes, so it is not
// behind the seam.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "deploy/accounts.hpp"
#include "deploy/host.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

inline constexpr std::string_view supervisor_list = "/etc/slurm/supervisor.json";
inline constexpr std::string_view supervisor_pid = "/run/slurm-supervisor.pid";
inline constexpr std::string_view supervisor_log = "/var/log/slurmd/supervisor.log";

// The time before a daemon that ended by itself is started again: 1 s, doubled up to 60; one that
// ran for a minute begins anew.
[[nodiscard]] std::chrono::seconds restart_pause(unsigned failures);

struct SupervisorOptions {
    std::string list{supervisor_list};
    std::string pid_file{supervisor_pid};
    // Lines: "waiting: ..." where it takes long; at the end "ready", or what is wrong.
    int ready_fd = -1;
    bool after_boot = false;  // what waits for another host has its boot_patience
};

// The same daemons for whoever watches them himself: started in order, never again, ended in
// reverse.
class Daemons {
public:
    // Users are looked up in /etc/passwd; a daemon of this process's own user needs no right.
    [[nodiscard]] static base::Result<Daemons> start(const std::vector<Service>& services,
                                                     Host& host, base::Reporter& reporter);
    Daemons(Daemons&&) noexcept;
    Daemons& operator=(Daemons&&) = delete;
    ~Daemons();  // kills those that still run

    [[nodiscard]] base::Status check();  // all still run
    // Fails if one had ended before, or does not end by itself, or not well.
    [[nodiscard]] base::Status end();

private:
    struct Watched;
    explicit Daemons(std::unique_ptr<Watched> watched);
    std::unique_ptr<Watched> x_watched;
};

// Runs until SIGTERM, SIGINT or SIGHUP. Needs no look-up: the numbers of users are in the list.
[[nodiscard]] base::Status supervise(const SupervisorOptions& options, Host& host,
                                     base::Reporter& reporter);

// The pid of the one that holds the lock; nullopt: none runs.
[[nodiscard]] base::Result<std::optional<pid_t>> running_supervisor(const std::string& pid_file);

// Starts `helper supervise` as a daemon, and waits until all of it is up or one of it is not.
// Asked to stop meanwhile it asks the supervisor to end, and does not kill it: a database is in it.
[[nodiscard]] base::Status start_supervisor(
    const std::string& helper, base::Reporter& reporter, bool after_boot,
    const std::string& log_file = std::string(supervisor_log));
// SIGTERM, and waits until it has ended all.
[[nodiscard]] base::Status stop_supervisor(Host& host, const std::string& pid_file);

}  // namespace sf::deploy
