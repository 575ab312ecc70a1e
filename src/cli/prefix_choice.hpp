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

// Who installs without saying where.
struct PrefixOwner {
    bool root = false;
    std::string data_home{};  // $XDG_DATA_HOME; what is no absolute path counts as not set
    std::string home{};       // $HOME, likewise
};

// /opt/slurm-factory for root; $XDG_DATA_HOME/slurm-factory or ~/.local/share/slurm-factory for
// others. Code::usage for who has neither. Pure.
[[nodiscard]] base::Result<std::filesystem::path> default_prefix(const PrefixOwner& owner);

// What was said, made absolute; else that of this process.
[[nodiscard]] base::Result<std::filesystem::path> prefix_of(const std::string& said);

// For those who look after what was installed: the same, and Code::absent where nothing was. A slip
// of the keys must not be told that all is well, nor get folders of ours.
[[nodiscard]] base::Result<std::filesystem::path> installed_prefix(const std::string& said);

}  // namespace sf::cli
