// SPDX-License-Identifier: Apache-2.0
#include "tree/removal.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/links.hpp"
#include "tree/version_parts.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::Status;

namespace {

class CarryOut {
public:
    CarryOut(const fs::path& prefix, const Contents& contents, const Removal& removal,
             const RemovalOptions& options, bool alone, Trash& trash)
        : x_prefix(prefix),
          x_contents(contents),
          x_removal(removal),
          x_options(options),
          x_alone(alone),
          x_trash(trash) {}

    Status run() {
        if (x_removal.everything) {
            // Nothing is current before something of it is gone.
            SF_CHECK(step("current"));
            SF_CHECK(drop_link(fmt::format("{}/current", generations_folder)));
            SF_CHECK(drop_link(std::string(model::bundle_view_link)));
        }
        for (const InPlace& each : x_contents.versions)
            if (x_removal.versions.contains(each.version)) SF_CHECK(take_version(each));
        for (const std::string& path : x_removal.loose) {
            SF_CHECK(step("loose " + path));
            SF_CHECK(x_trash.take(path));
        }
        SF_CHECK(drop_dead_links());
        SF_CHECK(hand_on_current());
        for (const std::uint64_t number : x_removal.generations) {
            SF_CHECK(step(fmt::format("generation {}", number)));
            SF_CHECK(x_trash.take(generation_path(number)));
        }
        SF_CHECK(take_packages());
        SF_CHECK(step("look again"));
        SF_CHECK(still_unneeded());
        if (!x_alone) SF_CHECK(fit_links());
        return still_unused();
    }

    Status put_back() {
        SF_CHECK(x_trash.give_back());
        for (const auto& [link, target] : x_dropped) {
            SF_TRY(const bool there, base::is_there(link));
            if (!there) SF_CHECK(base::make_symlink(target, link));
        }
        if (x_alone) return {};
        for (const InPlace& each : x_contents.versions)
            if (x_removal.versions.contains(each.version))
                SF_CHECK(withdraw_unless_whole(x_trash, x_prefix, each.bundle,
                                               !each.manifest_signature.empty()));
        for (const KeptGeneration& kept : x_contents.generations)
            if (x_removal.generations.contains(kept.generation.number))
                SF_CHECK(withdraw_unless_whole(x_trash, x_prefix, kept));
        return fit_links();
    }

private:
    // What led nowhere when one of two looked may lead somewhere by what the other put back.
    Status fit_links() { return fit_current_links(x_prefix, x_trash.place_of(".link")); }

    Status step(const std::string& name) {
        SF_CHECK(base::check_stop());
        return x_options.on_step ? x_options.on_step(name) : Status();
    }

    Status drop_link(const std::string& path) {
        const fs::path link = x_prefix / path;
        SF_TRY(const auto target, base::read_link(link));
        if (!target) return {};
        x_dropped.emplace_back(link, *target);
        SF_CHECK(base::remove_file(link));
        return base::fsync_dir(link.parent_path());
    }

    Status point(const std::string& path, const fs::path& target,
                 const std::optional<timespec>& time = {}) {
        return tree::point(x_prefix / path, target, x_trash.place_of(".link"), time);
    }

    // Links first, that lead into it; then what says that it is there; then itself.
    Status take_version(const InPlace& each) {
        const std::string& version = each.version;
        SF_CHECK(step("links " + version));
        for (const model::FileEntry& link : model::bundle_links(each.bundle)) {
            SF_TRY(const auto target, base::read_link(x_prefix / link.path));
            if (target != fs::path(link.target)) continue;
            // What is current is not removed: it has become so meanwhile.
            if (link.path == model::bundle_view_link) return is_needed(link.target);
            SF_CHECK(hand_on_link(link));
        }
        SF_CHECK(step("manifest " + version));
        SF_CHECK(x_trash.take(model::bundle_manifest_path(version)));
        SF_CHECK(x_trash.take(model::bundle_manifest_signature_path(version)));
        SF_CHECK(step("view " + version));
        SF_CHECK(x_trash.take(model::bundle_view_path(version)));
        SF_CHECK(step("assets " + version));
        SF_CHECK(x_trash.take(model::bundle_modulefile_path(version, each.bundle.toolchain)));
        return x_trash.take(model::bundle_assets_path(version));
    }

