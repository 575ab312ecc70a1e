// SPDX-License-Identifier: Apache-2.0
#include "tree/tree_install.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/sync_point.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/links.hpp"
#include "tree/prefix.hpp"
#include "tree/public_folder.hpp"
#include "tree/stages.hpp"
#include "tree/tree_matcher.hpp"
#include "tree/version_parts.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t block = 4096;
constexpr std::uint64_t slack = std::uint64_t{4} << 20;  // for the file system's own needs
constexpr unsigned readers = 4;                          // of packages that are there already

// Who is at the same without a lock makes the other begin again; not for ever.
constexpr int attempts = 100;

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

// What a rename says of a folder that is there, with something in it.
bool is_taken(int error) { return error == EEXIST || error == ENOTEMPTY; }

class Transaction {
public:
    Transaction(const TreeSource& source, fs::path prefix, const InstallOptions& options)
        : x_source(source), x_prefix(std::move(prefix)), x_options(options) {
        x_report.prefix = x_prefix;
    }

    Result<InstallReport> run() {
        SF_CHECK(check_lengths());
        SF_CHECK(step("prepare"));
        // A folder that is not there yet is not made in vain.
        fs::path there = x_prefix;
        while (!base::exists(there) && there.has_relative_path()) there = there.parent_path();
        if (there != x_prefix) SF_CHECK(check_space(there, x_source.tree));
        SF_CHECK(make_prefix(x_prefix));
        // Somebody may have made it, or a folder above it, since it was looked at.
        SF_TRY(const fs::path made, check_prefix(x_prefix));
        if (made != x_prefix)
            return fail(Code::refused, "{} has become {} meanwhile", shown(x_prefix), shown(made));
        if (x_options.held != nullptr) return alone(*x_options.held);
        SF_TRY(const Stages held, Stages::hold(x_prefix, x_options.waiting));
        return alone(held);
    }

private:
    Result<InstallReport> alone(const Stages& held) {
        SF_CHECK(held.remove_leftovers().map([](const auto&) {}));
        const fs::path& stages = held.path();
        SF_CHECK(look());
        if (!x_missing.empty() || !x_view_same || !x_assets_same || !x_manifest_same) {
            SF_CHECK(check_space(x_prefix, to_fill()));
            SF_TRY(const base::TempDir stage, base::TempDir::create(stages, "new-"));
            SF_CHECK(unpack(stage.path()));
            SF_CHECK(put_in_place(stage.path()));
            x_report.changed = true;
        }
        SF_TRY(const std::uint64_t generation, keep_generation(stages));
        SF_CHECK(switch_links(stages));
        SF_CHECK(drop_dead_links());
        if (generation != 0) {
            SF_CHECK(switch_link(stages, x_prefix / generations_folder / "current",
                                 std::to_string(generation)));
            x_report.generation = generation;
        }
        SF_CHECK(look_again(held, generation));
        return std::move(x_report);
    }

    // Who is kept out by no lock may have taken away what is in place now, or what it needs. He
    // looks for what is in place once he has done so (removal.cpp), as we look for all of it once
    // it is: where hosts see at once what others write, one of us two sees the other. It is no
    // step: who stops it now stops what is done.
    Status look_again(const Stages& held, std::uint64_t generation) {
        SF_TRY(const std::string gone, what_is_gone(generation));
        if (gone.empty()) return {};
        SF_CHECK(base::during(switch_back(held.path()), "switching back"));
        SF_CHECK(base::during(take_back(held), "taking away what was put in place"));
        return base::fail_hint(
            Code::refused,
            fmt::format("{} was taken away by another run meanwhile, which no lock keeps out of {}",
                        gone, shown(x_prefix)),
            "try again once nobody is at work there");
    }

    Result<std::string> what_is_gone(std::uint64_t generation) const {
        std::vector<std::string> paths = own_paths();
        if (generation != 0) paths.push_back(generation_path(generation));
        SF_TRY(std::string gone, first_absent(x_prefix, paths));
        if (!gone.empty() || x_options.leave_packages) return gone;
        return first_absent_package(x_prefix, x_source.bundle);
    }

