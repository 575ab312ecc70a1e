// SPDX-License-Identifier: Apache-2.0
// rollback: back to what was installed before.
#include "tree/rollback.hpp"

#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/prefix_choice.hpp"

namespace sf::cli {

namespace {

struct Options {
    std::uint64_t number = 0;  // 0: the one before
    std::string prefix;
};

base::Status run_rollback(Session& session, const Options& options) {
    SF_TRY(const std::filesystem::path prefix, installed_prefix(options.prefix));
    tree::InstallOptions how;
    how.waiting = [&session] {
        session.voice.info("an installation is at work in this prefix; waiting for it");
    };
    how.on_step = [&session](std::string_view step) {
        session.voice.debug("{}", step);
        return base::Status();
    };
    SF_TRY(const tree::Returned returned, tree::return_to_generation(prefix, options.number, how));
    const tree::Generation& current = returned.kept.generation;
    const tree::InstallReport& report = returned.report;
    session.voice.line(fmt::format(
        "{}: generation {}, slurm {}, is {}", base::escape_untrusted(report.prefix.native()),
        current.number, current.version, report.changed ? "current again" : "current already"));
    session.voice.line(
        "daemons that run go on with what they have: restart them when it suits you");
    if (current.origin.contains(tree::origin_unsigned))
        session.voice.warning("generation {} was installed UNSIGNED: nobody trusted has signed it",
                              current.number);
    session.voice.event("rolled_back", {{"prefix", report.prefix.native()},
                                        {"generation", current.number},
                                        {"version", current.version},
                                        {"changed", report.changed}});
    return {};
}

}  // namespace

void add_rollback(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand("rollback", "Back to what was installed before");
    const auto options = std::make_shared<Options>();
    command
        ->add_option("NUMBER", options->number,
                     "Of the generation (default: the one before the current one)")
        ->check(CLI::Validator(
            [](const std::string& word) {
                return tree::generation_number(word)
                           ? std::string()
                           : fmt::format(
                                 "'{}' is no number of a generation; slurm-factory list "
                                 "shows them",
                                 base::escape_untrusted(word));
            },
            ""));
    add_prefix_option(*command, options->prefix);
    command->fallthrough();
    command->footer(
        "Nothing is fetched: packages stay until they are collected. The state of slurmctld and "
        "the\n"
        "database do not go back: an older Slurm may not read what a newer one wrote.\n"
        "Examples:\n"
        "  slurm-factory rollback\n"
        "  slurm-factory rollback 3 --prefix /opt/slurm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_rollback(session, *options); };
    });
}

}  // namespace sf::cli
