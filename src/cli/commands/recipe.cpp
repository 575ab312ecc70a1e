// SPDX-License-Identifier: Apache-2.0
// recipe lint: everything that is wrong in recipes, stacks, toolchains and advisories.
#include <CLI/CLI.hpp>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/command_group.hpp"
#include "cli/commands.hpp"

namespace sf::cli {

namespace {

base::Status run_lint(Session& session, const std::string& given) {
    const std::filesystem::path folder =
        given.empty() ? session.options.data_dir : std::filesystem::path(given);
    const std::string name = base::escape_untrusted(folder.string());
    if (!base::is_dir(folder / "recipes")) {
        return base::fail_hint(
            base::Code::usage, fmt::format("{} is no folder of data: it has no recipes/", name),
            "slurm-factory recipe lint DIR (with recipes/, stacks/, toolchains/, "
            "advisories.yaml)");
    }
    SF_TRY(const std::vector<recipe::Finding> findings, recipe::lint(folder));
    for (const recipe::Finding& finding : findings) {
        const std::string file = base::escape_untrusted(finding.file.string());
        session.voice.line(finding.line > 0
                               ? fmt::format("{}:{}: {}", file, finding.line, finding.message)
                               : fmt::format("{}: {}", file, finding.message));
        session.voice.event("finding", {{"file", finding.file.string()},
                                        {"line", finding.line},
                                        {"message", finding.message}});
    }
    session.voice.event("lint", {{"folder", folder.string()}, {"findings", findings.size()}});
    if (!findings.empty()) {
        return base::fail_hint(base::Code::failed,
                               fmt::format("{} finding{} in {}", findings.size(),
                                           findings.size() == 1 ? "" : "s", name),
                               "mend the lines named above (docs/formats/recipe.md has the rules)");
    }
    session.voice.info("{}: nothing to find fault with", name);
    return {};
}

}  // namespace

void add_recipe(CLI::App& app, Session& session) {
    CLI::App* group = add_command_group(app, "recipe", "Work on recipes");
    const auto folder = std::make_shared<std::string>();
    CLI::App* sub = group->add_subcommand(
        "lint", "Everything wrong in recipes, stacks, toolchains and advisories");
    sub->add_option("DIR", *folder, "The folder of data (default: that of --data-dir)");
    sub->fallthrough();
    sub->footer(
        "Prints file:line: message; exits 1 if there is anything.\n"
        "Examples:\n"
        "  slurm-factory recipe lint\n"
        "  slurm-factory recipe lint ./my-recipes --json");
    sub->callback([&session, folder] {
        session.action = [&session, folder] { return run_lint(session, *folder); };
    });
    group->footer("Examples:\n  slurm-factory recipe lint");
}

}  // namespace sf::cli
