// SPDX-License-Identifier: Apache-2.0
// doctor: what this machine lacks for building, and for running what is installed, each with the
// command that mends it.
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/machine.hpp"
#include "cli/prefix_choice.hpp"

namespace sf::cli {

namespace {

const char* word_of(Health health) {
    switch (health) {
        case Health::ok: return "OK";
        case Health::worth_knowing: return "NOTE";
        case Health::missing: return "MISSING";
    }
    return "";
}

std::string colored(const Voice& voice, Health health) {
    std::string word = fmt::format("{:<8}", word_of(health));
    if (!voice.colored(1)) return word;
    const char* color = health == Health::ok ? "32" : health == Health::missing ? "31" : "33";
    return fmt::format("\033[{}m{}\033[0m", color, word);
}

base::Status run_doctor(Session& session, const std::string& prefix) {
    std::vector<Check> checks;
    const base::Result<recipe::Catalog> catalog = session.catalog();
    if (!catalog) {  // the machine may be fine all the same
        checks.push_back(
            {"recipes", Health::missing, catalog.error().text(), "slurm-factory recipe lint"});
    }
    const recipe::Catalog nothing;
    for (Check& check : check_machine(session, catalog ? *catalog : nothing, prefix))
        checks.push_back(std::move(check));

    std::size_t missing = 0;
    for (const Check& check : checks) {
        if (check.health == Health::missing) ++missing;
        if (check.health != Health::ok || !session.options.quiet) {
            session.voice.line(fmt::format("{}{:<18} {}", colored(session.voice, check.health),
                                           check.name, check.detail));
            if (!check.mend.empty()) session.voice.line(fmt::format("{:26} -> {}", "", check.mend));
        }
        session.voice.event("check", {{"name", check.name},
                                      {"health", word_of(check.health)},
                                      {"detail", check.detail},
                                      {"mend", check.mend}});
    }
    session.voice.event("doctor", {{"ready", missing == 0}, {"missing", missing}});
    if (missing == 0) {
        session.voice.info("this machine is ready to build");
        return {};
    }
    return base::fail_hint(
        base::Code::failed,
        fmt::format("{} thing{} needed for building, or for what is installed, "
                    "{} missing",
                    missing, missing == 1 ? "" : "s", missing == 1 ? "is" : "are"),
        "the commands shown behind ->, then slurm-factory doctor");
}

}  // namespace

void add_doctor(CLI::App& app, Session& session) {
    CLI::App* sub =
        app.add_subcommand("doctor", "What this machine lacks for building, and how to mend it");
    const auto prefix = std::make_shared<std::string>();
    add_prefix_option(*sub, *prefix);
    sub->fallthrough();
    sub->footer(
        "Of what is installed in the prefix, and of the packages built here for this "
        "distribution,\n"
        "the libraries that stay the distribution's are looked for, with their symbol versions.\n"
        "Exits 1 if something is missing that building needs, or what is installed.\n"
        "Examples:\n"
        "  slurm-factory doctor\n"
        "  slurm-factory doctor --prefix /opt/slurm\n"
        "  slurm-factory doctor --json");
    sub->callback([&session, prefix] {
        session.action = [&session, prefix] { return run_doctor(session, *prefix); };
    });
}

}  // namespace sf::cli
