// SPDX-License-Identifier: Apache-2.0
// Does an unpacked tree run? Starts its daemons as planned (rehearsal_plan.hpp), runs jobs, ends
// all, and says what was proved. Meant for a sandbox that the caller made: it starts real processes
// of the tree with this process's own rights, and refuses to do so as root. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "deploy/host.hpp"

namespace sf::deploy {

struct RehearsalOptions {
    std::string tree;     // --tree
    std::string version;  // --version
    std::string folder;   // --folder
    bool gpu = false;     // --gpu
};

// The words behind "rehearse".
[[nodiscard]] base::Result<RehearsalOptions> parse_rehearsal(const std::vector<std::string>& words);

// "step: NAME" before each step and "proved: TEXT" after it go to the reporter.
[[nodiscard]] base::Status rehearse(const RehearsalOptions& options, Host& host,
                                    base::Reporter& reporter);

}  // namespace sf::deploy
