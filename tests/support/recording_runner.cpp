// SPDX-License-Identifier: Apache-2.0
#include "support/recording_runner.hpp"

#include <algorithm>

namespace sf::support {

namespace {

class CountedLease : public sandbox::Lease {
public:
    CountedLease(std::optional<base::Identity> identity, std::shared_ptr<base::Synced<int>> held)
        : x_identity(identity), x_held(std::move(held)) {
        ++*x_held->lock();
    }
    CountedLease(const CountedLease&) = delete;
    CountedLease& operator=(const CountedLease&) = delete;
    ~CountedLease() override { --*x_held->lock(); }
    [[nodiscard]] std::optional<base::Identity> identity() const override { return x_identity; }

private:
    std::optional<base::Identity> x_identity;
    std::shared_ptr<base::Synced<int>> x_held;
};

bool covers(std::string_view folder, std::string_view path) {
    return path == folder ||
           (path.starts_with(folder) && (folder.ends_with('/') || path[folder.size()] == '/'));
}

}  // namespace

base::fs::path host_path(const sandbox::SandboxPlan& plan, std::string_view target) {
    const sandbox::Bind* best = nullptr;  // the innermost
    for (const auto& bind : plan.binds)
        if (covers(bind.target, target) &&
            (best == nullptr || bind.target.size() > best->target.size()))
            best = &bind;
    if (best == nullptr || !best->writable) return {};
    const auto rest = target.substr(best->target.size());
    const auto start = rest.find_first_not_of('/');
    return start == std::string_view::npos ? best->source : best->source / rest.substr(start);
}

base::Result<std::unique_ptr<sandbox::Lease>> RecordingRunner::lease() {
    ++*x_leases.lock();
    return std::make_unique<CountedLease>(x_identity, x_held);
}

base::Result<sandbox::RunResult> RecordingRunner::run(const sandbox::Lease&,
                                                      const sandbox::SandboxPlan& plan,
                                                      int log_fd) {
    x_plans.lock()->push_back(plan);
    {
        auto running = x_running.lock();
        running->most = std::max(running->most, ++running->now);
    }
    base::Result<sandbox::RunResult> result = sandbox::RunResult{};
    {
        auto script = x_script.lock();
        if (*script) result = (*script)(plan, log_fd);
    }
    --x_running.lock()->now;
    return result;
}

sandbox::RunResult ended_with(int code) {
    sandbox::RunResult result;
    result.exit.code = code;
    if (code != 0) {
        result.outcome = sandbox::Outcome::failed;
        result.detail = result.exit.text();
    }
    return result;
}

}  // namespace sf::support