    // To the version that is current, if it has the like.
    Status hand_on_link(const model::FileEntry& link) {
        const fs::path path = x_prefix / link.path;
        for (const InPlace& other : x_contents.versions) {
            if (other.version != x_contents.view_version ||
                x_removal.versions.contains(other.version))
                continue;
            for (const model::FileEntry& its : model::bundle_links(other.bundle)) {
                if (its.path != link.path) continue;
                SF_TRY(const bool leads, leads_somewhere(path.parent_path() / its.target));
                if (!leads) continue;
                return point(link.path, its.target);
            }
        }
        return drop_link(link.path);
    }

    // An installation that was killed between its two switches has left the link at the one before,
    // and it is that one which goes. Nothing becomes current by that: leases on a shared prefix
    // count from the link's time (leases.cpp), so it keeps that.
    Status hand_on_current() {
        if (x_removal.everything) return {};
        if (!x_contents.said || !x_removal.generations.contains(*x_contents.said)) return {};
        const std::string path = fmt::format("{}/current", generations_folder);
        if (!x_contents.current || x_contents.current == x_contents.said) return drop_link(path);
        SF_CHECK(step("current"));
        struct stat before {};
        if (::lstat((x_prefix / path).c_str(), &before) != 0)
            return base::fail_errno(errno, "look at " + base::escape_untrusted(path));
        return point(path, std::to_string(*x_contents.current), before.st_mtim);
    }

    // Of versions that were half gone already.
    Status drop_dead_links() {
        const std::string installer =
            fmt::format("{}/{}", model::bundle_assets_folder, model::installer_name);
        const std::string modulerc = fmt::format("{}/.modulerc.lua", model::bundle_modules_folder);
        std::vector<std::string> links{installer, modulerc};
        std::error_code error;
        for (fs::recursive_directory_iterator it(x_prefix / model::bundle_hierarchy_folder, error),
             end;
             !error && it != end; it.increment(error))
            links.push_back(it->path().lexically_relative(x_prefix).native());
        for (const std::string& path : links) {
            const fs::path link = x_prefix / path;
            SF_TRY(const auto target, base::read_link(link));
            if (!target) continue;
            SF_TRY(const bool leads, leads_somewhere(link));
            if (leads) continue;
            // A site's own link is the site's.
            const fs::path leads_to = (link.parent_path() / *target).lexically_normal();
            const fs::path assets = x_prefix / model::bundle_assets_folder / "";
            if (leads_to.native().starts_with(assets.native())) SF_CHECK(drop_link(path));
        }
        return {};
    }

    // What somebody without our lock has come to need meanwhile stays.
    Status take_packages() {
        SF_CHECK(step("packages"));
        SF_TRY(const Contents now, contents_now());
        const std::set<std::string> needed = needed_packages(now, x_removal);
        for (const std::string& name : x_removal.packages) {
            if (needed.contains(name)) continue;
            SF_CHECK(step("package " + name));
            SF_CHECK(x_trash.take(model::bundle_store_path(name)));
        }
        return {};
    }

    base::Result<Contents> contents_now() const {
        SF_TRY(Contents now, read_contents(x_prefix));
        if (!now.unreadable.empty())
            return base::fail(Code::corrupt, "{}: {}", now.unreadable.front().path,
                              now.unreadable.front().error.text());
        return now;
    }

