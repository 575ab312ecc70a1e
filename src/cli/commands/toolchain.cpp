// SPDX-License-Identifier: Apache-2.0
// toolchain list|prepare|shell|remove: the distributions that are built for, and their roots on
// this machine.
#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/text.hpp"
#include "cli/command_group.hpp"
#include "cli/commands.hpp"
#include "cli/root_preparation.hpp"
#include "sandbox/bwrap_runner.hpp"
#include "sandbox/rootfs.hpp"

namespace sf::cli {

namespace {

using Roots = std::vector<sandbox::PreparedRoot>;

struct PrepareOptions {
    std::string name;
    RootOptions root;
};

struct ShellOptions {
    std::string name;
    std::vector<std::string> command;
};

struct RemoveOptions {
    std::string name;
    bool keep_current = false;
};

base::Json root_json(const sandbox::PreparedRoot& root) {
    return {{"digest", root.record.digest.hex()},
            {"made", root.made},
            {"current", root.current},
            {"archive", root.archive.string()},
            {"archive_bytes", root.archive_bytes},
            {"tree_bytes", root.tree_bytes},
            {"packages", root.record.packages.size()},
            {"compiler", root.record.compiler},
            {"libc", root.record.libc}};
}

// "1a2b3c4d5e6f  2026-01-31  181.3 MiB packed, 712.0 MiB unpacked"
std::string root_text(const sandbox::PreparedRoot& root) {
    return fmt::format("{}  {}  {} packed, {} unpacked", root.record.digest.short_hex(12),
                       root.made.substr(0, 10), base::human_bytes(root.archive_bytes),
                       base::human_bytes(root.tree_bytes));
}

std::string state_text(const model::Toolchain& toolchain) {
    if (toolchain.state == "proven") return "proven";
    return toolchain.family == "el" ? "not yet" : "described";
}

base::Status run_list(Session& session) {
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_TRY(const Roots roots, sandbox::RootStore(session.state().roots(), session.voice).list());
    session.voice.line(
        fmt::format("{:<13} {:<28} {:<10} {}", "NAME", "DISTRIBUTION", "STATE", "ROOT HERE"));
    for (const auto& [name, toolchain] : catalog.toolchains) {
        base::Json list = base::Json::array();
        std::vector<std::string> texts;
        for (const sandbox::PreparedRoot& root : roots) {
            if (root.record.toolchain != name) continue;
            list.push_back(root_json(root));
            if (root.current) texts.insert(texts.begin(), root_text(root));
            if (!root.current) texts.push_back(root_text(root) + "  (older)");
        }
        if (texts.empty()) texts.emplace_back("-");
        session.voice.line(fmt::format("{:<13} {:<28} {:<10} {}", name, toolchain.title,
                                       state_text(toolchain), texts.front()));
        for (std::size_t i = 1; i < texts.size(); ++i) {
            session.voice.line(fmt::format("{:53} {}", "", texts[i]));
        }
        session.voice.event("toolchain",
                            {{"name", name},
                             {"title", toolchain.title},
                             {"state", toolchain.state},
                             {"family", toolchain.family},
                             {"supported", check_root_supported(catalog, toolchain).has_value()},
                             {"roots", list}});
    }
    return {};
}

base::Status run_prepare(Session& session, const PrepareOptions& options) {
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_TRY(const model::Toolchain toolchain, find_toolchain(catalog, options.name));
    SF_TRY(const sandbox::PreparedRoot root, prepare_root(session, toolchain, options.root));
    session.voice.line(fmt::format("{}: {}", toolchain.name, root_text(root)));
    session.voice.line(fmt::format("  compiler {}, {} packages", root.record.compiler,
                                   root.record.packages.size()));
    session.voice.line("  " + root.archive.string());
    base::Json object = root_json(root);
    object["toolchain"] = toolchain.name;
    session.voice.event("root", std::move(object));
    return {};
}

base::Status run_shell(Session& session, const ShellOptions& options) {
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_TRY(const model::Toolchain toolchain, find_toolchain(catalog, options.name));
    if (!options.command.empty() && !options.command.front().starts_with('/')) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("'{}' is not an absolute path of a program in the root",
                        base::escape_untrusted(options.command.front())),
            fmt::format("slurm-factory toolchain shell {} -- /usr/bin/…", toolchain.name));
    }
    SF_TRY(const sandbox::PreparedRoot root, prepare_root(session, toolchain));
    sandbox::SandboxPlan plan = sandbox::shell_plan(root);
    if (!options.command.empty()) plan.argv = options.command;
    sandbox::BwrapRunner runner;
    SF_TRY(const std::unique_ptr<sandbox::Lease> lease, runner.lease());
    session.voice.info("in the root of {}: read-only, without a network; leave with exit",
                       toolchain.title);
    SF_TRY(const sandbox::RunResult result, runner.run_interactive(*lease, plan));
    if (result.outcome == sandbox::Outcome::ok) return {};
    // A person's last command in a shell may well have failed: that is no failure of ours.
    if (options.command.empty() && result.exit.signal == 0) return {};
    return base::fail(base::Code::failed, "{} in the root of {}: {}",
                      base::escape_untrusted(plan.argv.front()), toolchain.name,
                      result.detail.empty() ? result.exit.text() : result.detail);
}

