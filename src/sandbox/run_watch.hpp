// SPDX-License-Identifier: Apache-2.0
// When must a running sandbox be ended? A stop request, its deadline, the disk. Shared by the
// engines that run sandboxes; knows none of them. One thread for each run.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "sandbox/disk_watch.hpp"
#include "sandbox/runner.hpp"

namespace sf::sandbox {

class RunWatch {
public:
    struct Reason {
        Outcome outcome;
        std::string detail;
    };
    RunWatch(const SandboxPlan& plan, DiskWatch::Settings disk);

    [[nodiscard]] std::optional<Reason> look();
    // After the end: what was written since the last look counts as well.
    [[nodiscard]] std::optional<std::string> disk_exceeded() { return x_disk.look_now(); }
    [[nodiscard]] double seconds() const;

private:
    using Clock = std::chrono::steady_clock;
    bool x_has_deadline;
    std::chrono::seconds x_time;
    DiskWatch x_disk;
    Clock::time_point x_start = Clock::now();
};

// A link-free, absolute path.
[[nodiscard]] base::Result<base::fs::path> real_path(const base::fs::path& path);

// What became of a command that ended by itself with `code` (128 + signal, as shells tell it), or
// of a disk that it filled.
void judge_exit(int code, const SandboxPlan& plan, RunWatch& watch, RunResult& result);

}  // namespace sf::sandbox
