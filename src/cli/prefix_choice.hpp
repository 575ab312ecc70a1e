// SPDX-License-Identifier: Apache-2.0
// Where software is installed to, by commands that need not be told. Any thread.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

// --prefix
void add_prefix_option(CLI::App& app, std::string& prefix);

// What was said, made absolute; else /opt/slurm-factory for root, and
// $XDG_DATA_HOME/slurm-factory or ~/.local/share/slurm-factory for others.
[[nodiscard]] base::Result<std::filesystem::path> prefix_of(const std::string& said);

// For those who look after what was installed: the same, and Code::absent where nothing was. A slip
// of the keys must not be told that all is well, nor get folders of ours.
[[nodiscard]] base::Result<std::filesystem::path> installed_prefix(const std::string& said);

}  // namespace sf::cli
