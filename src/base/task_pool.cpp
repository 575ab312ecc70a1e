// SPDX-License-Identifier: Apache-2.0
#include "base/task_pool.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/stop.hpp"
#include "base/synced.hpp"

namespace sf::base {

Status run_batch(const std::vector<Task>& tasks, unsigned threads) {
    std::atomic<std::size_t> next{0};
    std::vector<Status> outcome(tasks.size());
    const auto work = [&] {
        for (std::size_t i = next++; i < tasks.size(); i = next++) {
            outcome[i] = check_stop();
            if (outcome[i]) outcome[i] = tasks[i]();
        }
    };
    const std::size_t count = std::min<std::size_t>(std::max(threads, 1U), tasks.size());
    {
        std::vector<std::jthread> pool;
        for (std::size_t i = 1; i < count; ++i) pool.emplace_back(work);
        work();
    }
    std::vector<const Error*> errors;
    for (const Status& status : outcome)
        if (!status) errors.push_back(&status.error());
    if (errors.empty()) return {};
    Error error = *errors.front();
    if (errors.size() == 1 || error.code == Code::interrupted)
        return tl::unexpected(std::move(error));
    std::string message = fmt::format("{} tasks failed:", errors.size());
    for (const Error* each : errors) message += "\n  " + each->text();
    error.message = std::move(message);
    error.frames.clear();
    return tl::unexpected(std::move(error));
}

}  // namespace sf::base
