// SPDX-License-Identifier: Apache-2.0
// The command line: arguments in, text or JSON out.
#pragma once

namespace sf::cli {

// Runs one command. Returns the exit code: 0 success, 1 failure, 2 usage. main() does nothing else.
[[nodiscard]] int run_command_line(int argc, char** argv);

}  // namespace sf::cli
