// SPDX-License-Identifier: Apache-2.0
// Unprivileged uids lent to builds started by root, one each, so that limits and signals of one
// build reach no other. A lock file a uid makes the loan exclusive on the whole machine; the kernel
// ends the loan when its holder dies. Thread-safe.
#pragma once

#include <memory>
#include <utility>

#include "base/files.hpp"
#include "sandbox/runner.hpp"

namespace sf::sandbox {

// Whom builds become, whichever engine runs them. A value: the loans are in the lock files.
class UidLender {
public:
    UidLender() = default;
    UidLender(base::fs::path folder, uid_t first, unsigned count)
        : x_folder(std::move(folder)), x_first(first), x_count(count) {}

    // Started as root: a uid of the range; else our own user.
    [[nodiscard]] base::Result<std::unique_ptr<Lease>> lend() const;
    // One that nobody holds, that names no user of this machine and under which no process runs.
    // Its gid has the same number.
    [[nodiscard]] base::Result<std::unique_ptr<Lease>> lend_uid() const;

private:
    // The same for every process of the machine.
    base::fs::path x_folder = "/run/slurm-factory/uids";
    // Between the ranges systemd uses (homed ends at 60577, dynamic users start at 61184), below
    // 65536 so that it exists in containers too.
    uid_t x_first = 60736;
    unsigned x_count = 256;
};

// For an ordinary user: there is nobody else to become.
[[nodiscard]] std::unique_ptr<Lease> own_user();

// The live processes (no zombies) with `uid` as one of their user ids.
[[nodiscard]] base::Result<std::vector<pid_t>> processes_of(uid_t uid);

// How many tasks (threads, as RLIMIT_NPROC counts) run with `uid` as their real user id.
[[nodiscard]] base::Result<std::uint64_t> tasks_of(uid_t uid);

// Kills them until none is left; Code::failed if some still live after `patience`.
[[nodiscard]] base::Status end_processes_of(uid_t uid, std::chrono::milliseconds patience);

}  // namespace sf::sandbox
