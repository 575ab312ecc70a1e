// SPDX-License-Identifier: Apache-2.0
// Runs a batch of tasks on a few threads and joins them. All failures of the batch are reported,
// not only the first.
#pragma once

#include <functional>
#include <vector>

#include "base/result.hpp"

namespace sf::base {

using Task = std::function<Status()>;

// Up to `threads` at once; after a stop request no further task starts. One error: that error.
// Several: one error whose message lists each.
[[nodiscard]] Status run_batch(const std::vector<Task>& tasks, unsigned threads);

}  // namespace sf::base
