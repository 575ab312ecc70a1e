// SPDX-License-Identifier: Apache-2.0
// A noun with several verbs (toolchain list, toolchain prepare, …).
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace sf::cli {

// Unlike CLI11's require_subcommand(), which complains of the missing verb first, a verb that is
// none ("toolchain lst") is named in the error, so that what was meant can be suggested.
[[nodiscard]] CLI::App* add_command_group(CLI::App& app, const std::string& name,
                                          const std::string& description);

}  // namespace sf::cli