    std::vector<std::string> own_paths() const {
        return tree::own_paths(x_source.bundle, !x_source.manifest_signature.empty());
    }

    // What this run has put in place says that a version is there, part of which is gone. Others
    // may have come to need it: who has made it current, and who has put its manifest back. They
    // look for the rest once they have done so, as we do for them.
    Status take_back(const Stages& held) {
        SF_TRY(Trash trash, Trash::create(held, x_prefix));
        if (x_kept != 0) SF_CHECK(trash.take(generation_path(x_kept)));
        for (const std::string& path : own_paths())
            if (x_put.contains(path)) SF_CHECK(trash.take(path));
        const model::Bundle& bundle = x_source.bundle;
        const std::string manifest = model::bundle_manifest_path(bundle.version);
        const auto points = [&](const std::string& link, const fs::path& target) -> Result<bool> {
            SF_TRY(const auto now, base::read_link(x_prefix / link));
            return now == target;
        };
        SF_TRY(const bool said, base::is_there(x_prefix / manifest));
        SF_TRY(const bool viewed, points(std::string(model::bundle_view_link),
                                         model::bundle_view_path(bundle.version)));
        SF_TRY(const bool named,
               points(fmt::format("{}/current", generations_folder), std::to_string(x_kept)));
        if (said || viewed || named) SF_CHECK(trash.give_back());
        SF_CHECK(
            withdraw_unless_whole(trash, x_prefix, bundle, !x_source.manifest_signature.empty()));
        const fs::path fresh = trash.place_of(".link");
        SF_CHECK(make_another_current(fresh));
        SF_CHECK(fit_current_links(x_prefix, fresh));
        return trash.empty();
    }

    // Where what was current before is gone as well, so that nothing is.
    Status make_another_current(const fs::path& fresh) {
        const fs::path view = x_prefix / model::bundle_view_link;
        for (int attempt = 0; attempt < attempts; ++attempt) {
            SF_TRY(const bool any, base::is_there(view));
            if (any) return {};
            SF_TRY(const auto whole, newest_whole(x_prefix));
            if (!whole) return {};
            const std::string path = model::bundle_view_path(whole->generation.version);
            const std::string number = std::to_string(whole->generation.number);
            SF_CHECK(tree::point(view, path, fresh));
            SF_CHECK(tree::point(x_prefix / generations_folder / "current", number, fresh));
            SF_TRY(const auto still, newest_whole(x_prefix));
            SF_TRY(const auto now, base::read_link(view));
            const bool others = now != fs::path(path);
            if (others || (still && still->generation.number == whole->generation.number))
                return {};
            SF_CHECK(base::remove_file(view));
        }
        return {};
    }

    // To what they led to before, if that is there still; which somebody may be taking away as
    // well. What another has switched since is his.
    Status switch_back(const fs::path& stages) {
        for (auto each = x_switched.rbegin(); each != x_switched.rend(); ++each) {
            SF_TRY(auto now, base::read_link(each->link));
            if (now != each->target) continue;
            const fs::path folder = each->link.parent_path();
            if (each->before && base::exists(folder / *each->before)) {
                SF_CHECK(point(stages, each->link, *each->before));
                SF_TRY(now, base::read_link(each->link));
                if (now != each->before || base::exists(folder / *each->before)) continue;
            }
            SF_CHECK(base::remove_file(each->link));
            SF_CHECK(base::fsync_dir(folder));
        }
        return {};
    }

    static Status point(const fs::path& stages, const fs::path& link, const fs::path& target) {
        SF_TRY(const base::TempDir room, base::TempDir::create(stages, "link-"));
        return tree::point(link, target, room.path() / "link");
    }

    Status step(std::string_view name) {
        SF_CHECK(base::check_stop());
        return x_options.on_step ? x_options.on_step(name) : Status();
    }

