// SPDX-License-Identifier: Apache-2.0
#include "tree/check.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "base/files.hpp"
#include "base/synced.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "tree/folder_check.hpp"
#include "tree/links.hpp"
#include "tree/tree_matcher.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

constexpr const char* by_fsck = "slurm-factory fsck mends it from what the prefix keeps";
constexpr const char* by_install =
    "slurm-factory fsck --set-aside moves it out of the way, then slurm-factory install fetches it";
constexpr const char* unreadable_next =
    "slurm-factory fsck --set-aside moves it out of the way; what it kept can be installed again";

std::string shown(const fs::path& path) { return base::escape_untrusted(path.native()); }

class Check {
public:
    Check(const fs::path& prefix, const Contents& contents, const CheckOptions& options)
        : x_prefix(prefix), x_contents(contents), x_options(options) {}

    Result<CheckReport> run() {
        x_report.deep = x_options.deep;
        x_report.generations = x_contents.generations.size();
        x_report.versions = x_contents.versions.size();
        for (const Unreadable& each : x_contents.unreadable)
            tell(each.path, each.error.text(), Mend::install, unreadable_next);
        SF_CHECK(check_links());
        for (const InPlace& version : x_contents.versions) SF_CHECK(check_version(version));
        for (const KeptGeneration& kept : x_contents.generations) SF_CHECK(check_kept(kept));
        tell_unsigned();
        SF_CHECK(check_packages());
        if (x_options.judge) judge_all();
        tell_loose();
        std::ranges::sort(x_report.defects, {}, &Defect::path);
        return std::move(x_report);
    }

private:
    void tell(const std::string& path, std::string rule, Mend mend, std::string next) {
        x_report.defects.push_back({path, std::move(rule), mend, std::move(next)});
    }

    // What cannot be looked at is no defect of it.
    [[nodiscard]] Result<bool> is_folder(const std::string& path) const {
        return base::type_of(x_prefix / path).map([](fs::file_type type) {
            return type == fs::file_type::directory;
        });
    }

    Status check_links() {
        const fs::path view = x_prefix / model::bundle_view_link;
        const std::string link(model::bundle_view_link);
        const std::string current = fmt::format("{}/current", generations_folder);
        SF_TRY(const bool has_view, base::is_there(view));
        SF_TRY(const bool has_current, base::is_there(x_prefix / current));
        const std::string& shows = x_contents.view_version;
        SF_TRY(const bool has_view_folder, is_folder(model::bundle_view_path(shows)));
        SF_TRY(const bool has_manifest,
               base::is_there(x_prefix / model::bundle_manifest_path(shows)));
        if (has_current) {
            SF_TRY(const bool has_folder, is_folder(generation_path(x_contents.said.value_or(0))));
            const bool there = x_contents.said && has_folder;
            if (!there) {
                tell(current, "leads to no generation", Mend::fsck, by_fsck);
            } else if (!has_view) {
                tell(link, "is missing", Mend::fsck, by_fsck);
            }
            if (there && x_contents.current && x_contents.current != x_contents.said)
                x_report.notices.push_back(
                    fmt::format("generation {} is in place, {} names {}: an installation or a "
                                "rollback ended in between; slurm-factory fsck sets it",
                                *x_contents.current, current, *x_contents.said));
        }
        if (!has_view) {
            if (!x_contents.said) x_report.notices.emplace_back("no version is current");
        } else if (x_contents.view_version.empty()) {
            tell(link, "is no link to a view", Mend::by_hand,
                 "move it away, then slurm-factory rollback NUMBER");
        } else if (!has_view_folder) {
            tell(link, "leads nowhere", Mend::fsck, by_fsck);
        } else if (!has_manifest) {
            const bool kept = std::ranges::any_of(x_contents.generations, [&](const auto& each) {
                return each.generation.version == x_contents.view_version;
            });
            tell(model::bundle_manifest_path(x_contents.view_version), "is missing",
                 kept ? Mend::fsck : Mend::by_hand, kept ? by_fsck : "install that version again");
        } else if (!x_contents.current && x_contents.said) {
            x_report.notices.push_back(
                fmt::format("version {} is in place, and no generation: it was put there by other "
                            "means than install, or its manifest was changed since",
                            x_contents.view_version));
        }
        SF_TRY(const auto services, base::read_link(x_prefix / "current"));
        SF_TRY(const bool services_run, leads_somewhere(x_prefix / "current"));
        if (services && !services_run)
            tell("current", "leads nowhere: services of this machine run from it", Mend::by_hand,
                 "install that version again, or slurm_install.sh --full-init of another");
        // Whose links versions share: that of the view, or, where that is gone, what is said.
        std::string meant = x_contents.view_version;
        for (const KeptGeneration& kept : x_contents.generations)
            if (meant.empty() && x_contents.said == kept.generation.number)
                meant = kept.generation.version;
        for (const InPlace& version : x_contents.versions) {
            for (const model::FileEntry& each : model::bundle_links(version.bundle)) {
                const fs::path path = x_prefix / each.path;
                if (each.path == link) continue;
                SF_TRY(const bool leads, leads_somewhere(path));
                if (leads) continue;
                SF_TRY(const auto target, base::read_link(path));
                if (version.version != meant && !target) continue;
                tell(each.path, target ? "leads nowhere" : "is missing", Mend::fsck, by_fsck);
            }
        }
        return {};
    }

    Status compare(const std::string& folder, const std::vector<model::FileEntry>& expected,
                   const char* next, Mend mend) {
        SF_TRY(const std::vector<Difference> found,
               differences(x_prefix / folder, expected, x_options.deep));
        for (const Difference& each : found)
            tell(each.path.empty() ? folder : folder + '/' + each.path, each.what, mend, next);
        x_report.files += expected.size();
        return {};
    }

