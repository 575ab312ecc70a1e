// SPDX-License-Identifier: Apache-2.0
#include "build/engine.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::build {

using base::Result;
using base::Status;
using model::NodeId;

bool BuildReport::ok() const {
    return std::all_of(nodes.begin(), nodes.end(), [](const NodeOutcome& node) {
        return node.state == NodeState::reused || node.state == NodeState::built ||
               node.state == NodeState::unneeded;
    });
}

Status BuildReport::status() const {
    std::vector<const base::Error*> errors;
    for (const NodeOutcome& node : nodes)
        if (node.state == NodeState::failed) errors.push_back(&node.error);
    if (errors.empty()) {
        if (ok()) return {};
        if (const Status stop = base::check_stop(); !stop)
            return base::fail_hint(base::Code::interrupted, stop.error().message,
                                   "what is built stays: the same command goes on from there");
        return base::fail(base::Code::failed, "not every package was built");
    }
    if (errors.size() == 1) return tl::unexpected(*errors.front());
    std::string message = fmt::format("{} packages failed:", errors.size());
    std::vector<std::string> hints;
    for (const base::Error* error : errors) {
        message += "\n" + error->text();
        if (!error->hint.empty() && std::ranges::find(hints, error->hint) == hints.end())
            hints.push_back(error->hint);
    }
    return base::fail_hint(errors.front()->code, message, base::join(hints, "; "));
}

Result<std::string> reason_to_build(const PackageStore& store, const model::Spec& spec,
                                    bool rebuild) {
    if (rebuild) return std::string("asked to ignore what is stored");
    SF_TRY(const std::optional<model::Package> package, store.find(spec.store_name()));
    if (package && package->identity == spec.identity) return std::string();
    SF_TRY(const auto doubt, store.doubt_about(spec.store_name()));
    if (doubt) return *doubt;
    if (const auto relative = store.relative_of(spec.name, spec.version)) {
        const auto lines = explain_difference(relative->identity_text, spec.identity_text);
        return "changed since " + relative->store_name() + ": " + base::join(lines, "; ");
    }
    return std::string("never built here");
}

std::vector<double> estimate(const Plan& plan, History& history) {
    constexpr double seconds_per_megabyte = 7;  // of compressed source: a rough middle
    std::vector<double> seconds;
    for (const NodeId id : plan.dag.nodes()) {
        const auto size = static_cast<double>(plan.version(id).source.size);
        const double by_size = 10 + size / 1e6 * seconds_per_megabyte;
        const std::optional<std::uint64_t>& by_recipe = plan.recipe(id).cpu_seconds;
        seconds.push_back(history.cpu_seconds(plan.dag.at(id).name)
                              .value_or(by_recipe ? static_cast<double>(*by_recipe) : by_size));
    }
    return seconds;
}

namespace {

// The scheduler: one thread for each package that is ready; the job budget decides which of them
// run.
class Scheduler {
public:
    Scheduler(const BuildContext& context, const EngineOptions& options, History& history)
        : x_context(context),
          x_options(options),
          x_history(history),
          x_dag(context.plan.dag),
          x_store(context.state, context.doubt),
          x_budget(options.jobs),
          x_priority(x_dag.critical_path(estimate(context.plan, history))) {
        auto state = x_state.lock();
        state->outcomes.resize(x_dag.size());
        state->phase.resize(x_dag.size(), Phase::waiting);
    }

    BuildReport run() {
        const auto start = std::chrono::steady_clock::now();
        std::vector<std::jthread> threads;
        for (;;) {
            std::vector<NodeId> ready;
            {
                auto state = x_state.lock();
                state.wait([&](State& now) {
                    ready = take_ready(now);
                    return !ready.empty() || now.running == 0;
                });
                state->running += ready.size();
                if (ready.empty()) break;
            }
            for (const NodeId id : ready) threads.emplace_back([this, id] { work(id); });
        }
        threads.clear();
        BuildReport report;
        report.nodes = std::move(x_state.lock()->outcomes);
        report.wall_seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return report;
    }

private:
    enum class Phase { waiting, running, done };
    struct State {
        std::vector<NodeOutcome> outcomes;
        std::vector<Phase> phase;
        std::size_t running = 0;
        bool failed = false;
    };

    static bool good(const NodeOutcome& outcome) {
        return outcome.state == NodeState::reused || outcome.state == NodeState::built ||
               outcome.state == NodeState::unneeded;
    }

