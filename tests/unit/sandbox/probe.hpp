// SPDX-License-Identifier: Apache-2.0
// What the tests run inside a sandbox: this very program with `--probe NAME …`. Each probe tries
// one thing, or a list of things, and prints what came of it. Knows nothing of the runner.
#pragma once

#include <span>
#include <string>

namespace sf::sandbox {

// The exit status of the probe.
int run_probe(std::span<char*> words);

// "NAME: outcome", one a line, for every malicious action: "EPERM", "ok", "killed by signal 31", …
std::string try_all_actions();

}  // namespace sf::sandbox