    Status check_lengths() const {
        const auto longest = std::ranges::max_element(
            x_source.tree, {}, [](const model::FileEntry& entry) { return entry.path.size(); });
        const std::string staged = fmt::format("{}/new-XXXXXX/{}", stage_folder, longest->path);
        return check_path_length(x_prefix, staged);
    }

    [[nodiscard]] fs::path store_path(const std::string& name) const {
        return x_prefix / model::bundle_store_path(name);
    }

    // What is there already. A package's folder is there whole or not at all, so one that differs
    // was changed by somebody, and nothing is done over their work.
    Status look() {
        SF_CHECK(step("look"));
        std::vector<base::Task> reads;
        // The folder's own names, as the server has them now: of single ones NFS believes for a
        // time that they are there, or not, though another host has changed that.
        const fs::path store = x_prefix / model::bundle_store_folder;
        SF_TRY(const bool has_store, base::is_there(store));
        if (has_store) SF_CHECK(check_folder(store));
        SF_TRY(const std::vector<std::string> stored, base::list_dir_if_exists(store));
        for (const model::Package& package : x_source.bundle.packages) {
            const std::string name = package.store_name();
            if (x_options.leave_packages) continue;
            if (!std::ranges::binary_search(stored, name)) {
                x_missing.push_back(name);
                continue;
            }
            x_report.kept.push_back(name);
            // What is asked for comes last, and is the largest: it is read first.
            reads.insert(reads.begin(), [this, &package] { return check_same(package); });
        }
        SF_CHECK(base::run_batch(reads, readers));
        const model::Bundle& bundle = x_source.bundle;
        x_view_same = match_folder(x_prefix / model::bundle_view_path(bundle.version),
                                   with_folders(bundle.view))
                          .has_value();
        SF_TRY(x_assets_same, look_at_assets());
        x_manifest_same =
            holds(model::bundle_manifest_path(bundle.version), x_source.manifest_text) &&
            (x_source.manifest_signature.empty() ||
             holds(model::bundle_manifest_signature_path(bundle.version),
                   x_source.manifest_signature));
        // What cannot be read is told before anything changes.
        SF_TRY(x_generations, list_generations(x_prefix));
        return {};
    }

    Status check_same(const model::Package& package) const {
        const fs::path path = store_path(package.store_name());
        Status same = match_folder(path, with_folders(package.files));
        if (same) return {};
        if (same.error().code != Code::refused) return same;
        return base::fail_hint(
            Code::refused,
            fmt::format("{} exists and is not what this bundle brings: {}", shown(path),
                        same.error().text()),
            "if nothing uses it, move it away (slurm-factory fsck --set-aside) and install again");
    }

    // Its own folder of assets, and the modulefile.
    Result<bool> look_at_assets() const {
        const model::Bundle& bundle = x_source.bundle;
        if (bundle.assets.empty()) return true;
        SF_TRY(const std::vector<model::FileEntry> own,
               entries_below(bundle.assets, model::bundle_assets_path(bundle.version)));
        if (!match_folder(x_prefix / model::bundle_assets_path(bundle.version), own)) return false;
        for (const model::FileEntry& entry : bundle.assets) {
            if (entry.path == modulefile() && !match_entry(x_prefix, entry)) return false;
        }
        return true;
    }

    [[nodiscard]] std::string modulefile() const {
        return model::bundle_modulefile_path(x_source.bundle.version, x_source.bundle.toolchain);
    }

    [[nodiscard]] bool holds(const std::string& path, std::string_view content) const {
        const auto text = base::read_file_if_exists(x_prefix / path);
        return text && *text && **text == content;
    }

