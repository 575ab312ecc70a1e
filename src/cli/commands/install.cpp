// SPDX-License-Identifier: Apache-2.0
// install SPEC, or exactly what a lock file names: Slurm from a signed cache, with all it needs, or
// nothing.
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/package_install.hpp"
#include "cli/prefix_choice.hpp"
#include "cli/trusted_keys.hpp"

namespace sf::cli {

void add_install(CLI::App& app, Session& session) {
    CLI::App* command =
        app.add_subcommand("install", "Install Slurm from a signed cache, with all it needs");
    const auto options = std::make_shared<InstallRequest>();
    command->add_option("SPEC", options->search.spec, "slurm@SERIES or slurm@VERSION");
    add_search_caches(*command, options->search, "Which");
    add_prefix_option(*command, options->prefix);
    command
        ->add_option("--toolchain", options->search.toolchain,
                     "The distribution it was built for (default: this machine's)")
        ->type_name("NAME");
    add_trust_options(*command, options->search.trust);
    command->add_flag("--keep-view", options->keep_view,
                      "Leave PREFIX/view at the version it points to");
    command->add_flag("--accept-expired", options->search.accept_expired,
                      "Take a snapshot whose time is over: newer packages may be held back");
    command->add_flag("--allow-unsigned", options->search.allow_unsigned,
                      "Also what nobody trusted has signed, from a cache that is listed with "
                      "allow_unsigned: whoever can write there runs what he likes here");
    command
        ->add_option("--frozen", options->search.frozen,
                     "Exactly what this lock file names, also when the cache has moved on")
        ->type_name("LOCKFILE");
    command
        ->add_option("--write-lock", options->write_lock,
                     "Write what is installed to a lock file, for --frozen")
        ->type_name("FILE");
    command->add_flag("--offline", options->search.offline,
                      "Only from a folder; an address of the network is refused");
    command->add_flag("--dry-run", options->dry_run, "Say what would be fetched; change nothing");
    command->fallthrough();
    command->footer(
        "Only what the prefix lacks is fetched. Versions lie side by side; if anything is wrong,\n"
        "nothing is changed. 'rollback' brings back what was there before.\n"
        "Examples:\n"
        "  slurm-factory install slurm@25.11\n"
        "  slurm-factory install slurm@25.11 --cache https://cache.example.org\n"
        "  slurm-factory install slurm@25.11.2 --cache /srv/slurm-cache --prefix /opt/slurm\n"
        "  slurm-factory install slurm@25.11 --cache /srv/slurm-cache --cache upstream\n"
        "  slurm-factory install --frozen slurm.lock --cache /mnt/usb/cache --offline");
    command->callback([&session, options] {
        session.action = [&session, options] { return install_package(session, *options); };
    });
}

}  // namespace sf::cli
