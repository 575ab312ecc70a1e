// SPDX-License-Identifier: Apache-2.0
#include "tree/repair.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/links.hpp"
#include "tree/prefix.hpp"
#include "tree/rollback.hpp"
#include "tree/stages.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

class Repair {
public:
    Repair(fs::path prefix, const RepairOptions& options)
        : x_prefix(std::move(prefix)), x_options(options) {}

    Result<RepairReport> run() {
        SF_CHECK(step("leftovers"));
        // To the end: what is to be mended is what nobody else changes meanwhile.
        SF_TRY(const Stages held, Stages::hold(x_prefix, x_options.waiting));
        x_held = &held;
        SF_CHECK(clear());
        SF_TRY(const Contents contents, read_contents(x_prefix));
        SF_TRY(const CheckReport found, check_contents(x_prefix, contents, deep({})));
        std::set<std::string> versions;  // of which something is to be mended
        bool links = contents.current && contents.said != contents.current;
        for (const Defect& each : found.defects) {
            if (each.mend != Mend::fsck) continue;
            const std::string version = version_of(contents, each.path);
            if (version.empty())
                links = true;
            else
                versions.insert(version);
        }
        for (const Unreadable& each : contents.unreadable)
            if (const std::string version = manifest_version(each.path); !version.empty())
                versions.insert(version);
        std::string done;
        if (links || versions.contains(contents.view_version)) {
            SF_TRY(done, fit_current(contents));
        }
        for (const std::string& version : versions)
            if (version != done) SF_CHECK(fit_version(contents, version, false));
        SF_CHECK(drop_current_of_none());
        SF_TRY(x_report.left, check_installed(x_prefix, deep(x_options.judge)));
        return std::move(x_report);
    }

private:
    static CheckOptions deep(JudgeSignature judge) {
        CheckOptions how;
        how.deep = true;
        how.judge = std::move(judge);
        return how;
    }

    Status step(const std::string& name) {
        SF_CHECK(base::check_stop());
        return x_options.on_step ? x_options.on_step(name) : Status();
    }

    // What nobody is at work on, and what is to be out of the way.
    Status clear() {
        SF_TRY(const std::vector<std::string> gone, x_held->remove_leftovers());
        for (const std::string& name : gone)
            x_report.mended.push_back(fmt::format("{}/{}, left by a run that ended, is removed",
                                                  stage_folder, base::escape_untrusted(name)));
        if (!x_options.set_aside) return {};
        SF_TRY(const Contents contents, read_contents(x_prefix));
        SF_TRY(const CheckReport found, check_contents(x_prefix, contents, deep({})));
        for (const std::string& name : found.damaged)
            SF_CHECK(set_aside(model::bundle_store_path(name)));
        // A manifest in place that a generation keeps is mended.
        for (const Unreadable& each : contents.unreadable) {
            const std::string version = manifest_version(each.path);
            if (version.empty() || newest_of(contents, version) == nullptr)
                SF_CHECK(set_aside(each.path));
        }
        return {};
    }

    Status set_aside(const std::string& path) {
        const fs::path from = x_prefix / path;
        SF_TRY(const bool there, base::is_there(from));
        if (!there) return {};
        SF_CHECK(step("set aside " + path));
        const fs::path folder = x_prefix / damaged_folder;
        if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
            return base::fail_errno(errno,
                                    "make folder " + base::escape_untrusted(folder.native()));
        const std::string name =
            base::utc_stamp(x_options.now) + '-' + base::replace_all(path, "/", "-");
        SF_TRY(base::TempDir room, base::TempDir::create(folder, name + '-'));
        const fs::path to = room.path() / from.filename();
        SF_CHECK(base::rename(from, to));
        room.release();
        SF_CHECK(base::fsync_dir(to.parent_path()));
        SF_CHECK(base::fsync_dir(from.parent_path()));
        x_report.set_aside.push_back(
            fmt::format("{} -> {}", path, to.lexically_relative(x_prefix).native()));
        return {};
    }

    // What is current came by other means, or not at all.
    Status drop_current_of_none() {
        const fs::path link = x_prefix / generations_folder / "current";
        if (!is_link(link)) return {};
        SF_TRY(const bool leads, leads_somewhere(link));
        if (leads) return {};
        SF_CHECK(base::remove_file(link));
        x_report.mended.push_back(
            fmt::format("{}/current, which led nowhere, is removed", generations_folder));
        return base::fsync_dir(link.parent_path());
    }

    // "manifests/25.11.2.json" -> "25.11.2"
    static std::string manifest_version(const std::string& path) {
        const std::string front = std::string(model::bundle_manifests_folder) + '/';
        constexpr std::string_view end = ".json";
        if (!path.starts_with(front) || !path.ends_with(end)) return {};
        return path.substr(front.size(), path.size() - front.size() - end.size());
    }

