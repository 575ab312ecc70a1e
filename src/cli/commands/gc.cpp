// SPDX-License-Identifier: Apache-2.0
// gc: removes from a prefix what is old and what nothing needs.
#include <CLI/CLI.hpp>

#include <ctime>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/health_words.hpp"
#include "cli/prefix_choice.hpp"
#include "tree/collect.hpp"

namespace sf::cli {

namespace {

struct Options {
    std::string prefix;
    std::int64_t keep_days = tree::days_kept;
    bool no_other_hosts = false;
    bool dry_run = false;
};

base::Status run_gc(Session& session, const Options& options) {
    SF_TRY(const std::filesystem::path prefix, installed_prefix(options.prefix));
    tree::CollectOptions how;
    how.now = std::time(nullptr);
    how.keep_days = options.keep_days;
    how.no_other_hosts = options.no_other_hosts;
    how.removal = removal_options(session);
    SF_TRY(const tree::CollectPlan plan,
           options.dry_run ? tree::plan_collection(prefix, how) : tree::collect(prefix, how));
    base::Json kept = base::Json::array();
    for (const tree::Kept& each : plan.kept) {
        session.voice.line(fmt::format("kept {}: {}", base::escape_untrusted(each.what), each.why));
        kept.push_back({{"what", each.what}, {"why", each.why}});
    }
    say_unseen(session, plan.unseen);
    say_removal(session, plan.removal, plan.bytes, !options.dry_run);
    base::Json result = json_of(plan.removal);
    result["prefix"] = plan.prefix.native();
    result["kept"] = std::move(kept);
    result["bytes"] = plan.bytes;
    session.voice.event(options.dry_run ? "would_collect" : "collected", std::move(result));
    return {};
}

}  // namespace

void add_gc(CLI::App& app, Session& session) {
    CLI::App* command =
        app.add_subcommand("gc", "Remove from a prefix what is old, and what nothing needs");
    const auto options = std::make_shared<Options>();
    add_prefix_option(*command, options->prefix);
    constexpr std::int64_t most_days = 36'500;
    command
        ->add_option("--keep-days", options->keep_days,
                     "Keep what was installed within so many days (default: 60)")
        ->check(CLI::Range(std::int64_t{0}, most_days))
        ->type_name("N");
    command->add_flag("--no-other-hosts", options->no_other_hosts,
                      "You know that no other host runs anything from this prefix");
    command->add_flag("--dry-run", options->dry_run, "Say what would be removed; change nothing");
    command->fallthrough();
    command->footer(
        "Kept in any case: what is current, what a rollback goes back to, what a process of this\n"
        "host uses, what another host holds a lease on ('slurm-factory lease'). Where other hosts\n"
        "may run from the prefix (NFS, Lustre and the like) and do not say what, nothing is "
        "removed.\n"
        "Examples:\n"
        "  slurm-factory gc --dry-run\n"
        "  slurm-factory gc --keep-days 30 --prefix /opt/slurm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_gc(session, *options); };
    });
}

}  // namespace sf::cli