base::Status run_remove(Session& session, const RemoveOptions& options) {
    sandbox::RootStore store(session.state().roots(), session.voice);
    SF_TRY(const Roots roots, store.list());
    const bool have_some = std::any_of(roots.begin(), roots.end(), [&](const auto& root) {
        return root.record.toolchain == options.name;
    });
    if (!have_some) {  // a toolchain that left the catalog may still have roots: only then look
        SF_TRY(const recipe::Catalog catalog, session.catalog());
        SF_CHECK(find_toolchain(catalog, options.name));
    }
    SF_TRY(const std::uint64_t freed, store.remove(options.name, options.keep_current));
    session.voice.line(fmt::format("{}: {} freed{}", options.name, base::human_bytes(freed),
                                   have_some ? "" : " (there was no root)"));
    session.voice.event("roots_removed", {{"toolchain", options.name}, {"freed", freed}});
    return {};
}

void add_toolchain_list(CLI::App& group, Session& session) {
    CLI::App* sub = group.add_subcommand("list", "The toolchains, and which have a root here");
    sub->fallthrough();
    sub->footer("Examples:\n  slurm-factory toolchain list\n  slurm-factory toolchain list --json");
    sub->callback([&session] { session.action = [&session] { return run_list(session); }; });
}

void add_prepare(CLI::App& group, Session& session) {
    const auto options = std::make_shared<PrepareOptions>();
    CLI::App* sub = group.add_subcommand(
        "prepare", "Make a toolchain's root from its distribution's signed archives");
    sub->add_option("NAME", options->name, "The toolchain, for instance bookworm")->required();
    sub->add_flag("--update", options->root.update,
                  "Make a new root with today's packages, even if there is one");
    add_mirror_options(*sub, options->root);
    sub->fallthrough();
    sub->footer(
        "A root is frozen: builds use the same one until --update makes another. Signatures of "
        "the\n"
        "archive are always checked. As an ordinary user this needs subordinate uids (doctor "
        "says).\n"
        "Examples:\n"
        "  slurm-factory toolchain prepare bookworm\n"
        "  slurm-factory toolchain prepare bookworm --update\n"
        "  slurm-factory toolchain prepare noble --mirror https://mirror.example.org/ubuntu");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_prepare(session, *options); };
    });
}

void add_shell(CLI::App& group, Session& session) {
    const auto options = std::make_shared<ShellOptions>();
    CLI::App* sub = group.add_subcommand(
        "shell",
        "A shell in a toolchain's root, to look around; makes the root if there is "
        "none (some minutes, needs a network)");
    sub->add_option("NAME", options->name, "The toolchain")->required();
    sub->add_option("COMMAND", options->command,
                    "An absolute program and its arguments, after --, instead of a shell");
    sub->fallthrough();
    sub->footer(
        "The sandbox is that of builds: the root is read-only, there is no network, nothing of "
        "this\n"
        "machine is seen.\n"
        "Examples:\n"
        "  slurm-factory toolchain shell bookworm\n"
        "  slurm-factory toolchain shell bookworm -- /usr/bin/gcc --version");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_shell(session, *options); };
    });
}

void add_remove(CLI::App& group, Session& session) {
    const auto options = std::make_shared<RemoveOptions>();
    CLI::App* sub = group.add_subcommand("remove", "Delete a toolchain's roots from this machine");
    sub->add_option("NAME", options->name, "The toolchain")->required();
    sub->add_flag("--keep-current", options->keep_current,
                  "Only the older ones; what builds use stays");
    sub->fallthrough();
    sub->footer(
        "Examples:\n"
        "  slurm-factory toolchain remove bookworm --keep-current\n"
        "  slurm-factory toolchain remove noble");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_remove(session, *options); };
    });
}

}  // namespace

void add_toolchain(CLI::App& app, Session& session) {
    CLI::App* group = add_command_group(
        app, "toolchain", "The distributions that are built for, and their roots on this machine");
    add_toolchain_list(*group, session);
    add_prepare(*group, session);
    add_shell(*group, session);
    add_remove(*group, session);
    group->footer(
        "Examples:\n"
        "  slurm-factory toolchain list\n"
        "  slurm-factory toolchain prepare bookworm");
}

}  // namespace sf::cli
