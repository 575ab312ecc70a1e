// SPDX-License-Identifier: Apache-2.0
// The configuration file: `option: value` lines in YAML, the long names of options without dashes.
// Weaker than environment and flags, stronger than defaults. Keys of options that a command does
// not have are for other commands; keys no command has are errors, and so are words that are meant
// for one call (--yes, --force and the like, and what CLI11 calls not configurable).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

// Reads the file named by --config, else SLURM_FACTORY_CONFIG, else
// $XDG_CONFIG_HOME/slurm-factory/config.yaml and /etc/slurm-factory/config.yaml if they exist, and
// makes what they say the defaults of `app` and its subcommands.
[[nodiscard]] base::Status apply_config_file(CLI::App& app, const std::vector<std::string>& words);

}  // namespace sf::cli
