// SPDX-License-Identifier: Apache-2.0
// One program of the distribution, run to its end in a clean environment. One thread.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "deploy/host.hpp"

namespace sf::deploy {

// What it printed; an exit code other than 0 is an error with what it said.
[[nodiscard]] base::Result<std::string> run_tool(
    Host& host, std::vector<std::string> argv,
    std::chrono::milliseconds deadline = std::chrono::seconds(60));

}  // namespace sf::deploy
