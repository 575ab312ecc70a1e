// SPDX-License-Identifier: Apache-2.0
#include "model/bundle_rules.hpp"

#include <set>

#include "base/text.hpp"
#include "model/bundle_layout.hpp"
#include "model/features.hpp"
#include "model/path_rules.hpp"

namespace sf::model {

using base::Code;
using base::fail;
using base::Status;

namespace {

Status check_entries(const std::vector<FileEntry>& entries, const std::string& package,
                     const std::vector<std::string>& link_roots) {
    for (const FileEntry& entry : entries) {
        std::string rule = path_violation(entry.path);
        if (rule.empty() && entry.type == EntryType::symlink) {
            rule = link_violation(package + '/' + entry.path, entry.target, link_roots);
        }
        if (rule.empty() && entry.type == EntryType::file && entry.mode != 0644 &&
            entry.mode != 0755) {
            rule = "mode is neither 0644 nor 0755";
        }
        if (!rule.empty()) {
            return fail(Code::refused, "the manifest's {} in {}: {}",
                        base::escape_untrusted(entry.path), package, rule);
        }
    }
    return {};
}

}  // namespace

Status check_bundle(const Bundle& bundle) {
    std::set<std::string> names;
    for (const Package& package : bundle.packages) {
        const std::string name = package.store_name();
        if (package.toolchain != bundle.toolchain) {
            return fail(Code::refused, "the manifest is for {}, but {} is for {}", bundle.toolchain,
                        name, base::escape_untrusted(package.toolchain));
        }
        std::vector<std::string> roots{name};
        for (const std::string& dependency : package.dependencies) {
            if (!names.contains(dependency)) {
                return fail(Code::refused, "{} needs {}, which is not in the manifest before it",
                            name, base::escape_untrusted(dependency));
            }
            roots.push_back(dependency);
        }
        SF_CHECK(check_entries(package.files, name, roots));
        if (!names.insert(name).second) {
            return fail(Code::refused, "the manifest names {} twice", name);
        }
    }
    for (const FileEntry& entry : bundle.view) {
        if (entry.type == EntryType::file) {
            return fail(Code::refused, "the manifest's view holds a file: {}",
                        base::escape_untrusted(entry.path));
        }
    }
    for (const FileEntry& entry : bundle.assets) {
        std::string rule = asset_violation(bundle, entry.path);
        if (rule.empty() && entry.type != EntryType::file) rule = "is not a file";
        if (!rule.empty()) {
            return fail(Code::refused, "the manifest's {}: {}", base::escape_untrusted(entry.path),
                        rule);
        }
    }
    SF_CHECK(check_entries(bundle.assets, "the assets", {}));
    SF_CHECK(check_features(bundle));
    return check_entries(bundle.view, bundle_view_path(bundle.version),
                         {std::string(bundle_store_folder)});
}

}  // namespace sf::model
