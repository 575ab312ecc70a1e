// SPDX-License-Identifier: Apache-2.0
#include "cli/clean_plan.hpp"

#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <functional>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "sandbox/root_record.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

namespace {

using Wanted = std::function<bool(const std::string& name)>;

bool is_litter(const std::string& name) {
    // Names of temporary files and folders: base/atomic_file, build/package_store, publish,
    // sandbox.
    return name.starts_with(".tmp-") || name.starts_with(".old-") || name.starts_with(".staging-");
}

bool is_lock(const std::string& name) { return name.ends_with(".lock"); }

bool not_lock(const std::string& name) { return !is_lock(name); }

bool is_current(const std::string& name) { return name == sandbox::root_names::current; }

class Planner {
public:
    // Entries of `folder` that are wanted; absent or a symlink: none.
    base::Status add(const std::string& kind, const fs::path& folder, const Wanted& wanted) {
        if (!base::is_dir(folder)) return {};
        SF_TRY(const std::vector<std::string> names, base::list_dir(folder));
        for (const std::string& name : names) {
            if (wanted(name)) add(kind, folder / name);
        }
        return {};
    }
    // The same, `depth` levels of folders down, too.
    base::Status add_below(const std::string& kind, const fs::path& folder, int depth,
                           const Wanted& wanted) {
        if (!base::is_dir(folder)) return {};
        SF_CHECK(add(kind, folder, wanted));
        if (depth == 0) return {};
        SF_TRY(const std::vector<std::string> names, base::list_dir(folder));
        for (const std::string& name : names) {
            if (!wanted(name)) SF_CHECK(add_below(kind, folder / name, depth - 1, wanted));
        }
        return {};
    }
    void add(const std::string& kind, const fs::path& path) {
        x_items.push_back({kind, path, base::disk_usage(path)});
    }
    std::vector<CleanItem> take() { return std::move(x_items); }

private:
    std::vector<CleanItem> x_items;
};

// Names of runs sort by time (build-slurm's run ids); other entries are not ours to count.
base::Status add_old_logs(Planner& planner, const fs::path& logs, std::size_t kept) {
    if (!base::is_dir(logs)) return {};
    SF_TRY(std::vector<std::string> runs, base::list_dir(logs));
    std::erase_if(runs, [&](const std::string& name) { return !base::is_dir(logs / name); });
    std::sort(runs.begin(), runs.end());
    const std::size_t old = runs.size() > kept ? runs.size() - kept : 0;
    for (std::size_t i = 0; i < old; ++i) planner.add("old logs", logs / runs[i]);
    return {};
}

base::Status add_full(Planner& planner, const build::StateDir& state) {
    SF_CHECK(planner.add("packages", state.packages(), not_lock));
    SF_CHECK(planner.add("unpacked packages", state.store(), not_lock));
    SF_CHECK(planner.add("compiler cache", state.ccache(), not_lock));
    SF_CHECK(planner.add("sources", state.sources() / "sha256", not_lock));
    if (!base::is_dir(state.roots())) return {};
    SF_TRY(const std::vector<std::string> toolchains, base::list_dir(state.roots()));
    for (const std::string& toolchain : toolchains) {
        // The name first, then what it names: a stop in between leaves nothing half there. For the
        // same reason packages stand before their trees above.
        const fs::path folder = state.roots() / toolchain;
        SF_CHECK(planner.add("roots", folder, is_current));
        SF_CHECK(planner.add("roots", folder, [](const std::string& name) {
            return !is_current(name) && !is_lock(name);
        }));
    }
    return {};
}

}  // namespace

base::Result<std::vector<CleanItem>> plan_clean(const build::StateDir& state,
                                                const CleanRequest& request) {
    Planner planner;
    SF_CHECK(
        planner.add("unfinished builds", state.work(), [](const std::string&) { return true; }));
    SF_CHECK(add_old_logs(planner, state.logs(), request.full ? 0 : request.kept_logs));
    SF_CHECK(planner.add_below("temporary files", state.builds(), 2, is_litter));
    SF_CHECK(planner.add("partial downloads", state.sources() / "partial", not_lock));
    if (request.full) {
        SF_CHECK(add_full(planner, state));
        return planner.take();
    }
    SF_CHECK(planner.add_below("temporary files", state.packages(), 1, is_litter));
    SF_CHECK(planner.add("temporary files", state.store(), is_litter));
    SF_CHECK(planner.add_below("temporary files", state.roots(), 1, is_litter));
    return planner.take();
}

base::Result<std::vector<base::Fd>> lock_everything(const build::StateDir& state) {
    std::vector<fs::path> files;
    for (const auto& [folder, depth] : {std::pair{state.locks(), 0}, std::pair{state.sources(), 2},
                                        std::pair{state.roots(), 1}}) {
        Planner planner;
        SF_CHECK(planner.add_below("", folder, depth, is_lock));
        for (CleanItem& item : planner.take()) files.push_back(std::move(item.path));
    }
    std::vector<base::Fd> held;
    for (const fs::path& file : files) {
        if (base::is_dir(file)) continue;
        SF_TRY(base::Fd fd, base::open_file(file, O_RDWR));
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
            held.push_back(std::move(fd));
        } else if (errno == EWOULDBLOCK) {
            return base::fail_hint(base::Code::refused,
                                   fmt::format("{} is in use: {} is held by another slurm-factory",
                                               base::escape_untrusted(state.path.string()),
                                               base::escape_untrusted(file.string())),
                                   "wait for it to end, or stop it, then: slurm-factory clean");
        } else if (errno != ENOLCK && errno != EOPNOTSUPP) {
            return base::fail_errno(errno, "lock " + base::escape_untrusted(file.string()));
        }
    }
    return held;
}

base::Result<std::uint64_t> delete_items(const std::vector<CleanItem>& items) {
    std::uint64_t freed = 0;
    std::vector<std::string> failures;
    for (const CleanItem& item : items) {
        SF_CHECK(base::check_stop());
        if (const base::Status status = base::remove_tree(item.path); status) {
            freed += item.bytes;
        } else {
            failures.push_back(status.error().text());
        }
    }
    if (failures.empty()) return freed;
    return base::fail(base::Code::failed, "{} of {} things could not be deleted:\n  {}",
                      failures.size(), items.size(), base::join(failures, "\n  "));
}

}  // namespace sf::cli
