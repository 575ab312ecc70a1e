// SPDX-License-Identifier: Apache-2.0
// What is said to a command line that means nothing: which word is wrong, where, what was probably
// meant. Values are not repeated where they could be secrets. Knows CLI11, prints nothing. One
// thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace sf::cli {

// The innermost subcommand that was recognised: where the error is.
[[nodiscard]] const CLI::App& innermost(const CLI::App& app);

// CLI11 complains of what is missing before it looks at what is left over; here a word that nothing
// took comes first, because it is mostly the misspelt name of what is missing.
[[nodiscard]] base::Error usage_error(const CLI::App& app, const CLI::ParseError& error,
                                      const std::vector<std::string>& words);

// Variables of the environment that look as if they were for us and are for nobody: a slip of the
// keys there is silent otherwise. Each as one sentence.
[[nodiscard]] std::vector<std::string> unknown_variables(const CLI::App& app);

}  // namespace sf::cli