    // The view and the files of ours of a version that is in place.
    Status check_version(const InPlace& version) {
        const model::Bundle& bundle = version.bundle;
        note_packages(bundle);
        // What is left of a rebuild of this version that was killed half-way is the same.
        SF_CHECK(compare(model::bundle_view_path(bundle.version), with_folders(bundle.view),
                         by_fsck, Mend::fsck));
        if (bundle.assets.empty()) return {};
        const std::string folder = model::bundle_assets_path(bundle.version);
        SF_TRY(const std::vector<model::FileEntry> own, entries_below(bundle.assets, folder));
        const bool kept = std::ranges::any_of(x_contents.generations, [&](const auto& each) {
            return each.generation.manifest == version.manifest;
        });
        const char* next = kept ? by_fsck : "slurm-factory bundle install brings it again";
        const Mend mend = kept ? Mend::fsck : Mend::by_hand;
        SF_CHECK(compare(folder, own, next, mend));
        const std::string module = model::bundle_modulefile_path(bundle.version, bundle.toolchain);
        for (const model::FileEntry& entry : bundle.assets) {
            if (entry.path != module) continue;
            if (const Status same = match_entry(x_prefix, entry); !same)
                tell(module, same.error().message, mend, next);
        }
        return {};
    }

    // The copies that rolling back is filled from.
    Status check_kept(const KeptGeneration& kept) {
        note_packages(kept.bundle);
        return compare(generation_path(kept.generation.number) + "/assets",
                       with_folders(kept.bundle.assets),
                       "install that version again to keep it anew; rolling back to this "
                       "generation is refused",
                       Mend::by_hand);
    }

    void note_packages(const model::Bundle& bundle) {
        for (const model::Package& package : bundle.packages)
            x_packages.emplace(package.store_name(), &package);
    }

    Status check_packages() {
        x_report.packages = x_packages.size();
        base::Synced<std::vector<std::pair<std::string, Difference>>> found;
        std::vector<base::Task> tasks;
        for (const auto& [name, package] : x_packages) {
            x_report.files += package->files.size();
            tasks.emplace_back([&, &name = name, package = package]() -> Status {
                SF_TRY(std::vector<Difference> all,
                       differences(x_prefix / model::bundle_store_path(name),
                                   with_folders(package->files), x_options.deep));
                auto guard = found.lock();
                for (Difference& each : all) guard->emplace_back(name, std::move(each));
                return {};
            });
        }
        SF_CHECK(base::run_batch(tasks, x_options.threads));
        for (const auto& [name, each] : *found.lock()) {
            x_report.damaged.insert(name);
            const std::string folder = model::bundle_store_path(name);
            const bool gone = each.path.empty() && each.what == "is missing";
            tell(each.path.empty() ? folder : folder + '/' + each.path, each.what, Mend::install,
                 gone ? "slurm-factory install of the version that needs it fetches it"
                      : by_install);
        }
        return {};
    }

    // Known since it was installed, and no damage.
    void tell_unsigned() {
        for (const KeptGeneration& kept : x_contents.generations) {
            const auto word = kept.generation.origin.find(origin_unsigned);
            if (word == kept.generation.origin.end()) continue;
            x_unsigned.insert(kept.generation.manifest);
            x_report.notices.push_back(
                fmt::format("generation {} was installed UNSIGNED: nobody trusted has signed {}",
                            kept.generation.number, word->second));
        }
    }

    // A text that several keep is asked about once.
    void judge_all() {
        std::set<std::string> known;
        const auto judge = [&](const base::Digest& digest, const std::string& text,
                               const std::string& signature, const std::string& path) {
            if (signature.empty()) {
                x_report.notices.push_back(path + " is not signed");
                return;
            }
            if (!known.insert(digest.hex() + signature).second) return;
            if (x_unsigned.contains(digest)) return;  // told
            if (const Status good = x_options.judge(text, signature, path); !good)
                tell(path, good.error().text(), Mend::by_hand,
                     good.error().hint.empty() ? "find out who changed it, then install again"
                                               : good.error().hint);
        };
        for (const KeptGeneration& kept : x_contents.generations)
            judge(kept.generation.manifest, kept.manifest_text, kept.manifest_signature,
                  generation_path(kept.generation.number) + "/manifest.json");
        for (const InPlace& each : x_contents.versions)
            judge(each.manifest, each.manifest_text, each.manifest_signature,
                  model::bundle_manifest_path(each.version));
    }

    void tell_loose() {
        for (const std::string& path : x_contents.loose)
            x_report.notices.push_back(path +
                                       " belongs to no version in place: slurm-factory gc "
                                       "removes it");
        // Of generations that cannot be read nobody knows what they need.
        if (!x_contents.unreadable.empty()) return;
        for (const std::string& name : x_contents.packages)
            if (!x_packages.contains(name))
                x_report.notices.push_back(model::bundle_store_path(name) +
                                           " is needed by nothing: slurm-factory gc removes it");
    }

    const fs::path& x_prefix;
    const Contents& x_contents;
    const CheckOptions& x_options;
    std::map<std::string, const model::Package*> x_packages;
    std::set<base::Digest> x_unsigned;  // manifests
    CheckReport x_report;
};

}  // namespace

Result<CheckReport> check_contents(const fs::path& prefix, const Contents& contents,
                                   const CheckOptions& options) {
    return base::during(Check(prefix, contents, options).run(), "checking " + shown(prefix));
}

Result<CheckReport> check_installed(const fs::path& prefix, const CheckOptions& options) {
    SF_TRY(const Contents contents, read_contents(prefix));
    return check_contents(prefix, contents, options);
}

}  // namespace sf::tree
