// SPDX-License-Identifier: Apache-2.0
// --runtime: what isolates upstream code, for the verbs that run any; and the name of a run, which
// its logs have. Any thread.
#pragma once

#include <memory>
#include <string>

#include "sandbox/runner.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

void add_runtime_option(CLI::App& app, std::string& runtime);

// "docker", or "bwrap" for anything else.
[[nodiscard]] std::unique_ptr<sandbox::Runner> make_runner(const std::string& runtime);

// "20261031-235959-12345": sorts by time, and two runs of one second differ.
[[nodiscard]] std::string run_id();

}  // namespace sf::cli
