// SPDX-License-Identifier: Apache-2.0
// clean: deletes what runs left behind; with --full also what can be had again.
#include <CLI/CLI.hpp>
#include <sys/stat.h>

#include <cstdlib>
#include <map>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/clean_plan.hpp"
#include "cli/commands.hpp"
#include "sandbox/root_record.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

struct CleanOptions {
    bool full = false;
    bool dry_run = false;
};

// A slip in --state-dir must not reach /store or ~/packages of somebody else.
base::Status check_folder(const build::StateDir& state) {
    const std::string name = base::escape_untrusted(state.path.string());
    const char* home = ::getenv("HOME");
    const bool is_home =
        home != nullptr && *home != '\0' && state.path == fs::path(home).lexically_normal();
    if (state.path == "/" || is_home) {
        return base::fail_hint(base::Code::refused,
                               name + " is no folder of slurm-factory's own: nothing is deleted",
                               "slurm-factory clean --state-dir ~/.slurm-factory");
    }
    struct stat info {};
    if (::lstat(state.path.c_str(), &info) == 0 && info.st_uid != ::geteuid()) {
        return base::fail_hint(
            base::Code::refused,
            fmt::format("{} belongs to user {}, not to you: nothing is deleted", name, info.st_uid),
            "run clean as that user");
    }
    return {};
}

// Has a build, a download or a root left its mark here?
base::Status check_marks(const build::StateDir& state) {
    if (base::is_dir(state.locks()) || base::is_dir(state.sources() / "partial")) return {};
    for (const std::string& toolchain : base::list_dir(state.roots()).value_or(Names{}))
        if (base::exists(state.roots() / toolchain / sandbox::root_names::lock)) return {};
    return base::fail_hint(
        base::Code::refused,
        fmt::format("{} does not look like a folder of slurm-factory's: nothing is deleted",
                    base::escape_untrusted(state.path.string())),
        "slurm-factory clean --dry-run -v shows what would be; delete that yourself if it is "
        "right");
}

struct Sum {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
};

base::Status run_clean(Session& session, const CleanOptions& options) {
    const build::StateDir state = session.state();
    SF_CHECK(check_folder(state));
    // In this order: a build takes its lock before it makes anything, so what is listed has a lock
    // file by now, and holding them all means that nobody works on it.
    SF_TRY(const std::vector<CleanItem> items, plan_clean(state, {.full = options.full}));
    SF_TRY(const std::vector<base::Fd> locks, lock_everything(state));

    std::map<std::string, Sum> sums;
    std::uint64_t total = 0;
    for (const CleanItem& item : items) {
        Sum& sum = sums[item.kind];
        ++sum.count;
        sum.bytes += item.bytes;
        total += item.bytes;
        session.voice.debug("{} ({})", base::escape_untrusted(item.path.string()), item.kind);
        session.voice.event(
            "clean_item",
            {{"kind", item.kind}, {"path", item.path.string()}, {"bytes", item.bytes}});
    }
    for (const auto& [kind, sum] : sums) {
        session.voice.line(
            fmt::format("{:<18} {:>5} {:>11}", kind, sum.count, base::human_bytes(sum.bytes)));
    }
    if (!options.dry_run) {
        if (!items.empty()) SF_CHECK(check_marks(state));
        SF_TRY(total, delete_items(items));
    }
    session.voice.line(fmt::format("{} {} in {}", base::human_bytes(total),
                                   options.dry_run ? "would be freed" : "freed",
                                   base::escape_untrusted(state.path.string())));
    session.voice.event("cleaned", {{"state_dir", state.path.string()},
                                    {"bytes", total},
                                    {"items", items.size()},
                                    {"dry_run", options.dry_run}});
    return {};
}

}  // namespace

void add_clean(CLI::App& app, Session& session) {
    const auto options = std::make_shared<CleanOptions>();
    CLI::App* sub = app.add_subcommand("clean", "Delete what runs left behind in the state folder");
    sub->add_flag(
        "--full", options->full,
        "Also packages, roots, sources and the compiler cache: all that can be had again");
    sub->add_flag("-n,--dry-run", options->dry_run, "Only say what would be deleted, and how much");
    sub->fallthrough();
    sub->footer(
        "Without --full: unfinished builds, logs of all but the latest three runs, partial\n"
        "downloads, temporary files. Keys and finished bundles (builds/) are never deleted. Asks\n"
        "nothing; refuses while another slurm-factory works in the same folder.\n"
        "Examples:\n"
        "  slurm-factory clean\n"
        "  slurm-factory clean --full --dry-run");
    sub->callback([&session, options] {
        session.action = [&session, options] { return run_clean(session, *options); };
    });
}

}  // namespace sf::cli
