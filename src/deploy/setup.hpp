// SPDX-License-Identifier: Apache-2.0
// The whole of slurm-setup: words in, exit code out. Verify everything; look; find all that speaks
// against it; plan; only then touch anything. One thread.
#pragma once

#include <string>
#include <vector>

namespace sf::deploy {

// Exit codes: 0, 1 failed or refused, 2 the words were wrong.
int run_setup(const std::vector<std::string>& words);

}  // namespace sf::deploy