    [[nodiscard]] Status check_space(const fs::path& there,
                                     const std::vector<model::FileEntry>& entries) const {
        std::uint64_t needed = slack;
        for (const model::FileEntry& entry : entries) {
            needed += (entry.size + block - 1) / block * block + block / 4;
        }
        SF_TRY(const std::uint64_t free, base::free_space(there));
        if (free >= needed) return {};
        return base::fail_hint(
            Code::exhausted,
            fmt::format("not enough space: {} needs {} in {}, where {} are free", x_source.name,
                        base::human_bytes(needed), shown(x_prefix), base::human_bytes(free)),
            "free some there, or choose another folder: --prefix DIR");
    }

    [[nodiscard]] Wanted wanted() const {
        return {
            {x_missing.begin(), x_missing.end()}, !x_view_same, !x_assets_same, !x_manifest_same};
    }
    [[nodiscard]] std::vector<model::FileEntry> to_fill() const {
        if (!x_source.partial) return x_source.tree;
        return wanted_entries(x_source.bundle, x_source.tree, wanted());
    }

    Status unpack(const fs::path& stage) {
        SF_TRY(const base::SyncPoint synced, base::SyncPoint::open(stage));
        SF_CHECK(step("unpack"));
        SF_TRY(const std::vector<model::FileEntry> made, x_source.fill(stage, wanted()));
        SF_CHECK(step("compare"));
        TreeMatcher matcher(to_fill());
        for (const model::FileEntry& entry : made) SF_CHECK(matcher.see(entry));
        SF_CHECK(matcher.finish());
        SF_CHECK(step("sync"));
        return synced.sync(stage);
    }

    Status put_in_place(const fs::path& stage) {
        const model::Bundle& bundle = x_source.bundle;
        for (std::string_view folder : {model::bundle_store_folder, model::bundle_views_folder,
                                        model::bundle_manifests_folder}) {
            SF_CHECK(make_public_folder(x_prefix / folder));
        }
        SF_CHECK(base::fsync_dir(x_prefix));
        for (const model::Package& package : bundle.packages) {
            const std::string name = package.store_name();
            if (std::ranges::find(x_missing, name) == x_missing.end()) continue;
            SF_CHECK(step("package " + name));
            SF_CHECK(put_package(stage, package));
        }
        SF_CHECK(base::fsync_dir(x_prefix / model::bundle_store_folder));
        SF_CHECK(step("view"));
        if (!x_view_same) {
            SF_CHECK(put_folder(stage, model::bundle_view_path(bundle.version),
                                with_folders(bundle.view)));
        }
        if (!x_assets_same) {
            SF_CHECK(step("assets"));
            SF_CHECK(put_assets(stage));
        }
        SF_CHECK(step("manifest"));
        return put_manifest(stage);
    }

    Status put_package(const fs::path& stage, const model::Package& package) {
        const std::string name = package.store_name();
        const fs::path to = store_path(name);
        // A folder does not replace one with something in it: whoever was first has won.
        const fs::path from = stage / model::bundle_store_path(name);
        const int error = base::rename_errno(from, to);
        if (error == 0) {
            x_report.installed.push_back(name);
            return {};
        }
        if (!is_taken(error)) return base::fail_rename(error, from, to);
        SF_CHECK(check_same(package));
        x_report.kept.push_back(name);
        return {};
    }

    // Another build of this version may have left one: they are exchanged in one step where the
    // file system can, else there is a moment without one. A program that was looking for a file
    // through the old one at that moment still finds it: it stays for a while, and the way from it
    // to the store stays open. `expected`: what is in it; where nobody is kept out another may have
    // put the same there meanwhile, or something else, or taken it away.
    Status put_folder(const fs::path& stage, const std::string& path,
                      const std::vector<model::FileEntry>& expected) {
        const fs::path to = x_prefix / path;
        SF_CHECK(open_way_to_store(stage));
        for (int attempt = 0; attempt < attempts; ++attempt) {
            if (match_folder(to, expected)) return base::fsync_dir(to.parent_path());
            const int free = base::rename_errno(stage / path, to);
            if (free == 0) {
                x_put.insert(path);
                return base::fsync_dir(to.parent_path());
            }
            if (!is_taken(free) && free != ENOTDIR)
                return base::fail_rename(free, stage / path, to);
            SF_CHECK(replace(stage, path));
            x_put.insert(path);
        }
        return fail(Code::refused, "{} is put there again and again by others", shown(to));
    }

