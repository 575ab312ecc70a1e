// SPDX-License-Identifier: Apache-2.0
// list: what was installed to a prefix, and which of it is current.
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/prefix_choice.hpp"
#include "tree/generations.hpp"

namespace sf::cli {

namespace {

base::Status run_list(Session& session, const std::string& said) {
    SF_TRY(const std::filesystem::path prefix, prefix_of(said));
    SF_TRY(const std::vector<tree::Generation> all, tree::list_generations(prefix));
    SF_TRY(const auto current, tree::current_generation(prefix));
    if (all.empty())
        session.voice.line("nothing was installed to " + base::escape_untrusted(prefix.native()));
    for (const tree::Generation& each : all) {
        const bool is_current = current && current->number == each.number;
        const auto word = [&](const char* key) {
            const auto known = each.origin.find(key);
            return known == each.origin.end() ? std::string()
                                              : base::escape_untrusted(known->second);
        };
        const bool is_unsigned = each.origin.contains(tree::origin_unsigned);
        session.voice.line(fmt::format("{} {:>4}  slurm {:<10} {:<12} {}  {}{}",
                                       is_current ? '*' : ' ', each.number, each.version,
                                       each.toolchain, base::utc_date(each.made),
                                       word(each.origin.contains("cache") ? "cache" : "bundle"),
                                       is_unsigned ? "  UNSIGNED" : ""));
        base::Json origin = base::Json::object();
        for (const auto& [name, value] : each.origin) origin[name] = value;
        session.voice.event("generation", {{"number", each.number},
                                           {"current", is_current},
                                           {"version", each.version},
                                           {"toolchain", each.toolchain},
                                           {"made", each.made},
                                           {"manifest", each.manifest.hex()},
                                           {"origin", std::move(origin)}});
    }
    return {};
}

}  // namespace

void add_list(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand("list", "What was installed to a prefix");
    const auto prefix = std::make_shared<std::string>();
    add_prefix_option(*command, *prefix);
    command->fallthrough();
    command->footer(
        "A star marks what is current. Examples:\n"
        "  slurm-factory list\n"
        "  slurm-factory list --prefix /opt/slurm --json");
    command->callback([&session, prefix] {
        session.action = [&session, prefix] { return run_list(session, *prefix); };
    });
}

}  // namespace sf::cli