    // Whose view, files of ours or manifest it is; "": a link that versions share.
    static std::string version_of(const Contents& contents, const std::string& path) {
        if (std::string version = manifest_version(path); !version.empty()) return version;
        const auto below = [&](const std::string& top) {
            return path == top || path.starts_with(top + '/');
        };
        for (const InPlace& each : contents.versions)
            if (below(model::bundle_view_path(each.version)) ||
                below(model::bundle_assets_path(each.version)) ||
                path == model::bundle_modulefile_path(each.version, each.bundle.toolchain))
                return each.version;
        return {};
    }

    static const KeptGeneration* newest_of(const Contents& contents, const std::string& version) {
        const KeptGeneration* newest = nullptr;
        for (const KeptGeneration& each : contents.generations)
            if (each.generation.version == version) newest = &each;
        return newest;
    }
    static const KeptGeneration* numbered(const Contents& contents,
                                          std::optional<std::uint64_t> number) {
        for (const KeptGeneration& each : contents.generations)
            if (number == each.generation.number) return &each;
        return nullptr;
    }

    [[nodiscard]] bool has_packages(const KeptGeneration& kept) const {
        return std::ranges::all_of(packages_of(kept.bundle), [&](const std::string& name) {
            return base::is_dir(x_prefix / model::bundle_store_path(name));
        });
    }

    // Of what is in place, else of what is said to be current, else of the newest that is whole.
    // Returns its version; "": there is none.
    Result<std::string> fit_current(const Contents& contents) {
        const KeptGeneration* kept = numbered(contents, contents.current);
        if (kept == nullptr) {
            // Something that is no generation is in place, whole: its links are its own.
            const auto in_place =
                std::ranges::find(contents.versions, contents.view_version, &InPlace::version);
            if (in_place != contents.versions.end()) {
                SF_CHECK(fit_version(contents, contents.view_version, true));
                return contents.view_version;
            }
            kept = numbered(contents, contents.said);
            if (kept != nullptr && !has_packages(*kept)) kept = nullptr;
        }
        // Nothing is left of what the view leads to, if it leads to anything: any other will do.
        SF_TRY(const bool leads, leads_somewhere(x_prefix / model::bundle_view_link));
        const std::string& shown = contents.view_version;
        const bool any = shown.empty() || (!leads && newest_of(contents, shown) == nullptr);
        for (auto each = contents.generations.rbegin();
             kept == nullptr && each != contents.generations.rend(); ++each) {
            const bool fits = any || each->generation.version == shown;
            if (fits && has_packages(*each)) kept = &*each;
        }
        if (kept == nullptr) return std::string();
        SF_CHECK(fit(*kept, kept->generation.number, true));
        return kept->generation.version;
    }

    Status fit_version(const Contents& contents, const std::string& version, bool current) {
        const auto in_place = std::ranges::find(contents.versions, version, &InPlace::version);
        const KeptGeneration* kept = nullptr;
        for (const KeptGeneration& each : contents.generations) {
            if (each.generation.version != version) continue;
            if (in_place == contents.versions.end() ||
                in_place->manifest == each.generation.manifest)
                kept = &each;
        }
        if (kept != nullptr) return fit(*kept, 0, current);
        if (in_place == contents.versions.end()) return {};
        // Put there by other means: the view can be made again, what files of ours it has cannot.
        KeptGeneration own;
        own.generation.version = version;
        own.folder = x_prefix;
        own.manifest_text = in_place->manifest_text;
        own.manifest_signature = in_place->manifest_signature;
        own.bundle = in_place->bundle;
        return fit(own, 0, current);
    }

    Status fit(const KeptGeneration& kept, std::uint64_t number, bool current) {
        SF_CHECK(step("version " + kept.generation.version));
        InstallOptions how;
        how.switch_view = current;
        how.returns_to = current ? number : 0;
        how.leave_packages = true;
        how.held = x_held;
        how.on_step = x_options.on_step;
        const auto done = fit_kept(x_prefix, kept, how);
        if (!done && done.error().code == base::Code::interrupted)
            return tl::unexpected(done.error());
        // What could not be mended is among what is left; the reason is worth a word.
        if (!done)
            x_report.left_why.push_back(done.error().text());
        else if (done->changed)
            x_report.mended.push_back(
                fmt::format("version {}: view, files and links are as they were installed",
                            kept.generation.version));
        return {};
    }

    fs::path x_prefix;
    const RepairOptions& x_options;
    const Stages* x_held = nullptr;  // while it runs
    RepairReport x_report;
};

}  // namespace

Result<RepairReport> repair(const fs::path& prefix, const RepairOptions& options) {
    SF_TRY(fs::path resolved, check_prefix(prefix));
    SF_CHECK(read_contents(resolved).map([](const Contents&) {}));
    const std::string where = "mending " + base::escape_untrusted(resolved.native());
    return base::during(Repair(std::move(resolved), options).run(), where);
}

}  // namespace sf::tree
