// SPDX-License-Identifier: Apache-2.0
#include "tree/version_parts.hpp"

#include <algorithm>
#include <iterator>

#include "base/files.hpp"
#include "model/bundle_layout.hpp"
#include "tree/contents.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

std::vector<std::string> manifest_paths(const std::string& version, bool is_signed) {
    std::vector<std::string> paths{model::bundle_manifest_path(version)};
    if (is_signed) paths.push_back(model::bundle_manifest_signature_path(version));
    return paths;
}

// `manifests`, of what needs `parts` and the packages; the manifests themselves are not looked at.
Status withdraw(Trash& trash, const fs::path& prefix, const std::vector<std::string>& manifests,
                const std::vector<std::string>& parts, const model::Bundle& bundle) {
    const auto is_whole = [&]() -> Result<bool> {
        SF_TRY(const std::string part, first_absent(prefix, parts));
        SF_TRY(const std::string package, first_absent_package(prefix, bundle));
        return part.empty() && package.empty();
    };
    SF_TRY(const bool said, base::is_there(prefix / manifests.front()));
    if (!said) return {};
    SF_TRY(const bool whole, is_whole());
    if (whole) return {};
    for (const std::string& path : manifests) SF_CHECK(trash.take(path));
    SF_TRY(const bool whole_now, is_whole());
    return whole_now ? trash.give_back() : Status();
}

std::vector<std::string> other_paths(const model::Bundle& bundle) {
    std::vector<std::string> paths{model::bundle_view_path(bundle.version)};
    const std::string module = model::bundle_modulefile_path(bundle.version, bundle.toolchain);
    const std::string folder = model::bundle_assets_path(bundle.version);
    const auto has = [&](const auto& is_meant) {
        return std::ranges::any_of(bundle.assets, is_meant, &model::FileEntry::path);
    };
    if (has([&](const std::string& path) { return path == module; })) paths.push_back(module);
    if (has([&](const std::string& path) { return path.starts_with(folder + '/'); }))
        paths.push_back(folder);
    return paths;
}

}  // namespace

std::vector<std::string> own_paths(const model::Bundle& bundle, bool is_signed) {
    std::vector<std::string> paths = manifest_paths(bundle.version, is_signed);
    std::ranges::copy(other_paths(bundle), std::back_inserter(paths));
    return paths;
}

Result<std::string> first_absent(const fs::path& prefix, const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        SF_TRY(const bool there, base::is_there(prefix / path));
        if (!there) return path;
    }
    return std::string();
}

Result<std::string> first_absent_package(const fs::path& prefix, const model::Bundle& bundle) {
    SF_TRY(const std::vector<std::string> stored,
           base::list_dir_if_exists(prefix / model::bundle_store_folder));
    for (const model::Package& package : bundle.packages) {
        const std::string name = package.store_name();
        if (!std::ranges::binary_search(stored, name)) return model::bundle_store_path(name);
    }
    return std::string();
}

Result<std::optional<KeptGeneration>> newest_whole(const fs::path& prefix) {
    SF_TRY(Contents contents, read_contents(prefix));
    for (auto kept = contents.generations.rbegin(); kept != contents.generations.rend(); ++kept) {
        const auto in_place =
            std::ranges::find(contents.versions, kept->generation.manifest, &InPlace::manifest);
        if (in_place == contents.versions.end()) continue;
        const bool is_signed = !in_place->manifest_signature.empty();
        SF_TRY(const std::string own, first_absent(prefix, own_paths(kept->bundle, is_signed)));
        SF_TRY(const std::string package, first_absent_package(prefix, kept->bundle));
        if (own.empty() && package.empty()) return std::move(*kept);
    }
    return std::nullopt;
}

Status withdraw_unless_whole(Trash& trash, const fs::path& prefix, const model::Bundle& bundle,
                             bool is_signed) {
    return withdraw(trash, prefix, manifest_paths(bundle.version, is_signed), other_paths(bundle),
                    bundle);
}

Status withdraw_unless_whole(Trash& trash, const fs::path& prefix, const KeptGeneration& kept) {
    return withdraw(trash, prefix, {generation_path(kept.generation.number)}, {}, kept.bundle);
}

}  // namespace sf::tree