    // Nodes whose dependencies are all there; those that cannot be any more are skipped on the way.
    std::vector<NodeId> take_ready(State& state) {
        std::vector<NodeId> ready;
        for (const NodeId id : x_dag.nodes()) {
            if (state.phase[model::index(id)] != Phase::waiting) continue;
            bool all_good = true;
            bool hopeless = base::stop_requested() || (state.failed && !x_options.keep_going);
            for (const NodeId dependency : x_dag.dependencies(id)) {
                const std::size_t i = model::index(dependency);
                const bool done = state.phase[i] == Phase::done;
                all_good = all_good && done && good(state.outcomes[i]);
                hopeless = hopeless || (done && !good(state.outcomes[i]));
            }
            if (hopeless) {
                state.phase[model::index(id)] = Phase::done;
                x_context.observer.package_skipped(x_dag.at(id).store_name());
            } else if (all_good) {
                state.phase[model::index(id)] = Phase::running;
                ready.push_back(id);
            }
        }
        std::sort(ready.begin(), ready.end(), [&](NodeId a, NodeId b) {
            return x_priority[model::index(a)] > x_priority[model::index(b)];
        });
        return ready;
    }

    void work(NodeId id) {
        NodeOutcome outcome;
        if (Result<NodeOutcome> result = outcome_of(id)) {
            outcome = std::move(*result);
        } else if (result.error().code == base::Code::interrupted && base::stop_requested()) {
            // As asked, and told once, by the report: no failure of this package's.
            x_context.observer.package_skipped(x_dag.at(id).store_name());
        } else {
            outcome.error = std::move(result).error();
            outcome.state = NodeState::failed;
            x_context.observer.package_failed(x_dag.at(id).store_name(), outcome.error);
        }
        auto state = x_state.lock();
        state->failed = state->failed || outcome.state == NodeState::failed;
        state->outcomes[model::index(id)] = std::move(outcome);
        state->phase[model::index(id)] = Phase::done;
        --state->running;
        x_state.notify();
    }

    Result<NodeOutcome> outcome_of(NodeId id) {
        const model::Spec& spec = x_dag.at(id);
        const std::string name = spec.store_name();
        NodeOutcome outcome;
        SF_TRY(outcome.reason, reason_to_build(x_store, spec, x_options.rebuild));
        if (outcome.reason.empty()) return reused(name);
        if (x_options.unneeded.contains(id)) {
            outcome.state = NodeState::unneeded;
            return outcome;
        }
        SF_CHECK(check_dependencies(id));

        SF_TRY(const std::unique_ptr<JobBudget::Share> share,
               x_budget.join(x_priority[model::index(id)]));
        if (stopping()) return NodeOutcome{};
        SF_TRY(const base::FileLock lock,
               x_store.lock(name, [&] { x_context.observer.waiting_for_lock(name); }));
        // Another process may have built it while this one waited for the lock.
        SF_TRY(outcome.reason, reason_to_build(x_store, spec, x_options.rebuild));
        if (outcome.reason.empty()) return reused(name);

        x_context.observer.package_started(name, outcome.reason);
        SF_TRY(Built built, build_package(x_context, id, *share));
        x_context.observer.package_built(built.package, built.steps);
        x_history.record(spec.name, built.steps);
        outcome.state = NodeState::built;
        outcome.package = std::move(built.package);
        outcome.steps = std::move(built.steps);
        return outcome;
    }

    // Something was taken away since it was decided what is needed.
    Status check_dependencies(NodeId id) {
        auto state = x_state.lock();
        for (const NodeId each : x_dag.dependencies(id))
            if (state->outcomes[model::index(each)].state == NodeState::unneeded)
                return base::fail_hint(
                    base::Code::absent,
                    fmt::format("{} has to be built after all, and {} is not there",
                                x_dag.at(id).store_name(), x_dag.at(each).store_name()),
                    "the same command once more decides anew");
        return {};
    }

    Result<NodeOutcome> reused(const std::string& name) {
        SF_TRY(std::optional<model::Package> package, x_store.find(name));
        if (!package) return base::fail(base::Code::absent, "{} vanished from the store", name);
        NodeOutcome outcome;
        outcome.state = NodeState::reused;
        outcome.package = std::move(*package);
        SF_TRY(outcome.taken, x_store.taken(name));
        x_context.observer.package_reused(outcome.package);
        return outcome;
    }

    // A failure elsewhere ends what has not begun, unless asked to keep going.
    bool stopping() {
        return base::stop_requested() || (x_state.lock()->failed && !x_options.keep_going);
    }

    const BuildContext& x_context;
    const EngineOptions& x_options;
    History& x_history;
    const model::Dag& x_dag;
    PackageStore x_store;
    JobBudget x_budget;
    std::vector<double> x_priority;
    base::Synced<State> x_state;
};

}  // namespace

Result<BuildReport> bring_up_to_date(const BuildContext& context, const EngineOptions& options,
                                     History& history) {
    BuildReport report = Scheduler(context, options, history).run();
    SF_CHECK(history.save());
    return report;
}

}  // namespace sf::build
