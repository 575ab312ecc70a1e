// SPDX-License-Identifier: Apache-2.0
// Runs sandbox plans. The interface is shared by every isolation engine; tests use a recording
// fake. Thread-safe: several plans may run at once.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/process.hpp"
#include "sandbox/sandbox_plan.hpp"

namespace sf::sandbox {

enum class Outcome { ok, failed, timed_out, disk_exceeded, stopped };

struct RunResult {
    Outcome outcome = Outcome::ok;
    base::Exit exit;
    base::ResourceUse resources;
    double wall_seconds = 0;
    std::string detail;  // for people, when not ok: which limit, which signal
};

// Real uid 0 never runs upstream code: root leases one unprivileged uid of a range per package
// build, so that RLIMIT_NPROC and kill() reach that build and no other. Released on destruction.
class Lease {
public:
    virtual ~Lease() = default;
    // Whom writable binds must belong to before a run; nullopt: this process's own user.
    [[nodiscard]] virtual std::optional<base::Identity> identity() const = 0;
};

class Runner {
public:
    virtual ~Runner() = default;
    virtual base::Result<std::unique_ptr<Lease>> lease() = 0;
    // stdout and stderr go to `log_fd`. When this returns, no process of the sandbox is alive.
    // An error means the sandbox could not be started; what became of the command is the result.
    virtual base::Result<RunResult> run(const Lease& lease, const SandboxPlan& plan,
                                        int log_fd) = 0;
    // Can plans pass descriptors? Where not, a plan that passes some is refused.
    [[nodiscard]] virtual bool passes_descriptors() const { return true; }
    // Runs, or asks for, a sandbox that does nothing: an error says why this machine cannot, its
    // hint what to do.
    virtual base::Status probe() = 0;
    // Who a plan's command is, as it sees itself.
    [[nodiscard]] virtual base::Identity user_inside(const Lease&) const {
        return {sandbox_user, sandbox_user};
    }
};

}  // namespace sf::sandbox
