// SPDX-License-Identifier: Apache-2.0
#include "cli/command_group.hpp"

#include <CLI/CLI.hpp>

namespace sf::cli {

CLI::App* add_command_group(CLI::App& app, const std::string& name,
                            const std::string& description) {
    CLI::App* group = app.add_subcommand(name, description);
    group->fallthrough();
    group->require_subcommand(1);
    return group;
}

}  // namespace sf::cli
