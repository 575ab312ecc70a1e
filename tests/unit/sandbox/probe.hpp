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

// What a 32-bit system call leads to where nothing filters it: "exit 0", or "killed by signal 11"
// on machines (some hypervisors, some kernels) that have no such calls.
std::string unfiltered_32_bit_call();

}  // namespace sf::sandbox
