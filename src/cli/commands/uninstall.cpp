// SPDX-License-Identifier: Apache-2.0
// uninstall: removes a version, a generation, or everything from a prefix.
#include "tree/uninstall.hpp"

#include <CLI/CLI.hpp>

#include <ctime>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/health_words.hpp"
#include "cli/prefix_choice.hpp"
#include "model/names.hpp"

namespace sf::cli {

namespace {

struct Options {
    std::string what;
    std::string prefix;
    bool all = false;
    bool no_other_hosts = false;
    bool dry_run = false;
};

base::Result<tree::UninstallRequest> request_of(const Options& options) {
    tree::UninstallRequest request;
    request.all = options.all;
    request.no_other_hosts = options.no_other_hosts;
    request.now = std::time(nullptr);
    if (options.all != options.what.empty())
        return base::fail_hint(base::Code::usage,
                               options.all ? "--all removes everything: no version is said with it"
                                           : "which version, or generation?",
                               "slurm-factory list shows them");
    if (options.all) return request;
    if (const auto number = tree::generation_number(options.what)) {
        request.generation = *number;
        return request;
    }
    SF_CHECK(model::check_version(options.what).map_error([](base::Error error) {
        error.code = base::Code::usage;
        return error;
    }));
    request.version = options.what;
    return request;
}

base::Status run_uninstall(Session& session, const Options& options) {
    SF_TRY(tree::UninstallRequest request, request_of(options));
    SF_TRY(const std::filesystem::path prefix, installed_prefix(options.prefix));
    request.options = removal_options(session);
    SF_TRY(const tree::UninstallPlan plan, options.dry_run ? tree::plan_uninstall(prefix, request)
                                                           : tree::uninstall(prefix, request));
    say_unseen(session, plan.unseen);
    say_removal(session, plan.removal, plan.bytes, !options.dry_run);
    base::Json result = json_of(plan.removal);
    result["prefix"] = plan.prefix.native();
    result["bytes"] = plan.bytes;
    session.voice.event(options.dry_run ? "would_uninstall" : "uninstalled", std::move(result));
    return {};
}

}  // namespace

void add_uninstall(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand("uninstall", "Remove a version from a prefix");
    const auto options = std::make_shared<Options>();
    command->add_option("WHAT", options->what,
                        "An exact version, or the number of a generation (slurm-factory list)");
    add_prefix_option(*command, options->prefix);
    command->add_flag("--all", options->all, "Everything that was installed there");
    command->add_flag("--no-other-hosts", options->no_other_hosts,
                      "You know that no other host runs anything from this prefix");
    command->add_flag("--dry-run", options->dry_run, "Say what would be removed; change nothing");
    command->fallthrough();
    command->footer(
        "With the packages that nothing else there needs. What is current stays: roll back, or\n"
        "install another first. Services of this machine are taken away by slurm_install.sh\n"
        "--uninstall, not by this.\n"
        "Examples:\n"
        "  slurm-factory uninstall 25.11.1 --dry-run\n"
        "  slurm-factory uninstall 3 --prefix /opt/slurm\n"
        "  slurm-factory uninstall --all --prefix /opt/slurm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_uninstall(session, *options); };
    });
}

}  // namespace sf::cli