    // Afterwards it is what the stage has, or free.
    Status replace(const fs::path& stage, const std::string& path) {
        const fs::path from = stage / path;
        const fs::path to = x_prefix / path;
        if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0)
            return retire(stage.parent_path(), path, from);
        if (errno == ENOENT) return {};  // free already
        if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
            return base::fail_errno(errno, "exchange " + shown(to));
        Status retired = retire(stage.parent_path(), path, to);
        if (!retired && retired.error().code == Code::absent) return {};
        return retired;
    }

    // What is retired from `path` below the prefix.
    Status retire(const fs::path& stages, const std::string& path, const fs::path& folder) {
        SF_TRY(base::TempDir old, base::TempDir::create(stages, retired_stage));
        SF_CHECK(open_way_to_store(old.path()));
        SF_CHECK(make_public_folders((old.path() / path).parent_path()));
        SF_CHECK(base::rename(folder, old.path() / path));
        old.release();
        return {};
    }

    // A view's links lead to "../../../store": so they do from a view that is moved below `folder`
    // while a program, of whatever user, is on its way.
    Status open_way_to_store(const fs::path& folder) {
        const fs::path way = folder / model::bundle_store_folder;
        if (base::is_dir(way)) SF_CHECK(base::rename(way, folder / "left"));
        SF_CHECK(base::make_symlink(fs::absolute(x_prefix / model::bundle_store_folder), way));
        if (::chmod(folder.c_str(), 0711) != 0)
            return base::fail_errno(errno, "set the mode of " + shown(folder));
        return {};
    }

    Status put_assets(const fs::path& stage) {
        const model::Bundle& bundle = x_source.bundle;
        const std::string folder = model::bundle_assets_path(bundle.version);
        SF_TRY(const bool has_folder, base::is_there(stage / folder));
        if (has_folder) {
            SF_CHECK(make_public_folder(x_prefix / "data"));
            SF_CHECK(make_public_folder(x_prefix / model::bundle_assets_folder));
            SF_TRY(const std::vector<model::FileEntry> own, entries_below(bundle.assets, folder));
            SF_CHECK(put_folder(stage, folder, own));
        }
        SF_TRY(const bool has_module, base::is_there(stage / modulefile()));
        if (has_module) {
            SF_CHECK(make_public_folder(x_prefix / "modules"));
            SF_CHECK(make_public_folder(x_prefix / model::bundle_modules_folder));
            SF_CHECK(base::rename(stage / modulefile(), x_prefix / modulefile()));
            x_put.insert(modulefile());
            SF_CHECK(base::fsync_dir(x_prefix / model::bundle_modules_folder));
        }
        return base::fsync_dir(x_prefix);
    }

    Status put_manifest(const fs::path& stage) {
        if (x_manifest_same) return {};
        const std::string version = x_source.bundle.version;
        const std::string manifest = model::bundle_manifest_path(version);
        const std::string signature = model::bundle_manifest_signature_path(version);
        // An old signature never stands beside a new manifest.
        SF_CHECK(base::remove_file(x_prefix / signature));
        SF_CHECK(base::rename(stage / manifest, x_prefix / manifest));
        x_put.insert(manifest);
        if (!x_source.manifest_signature.empty()) {
            SF_CHECK(base::rename(stage / signature, x_prefix / signature));
            x_put.insert(signature);
        }
        return base::fsync_dir(x_prefix / model::bundle_manifests_folder);
    }

    // The number of the one that this is; 0: none is kept. One that is current stays the same.
    Result<std::uint64_t> keep_generation(const fs::path& stages) {
        if (x_options.returns_to != 0) return x_options.returns_to;
        if (!x_options.record || !x_options.switch_view) return 0;
        const model::Bundle& bundle = x_source.bundle;
        Generation next;
        next.version = bundle.version;
        next.toolchain = bundle.toolchain;
        next.manifest = base::sha256(x_source.manifest_text);
        next.origin = x_options.record->origin;
        next.made = x_options.record->made;
        SF_TRY(const auto current, current_generation(x_prefix));
        if (current && current->manifest == next.manifest) return current->number;
        next.came_from = current ? current->number : 0;
        // Ended after it was kept and before it was current: it is this one.
        if (!x_generations.empty() && x_generations.back().manifest == next.manifest &&
            x_generations.back().came_from == next.came_from)
            return x_generations.back().number;
        SF_CHECK(step("generation"));
        for (int attempt = 0; attempt < attempts; ++attempt) {
            SF_TRY(next.number, next_generation(x_prefix));
            SF_TRY(const bool kept, keep(stages, next));
            if (kept) return next.number;
        }
        return fail(Code::refused, "others keep generations in {} again and again",
                    shown(x_prefix));
    }

    // False: where nobody is kept out another had the number meanwhile.
    Result<bool> keep(const fs::path& stages, const Generation& next) {
        SF_TRY(base::TempDir room, base::TempDir::create(stages, "generation-"));
        SF_CHECK(fill_generation(room.path(), x_prefix, next, x_source.bundle,
                                 x_source.manifest_text, x_source.manifest_signature));
        SF_CHECK(make_public_folder(x_prefix / generations_folder));
        const fs::path to = x_prefix / generation_path(next.number);
        const int error = base::rename_errno(room.path(), to);
        if (is_taken(error)) return false;
        if (error != 0) return base::fail_rename(error, room.path(), to);
        room.release();
        x_kept = next.number;
        x_report.changed = true;
        SF_CHECK(base::fsync_dir(x_prefix / generations_folder));
        return true;
    }

    Status switch_links(const fs::path& stages) {
        for (const model::FileEntry& link : model::bundle_links(x_source.bundle)) {
            // Unless all are switched, what points to another version stays so. What points
            // nowhere yet is nobody's, and the tree is not whole without it.
            if (!x_options.switch_view) {
                SF_TRY(const bool there, base::is_there(x_prefix / link.path));
                if (link.path == model::bundle_view_link || there) continue;
            }
            SF_CHECK(make_folders_above(link.path));
            SF_CHECK(switch_link(stages, x_prefix / link.path, link.target));
        }
        return {};
    }

    // Another build of this version may have had module files that this one has not.
    Status drop_dead_links() {
        const fs::path folder = x_prefix / model::bundle_hierarchy_folder;
        const fs::path assets = x_prefix / model::bundle_assets_path(x_source.bundle.version) / "";
        std::error_code error;
        std::vector<fs::path> dead;
        for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
             it.increment(error)) {
            const fs::path target = fs::read_symlink(it->path(), error);
            if (error) {
                error.clear();  // no symlink
                continue;
            }
            const fs::path leads_to = (it->path().parent_path() / target).lexically_normal();
            if (!leads_to.native().starts_with(assets.native())) continue;
            SF_TRY(const bool there, base::is_there(leads_to));
            if (!there) dead.push_back(it->path());
        }
        for (const fs::path& link : dead) {
            SF_CHECK(base::remove_file(link));
            SF_CHECK(base::fsync_dir(link.parent_path()));
            x_report.changed = true;
        }
        return {};
    }

    // Those of the module hierarchy are no folder of any version's own.
    Status make_folders_above(const std::string& path) {
        for (std::size_t slash = path.find('/'); slash != std::string::npos;
             slash = path.find('/', slash + 1))
            SF_CHECK(make_public_folder(x_prefix / path.substr(0, slash)));
        return {};
    }

    Status switch_link(const fs::path& stages, const fs::path& link, const fs::path& target) {
        std::error_code error;
        const fs::file_status status = fs::symlink_status(link, error);
        if (status.type() == fs::file_type::none)
            return base::fail_errno(error.value(), "look at " + shown(link));
        SF_TRY(auto before, base::read_link(link));
        if (before == target) return {};
        if (status.type() != fs::file_type::symlink && status.type() != fs::file_type::not_found) {
            return fail(Code::refused, "{} is in the way: it is not a symlink", shown(link));
        }
        SF_CHECK(step("switch"));
        x_switched.push_back({link, target, std::move(before)});
        SF_CHECK(point(stages, link, target));
        x_report.changed = true;
        return {};
    }

    const TreeSource& x_source;
    fs::path x_prefix;
    const InstallOptions& x_options;
    InstallReport x_report;
    std::vector<std::string> x_missing;
    bool x_view_same = false;
    bool x_assets_same = false;
    bool x_manifest_same = false;
    std::vector<Generation> x_generations;
    // By this run: of own_paths(), and the number of the generation; 0: none.
    std::set<std::string> x_put;
    std::uint64_t x_kept = 0;
    struct Switched {
        fs::path link;
        fs::path target;
        std::optional<fs::path> before;  // what it led to
    };
    std::vector<Switched> x_switched;
};

}  // namespace

