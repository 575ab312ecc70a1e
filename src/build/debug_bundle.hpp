// SPDX-License-Identifier: Apache-2.0
// One file to send to whoever can help after a failed run: what was planned, on what machine, and
// the logs of every step and proof of that run. It holds what this program and the sandboxes wrote,
// nothing of the person's environment, keys or configuration. One thread for each run.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/result.hpp"
#include "build/state_dir.hpp"

namespace sf::build {

// `texts`: more files, by name ("plan.json"). The result is <logs>/<run_id>/debug.tar.zst, whole or
// not there.
[[nodiscard]] base::Result<std::filesystem::path> write_debug_bundle(
    const StateDir& state, const std::string& run_id,
    const std::map<std::string, std::string>& texts);

}  // namespace sf::build
