// SPDX-License-Identifier: Apache-2.0
// fsck: mends of a prefix what the prefix itself keeps.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/health_words.hpp"
#include "cli/prefix_choice.hpp"
#include "tree/repair.hpp"

namespace sf::cli {

namespace {

struct Options {
    std::string prefix;
    bool set_aside = false;
    TrustChoice trust;
};

base::Status run_fsck(Session& session, const Options& options) {
    SF_TRY(const std::filesystem::path prefix, installed_prefix(options.prefix));
    tree::RepairOptions how;
    how.set_aside = options.set_aside;
    how.now = std::time(nullptr);
    SF_TRY(const SignatureJudge judge, SignatureJudge::create(session, options.trust));
    how.judge = judge.question();
    const tree::RemovalOptions seams = removal_options(session);
    how.waiting = seams.waiting;
    how.on_step = seams.on_step;
    SF_TRY(const tree::RepairReport report, tree::repair(prefix, how));
    for (const std::string& each : report.mended) session.voice.line("mended: " + each);
    for (const std::string& each : report.set_aside)
        session.voice.line("set aside: " + base::escape_untrusted(each));
    for (const std::string& each : report.left_why) session.voice.warning("{}", each);
    for (const std::string& each : report.left.notices)
        session.voice.notice("{}", base::escape_untrusted(each));
    say_defects(session, report.left);
    session.voice.event("checked", {{"prefix", prefix.native()},
                                    {"mended", report.mended},
                                    {"set_aside", report.set_aside},
                                    {"defects", report.left.defects.size()}});
    if (!report.left.defects.empty()) return defects_left(prefix, report.left);
    session.voice.line(base::escape_untrusted(prefix.native()) + " is what was installed");
    return {};
}

}  // namespace

void add_fsck(CLI::App& app, Session& session) {
    CLI::App* command =
        app.add_subcommand("fsck", "Mend of a prefix what it can mend from what it keeps");
    const auto options = std::make_shared<Options>();
    add_prefix_option(*command, options->prefix);
    command->add_flag("--set-aside", options->set_aside,
                      "Move damaged packages, and what cannot be read, to PREFIX/.sf-damaged");
    add_trust_options(*command, options->trust);
    command->fallthrough();
    command->footer(
        "Views, links, manifests and files of ours are made again from the generations; what dead\n"
        "installations left is removed. Packages come from a cache: set aside, they are fetched "
        "by\n"
        "'install'. Until then what needs them does not run. Exit code 1 if something is left.\n"
        "Examples:\n"
        "  slurm-factory fsck\n"
        "  slurm-factory fsck --set-aside --prefix /opt/slurm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_fsck(session, *options); };
    });
}

}  // namespace sf::cli