Result<std::vector<model::FileEntry>> whole_tree(const model::Bundle& bundle,
                                                 const std::string& manifest_text,
                                                 const std::string& manifest_signature) {
    SF_TRY(std::vector<model::FileEntry> all, model::bundle_tree(bundle));
    const auto add_text = [&](std::string path, const std::string& content) {
        model::FileEntry entry;
        entry.path = std::move(path);
        entry.size = content.size();
        entry.sha256 = base::sha256(content);
        all.push_back(std::move(entry));
    };
    model::FileEntry manifests;
    manifests.path = model::bundle_manifests_folder;
    manifests.type = model::EntryType::directory;
    all.push_back(manifests);
    add_text(model::bundle_manifest_path(bundle.version), manifest_text);
    if (!manifest_signature.empty())
        add_text(model::bundle_manifest_signature_path(bundle.version), manifest_signature);
    // Folders before what is in them.
    std::ranges::sort(all, {}, &model::FileEntry::path);
    return all;
}

std::vector<model::FileEntry> wanted_entries(const model::Bundle& bundle,
                                             const std::vector<model::FileEntry>& tree,
                                             const Wanted& wanted) {
    std::set<std::string, std::less<>> tops;
    for (const std::string& name : wanted.packages) tops.insert(model::bundle_store_path(name));
    if (wanted.view) tops.insert(model::bundle_view_path(bundle.version));
    if (wanted.assets && !bundle.assets.empty()) {
        tops.insert(model::bundle_assets_path(bundle.version));
        tops.insert(model::bundle_modulefile_path(bundle.version, bundle.toolchain));
    }
    if (wanted.manifest) {
        tops.insert(model::bundle_manifest_path(bundle.version));
        tops.insert(model::bundle_manifest_signature_path(bundle.version));
    }
    std::vector<model::FileEntry> entries;
    for (const model::FileEntry& entry : tree) {
        // At a top or below it; or a folder above one.
        bool wanted_here = false;
        for (std::size_t end = 0; end != std::string::npos && !wanted_here;) {
            end = entry.path.find('/', end + 1);
            wanted_here = tops.contains(std::string_view(entry.path).substr(0, end));
        }
        if (!wanted_here && entry.type == model::EntryType::directory) {
            const auto next = tops.lower_bound(entry.path + '/');
            wanted_here = next != tops.end() && next->starts_with(entry.path + '/');
        }
        if (wanted_here) entries.push_back(entry);
    }
    return entries;
}

Result<InstallReport> install_tree(const TreeSource& source, const fs::path& prefix,
                                   const InstallOptions& options) {
    SF_TRY(fs::path resolved, check_prefix(prefix));
    const std::string where = "installing to " + shown(resolved);
    return base::during(Transaction(source, std::move(resolved), options).run(), where);
}

}  // namespace sf::tree
