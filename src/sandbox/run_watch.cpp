// SPDX-License-Identifier: Apache-2.0
#include "sandbox/run_watch.hpp"

#include <signal.h>

#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::sandbox {

RunWatch::RunWatch(const SandboxPlan& plan, DiskWatch::Settings disk)
    : x_has_deadline(plan.new_session), x_time(plan.limits.time), x_disk(std::move(disk)) {}

double RunWatch::seconds() const {
    return std::chrono::duration<double>(Clock::now() - x_start).count();
}

std::optional<RunWatch::Reason> RunWatch::look() {
    if (base::stop_requested()) return Reason{Outcome::stopped, "a stop was requested"};
    if (x_has_deadline && Clock::now() - x_start > x_time)
        return Reason{Outcome::timed_out,
                      fmt::format("it was still running after {}",
                                  base::human_seconds(static_cast<double>(x_time.count())))};
    if (auto reason = x_disk.look()) return Reason{Outcome::disk_exceeded, std::move(*reason)};
    return std::nullopt;
}

base::Result<base::fs::path> real_path(const base::fs::path& path) {
    std::error_code error;
    auto out = base::fs::canonical(path, error);
    if (error)
        return base::fail_errno(error.value(), "find " + base::escape_untrusted(path.string()));
    return out;
}

void judge_exit(int code, const SandboxPlan& plan, RunWatch& watch, RunResult& result) {
    result.exit.code = code;
    result.exit.signal = code > 128 && code <= 128 + 64 ? code - 128 : 0;
    if (auto reason = watch.disk_exceeded()) {
        result.outcome = Outcome::disk_exceeded;
        result.detail = std::move(*reason);
    } else if (!result.exit.ok()) {
        result.outcome = Outcome::failed;
        result.detail = result.exit.text();
        if (result.exit.signal == SIGXFSZ)
            result.detail += fmt::format(": no file may be larger than {}",
                                         base::human_bytes(plan.limits.file_bytes));
    }
}

}  // namespace sf::sandbox