    // Whom no lock keeps out may have put links to it, or what needs it, in place meanwhile. He
    // looks for what is gone once he has done so (tree_install.cpp): one of us sees the other.
    Status still_unneeded() {
        const auto now = contents_now();
        // Of all of it nothing is there, unless somebody has come.
        if (!now && now.error().code == Code::absent) return {};
        SF_CHECK(now);
        SF_TRY(const auto view, base::read_link(x_prefix / model::bundle_view_link));
        for (const std::string& version : x_removal.versions)
            if (view == fs::path(model::bundle_view_path(version)))
                return is_needed(model::bundle_view_path(version));
        for (const InPlace& each : now->versions)
            if (x_removal.versions.contains(each.version))
                return is_needed(model::bundle_view_path(each.version));
        if (now->said && x_removal.generations.contains(*now->said))
            return is_needed(generation_path(*now->said));
        const std::set<std::string> needed = needed_packages(*now, {});
        for (const std::string& name : x_removal.packages)
            if (needed.contains(name) && !std::ranges::binary_search(now->packages, name))
                return is_needed(model::bundle_store_path(name));
        return {};
    }

    Status is_needed(const std::string& part) const {
        return base::fail_hint(Code::refused,
                               fmt::format("another run, which no lock keeps out of {}, has come "
                                           "to need {} meanwhile",
                                           base::escape_untrusted(x_prefix.native()), part),
                               "nothing was removed; try again");
    }

    // Nobody can begin to use what is out of sight: this answer stays true.
    Status still_unused() {
        std::map<std::string, fs::path> parts;
        for (const auto& [part, path] : parts_of(x_prefix, x_removal))
            parts.emplace(part, x_trash.place_of(part));
        SF_TRY(const InUse used, processes_using(parts));
        const std::set<std::string> of_them = used.parts();
        if (of_them.empty()) return {};
        return base::fail_hint(Code::refused,
                               fmt::format("{} is used by {}, begun meanwhile", *of_them.begin(),
                                           used.users_of(*of_them.begin())),
                               "nothing was removed; try again");
    }

    const fs::path& x_prefix;
    const Contents& x_contents;
    const Removal& x_removal;
    const RemovalOptions& x_options;
    bool x_alone;  // a lock keeps all others out
    Trash& x_trash;
    std::vector<std::pair<fs::path, fs::path>> x_dropped;
};

}  // namespace

std::string package_part(const std::string& store_name) {
    return model::bundle_store_path(store_name);
}
std::string view_part(const std::string& version) { return model::bundle_view_path(version); }

std::set<std::string> needed_packages(const Contents& contents, const Removal& removal) {
    std::set<std::string> needed;
    for (const KeptGeneration& kept : contents.generations)
        if (!removal.generations.contains(kept.generation.number))
            needed.merge(packages_of(kept.bundle));
    for (const InPlace& each : contents.versions)
        if (!removal.versions.contains(each.version)) needed.merge(packages_of(each.bundle));
    return needed;
}

std::map<std::string, fs::path> parts_of(const fs::path& prefix, const Removal& removal) {
    std::map<std::string, fs::path> parts;
    const auto add = [&](const std::string& path) { parts.emplace(path, prefix / path); };
    for (const std::string& name : removal.packages) add(package_part(name));
    for (const std::string& version : removal.versions) {
        add(view_part(version));
        add(model::bundle_assets_path(version));
    }
    for (const std::string& path : removal.loose) add(path);
    for (const std::uint64_t number : removal.generations) add(generation_path(number));
    return parts;
}

std::uint64_t bytes_of(const fs::path& prefix, const Removal& removal) {
    std::uint64_t bytes = 0;
    for (const auto& [part, path] : parts_of(prefix, removal)) bytes += base::disk_usage(path);
    return bytes;
}

Status carry_out(const Stages& stages, const fs::path& prefix, const Contents& contents,
                 const Removal& removal, const RemovalOptions& options) {
    SF_TRY(Trash trash, Trash::create(stages, prefix));
    CarryOut work(prefix, contents, removal, options, stages.alone(), trash);
    Status done = work.run();
    if (!done) {
        SF_CHECK(base::during(work.put_back(), "putting back what was not removed"));
        SF_CHECK(trash.empty());
        return done;
    }
    if (options.on_step) SF_CHECK(options.on_step("delete"));
    return trash.empty();
}

}  // namespace sf::tree
