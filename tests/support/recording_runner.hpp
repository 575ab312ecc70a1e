// SPDX-License-Identifier: Apache-2.0
// A Runner that runs nothing: it keeps the plans it is given, in order, and lets the test say what
// becomes of each, files in the writable binds included. Whole builds are tested with it, in memory
// and milliseconds. Thread-safe; the script is called by one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/synced.hpp"
#include "sandbox/runner.hpp"

namespace sf::support {

// The folder on this machine that a plan's command would see at `target`, through its binds; empty
// if no writable bind covers it. "/build/src/a" with a bind of X at /build gives "X/src/a".
[[nodiscard]] base::fs::path host_path(const sandbox::SandboxPlan& plan, std::string_view target);

class RecordingRunner : public sandbox::Runner {
public:
    using Script =
        std::function<base::Result<sandbox::RunResult>(const sandbox::SandboxPlan&, int log_fd)>;

    // What a plan leads to; without a script every plan succeeds at once.
    void script(Script script) { *x_script.lock() = std::move(script); }
    // Whom leases name; nullopt (the default): this process's own user.
    void lend(std::optional<base::Identity> identity) { x_identity = identity; }

    [[nodiscard]] std::vector<sandbox::SandboxPlan> plans() const { return *x_plans.lock(); }
    [[nodiscard]] int leases() const { return *x_leases.lock(); }
    [[nodiscard]] int leases_held() const { return *x_held->lock(); }
    [[nodiscard]] int most_at_once() const { return x_running.lock()->most; }

    base::Result<std::unique_ptr<sandbox::Lease>> lease() override;
    base::Result<sandbox::RunResult> run(const sandbox::Lease& lease,
                                         const sandbox::SandboxPlan& plan, int log_fd) override;
    // Like an engine that cannot hand descriptors into its sandboxes.
    void pass_no_descriptors() { x_passes = false; }
    [[nodiscard]] bool passes_descriptors() const override { return x_passes; }
    base::Status probe() override { return {}; }

private:
    struct Running {
        int now = 0;
        int most = 0;
    };
    mutable base::Synced<std::vector<sandbox::SandboxPlan>> x_plans;
    mutable base::Synced<int> x_leases{0};
    // Outlives the runner if a lease does.
    std::shared_ptr<base::Synced<int>> x_held = std::make_shared<base::Synced<int>>(0);
    mutable base::Synced<Running> x_running;
    base::Synced<Script> x_script;
    std::optional<base::Identity> x_identity;
    bool x_passes = true;
};

// A result of a command that ended with `code`.
[[nodiscard]] sandbox::RunResult ended_with(int code);

}  // namespace sf::support
