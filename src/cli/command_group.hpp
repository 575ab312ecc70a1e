// SPDX-License-Identifier: Apache-2.0
// A noun with several verbs (toolchain list, toolchain prepare, …).
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace sf::cli {

[[nodiscard]] CLI::App* add_command_group(CLI::App& app, const std::string& name,
                                          const std::string& description);

}  // namespace sf::cli
