// SPDX-License-Identifier: Apache-2.0
// cache verify|refresh|mirror|index|prune: what keeps a cache that packages were published to.
#include <CLI/CLI.hpp>

#include "cli/cache_verbs.hpp"
#include "cli/command_group.hpp"

namespace sf::cli {

void add_cache(CLI::App& app, Session& session) {
    CLI::App* group =
        add_command_group(app, "cache", "Keep a cache: verify, sign afresh, copy, tidy");
    add_cache_verify(*group, session);
    add_cache_refresh(*group, session);
    add_cache_mirror(*group, session);
    add_cache_index(*group, session);
    add_cache_prune(*group, session);
    group->footer(
        "Packages are published by 'build-slurm --publish', and installed by 'install'.\n"
        "Examples:\n"
        "  slurm-factory cache verify /srv/slurm-cache --deep\n"
        "  slurm-factory cache refresh /srv/slurm-cache\n"
        "  slurm-factory cache mirror https://cache.example.org /srv/slurm-cache");
}

}  // namespace sf::cli
