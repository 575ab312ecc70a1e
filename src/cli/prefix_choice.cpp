// SPDX-License-Identifier: Apache-2.0
#include "cli/prefix_choice.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <unistd.h>

#include "tree/contents.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

void add_prefix_option(CLI::App& app, std::string& prefix) {
    app.add_option("--prefix", prefix,
                   "The folder (default: /opt/slurm-factory, or ~/.local/share/slurm-factory for "
                   "ordinary users)")
        ->type_name("DIR");
}

base::Result<fs::path> default_prefix(const PrefixOwner& owner) {
    if (owner.root) return fs::path("/opt/slurm-factory");
    if (owner.data_home.starts_with('/')) return fs::path(owner.data_home) / "slurm-factory";
    if (owner.home.starts_with('/')) return fs::path(owner.home) / ".local/share/slurm-factory";
    return base::fail_hint(base::Code::usage, "neither HOME nor XDG_DATA_HOME names a folder",
                           "say where: --prefix DIR");
}

base::Result<fs::path> prefix_of(const std::string& said) {
    if (!said.empty()) {
        std::error_code error;
        fs::path path = fs::absolute(said, error);
        if (error) return base::fail_errno(error.value(), "find the working directory");
        return path;
    }
    const auto variable = [](const char* name) {
        const char* const value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
    };
    return default_prefix({::geteuid() == 0, variable("XDG_DATA_HOME"), variable("HOME")});
}

base::Result<fs::path> installed_prefix(const std::string& said) {
    SF_TRY(fs::path prefix, prefix_of(said));
    SF_CHECK(tree::check_is_prefix(prefix));
    return prefix;
}

}  // namespace sf::cli
