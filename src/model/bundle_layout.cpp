// SPDX-License-Identifier: Apache-2.0
#include "model/bundle_layout.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"

namespace sf::model {

namespace {

class Tree {
public:
    base::Status add(FileEntry entry) {
        SF_CHECK(add_folders_above(entry.path));
        const std::string path = entry.path;
        const bool folder = entry.type == EntryType::directory;
        const auto [at, fresh] = x_entries.emplace(path, std::move(entry));
        if (fresh || (folder && at->second.type == EntryType::directory)) return {};
        return base::fail(base::Code::corrupt, "the manifest names {} twice",
                          base::escape_untrusted(path));
    }

    base::Status add_folder(std::string path) {
        FileEntry entry;
        entry.path = std::move(path);
        entry.type = EntryType::directory;
        entry.mode = 0755;
        return add(std::move(entry));
    }

    std::vector<FileEntry> take() {
        std::vector<FileEntry> entries;
        entries.reserve(x_entries.size());
        for (auto& [path, entry] : x_entries) entries.push_back(std::move(entry));
        return entries;
    }

private:
    base::Status add_folders_above(const std::string& path) {
        const std::size_t slash = path.rfind('/');
        if (slash == std::string::npos) return {};
        const auto found = x_entries.find(path.substr(0, slash));
        if (found == x_entries.end()) return add_folder(path.substr(0, slash));
        if (found->second.type == EntryType::directory) return {};
        return base::fail(base::Code::corrupt, "the manifest names {} below something not a folder",
                          base::escape_untrusted(path));
    }

    std::map<std::string, FileEntry> x_entries;
};

base::Status add_all(Tree& tree, const std::string& folder, const std::vector<FileEntry>& entries) {
    SF_CHECK(tree.add_folder(folder));
    for (FileEntry entry : entries) {
        entry.path = folder + '/' + entry.path;
        SF_CHECK(tree.add(std::move(entry)));
    }
    return {};
}

std::string_view type_name(EntryType type) {
    switch (type) {
        case EntryType::file: return "a file";
        case EntryType::symlink: return "a symlink";
        case EntryType::directory: return "a folder";
    }
    return "something";
}

}  // namespace

std::string bundle_store_path(std::string_view store_name) {
    return fmt::format("{}/{}", bundle_store_folder, store_name);
}

std::string bundle_view_path(std::string_view version) {
    return fmt::format("{}/{}", bundle_views_folder, version);
}

std::string bundle_manifest_path(std::string_view version) {
    return fmt::format("{}/{}.json", bundle_manifests_folder, version);
}

std::string bundle_manifest_signature_path(std::string_view version) {
    return bundle_manifest_path(version) + ".asc";
}

std::string bundle_assets_path(std::string_view version) {
    return fmt::format("{}/{}", bundle_assets_folder, version);
}

std::string bundle_modulefile_path(std::string_view version, std::string_view toolchain) {
    return fmt::format("{}/{}-{}.lua", bundle_modules_folder, version, toolchain);
}

std::vector<FileEntry> bundle_links(const Bundle& bundle) {
    const std::string assets = bundle_assets_path(bundle.version) + '/';
    const auto has = [&](std::string_view name) {
        const std::string path = assets + std::string(name);
        return std::ranges::find(bundle.assets, path, &FileEntry::path) != bundle.assets.end();
    };
    std::vector<FileEntry> links;
    const auto add = [&](std::string path, std::string target) {
        FileEntry link;
        link.path = std::move(path);
        link.type = EntryType::symlink;
        link.mode = 0777;
        link.target = std::move(target);
        links.push_back(std::move(link));
    };
    if (has(installer_name)) {
        add(fmt::format("{}/{}", bundle_assets_folder, installer_name),
            fmt::format("{}/{}", bundle.version, installer_name));
    }
    if (has(modulerc_name)) {
        add(fmt::format("{}/.modulerc.lua", bundle_modules_folder),
            fmt::format("../../{}{}", assets, modulerc_name));
    }
    // Compilers are of no version of Slurm, so versions share their paths: links, as above.
    const std::string hierarchy = assets + std::string(hierarchy_name) + '/';
    for (const FileEntry& asset : bundle.assets) {
        if (!asset.path.starts_with(hierarchy)) continue;
        const std::string below = asset.path.substr(hierarchy.size());
        std::string up;
        for (const char c : below) up += c == '/' ? "../" : "";
        add(fmt::format("{}/{}", bundle_hierarchy_folder, below), "../" + up + asset.path);
    }
    add(std::string(bundle_view_link), bundle_view_path(bundle.version));
    return links;
}

std::string asset_violation(const Bundle& bundle, std::string_view path) {
    const std::string assets = bundle_assets_path(bundle.version) + '/';
    if (path.starts_with(assets) && path.size() > assets.size()) return {};
    if (path == bundle_modulefile_path(bundle.version, bundle.toolchain)) return {};
    return fmt::format("an asset of {} {} lies in {} or is its modulefile", bundle.name,
                       bundle.version, assets);
}

base::Result<std::vector<FileEntry>> bundle_tree(const Bundle& bundle) {
    Tree tree;
    SF_CHECK(tree.add_folder(std::string(bundle_store_folder)));
    for (const Package& package : bundle.packages) {
        const std::string name = package.store_name();
        SF_CHECK(add_all(tree, bundle_store_path(name), package.files));
    }
    SF_CHECK(add_all(tree, bundle_view_path(bundle.version), bundle.view));
    for (const FileEntry& entry : bundle.assets) SF_CHECK(tree.add(entry));
    for (FileEntry& link : bundle_links(bundle)) SF_CHECK(tree.add(std::move(link)));
    return tree.take();
}

std::string entry_difference(const FileEntry& expected, const FileEntry& found) {
    if (expected.type != found.type) {
        return fmt::format("is {}, not {}", type_name(found.type), type_name(expected.type));
    }
    if (expected.type == EntryType::symlink && expected.target != found.target) {
        return fmt::format("points to {}, not {}", base::escape_untrusted(found.target),
                           base::escape_untrusted(expected.target));
    }
    if (expected.type != EntryType::file) return {};
    if (expected.size != found.size) {
        return fmt::format("has {} bytes, not {}", found.size, expected.size);
    }
    if (expected.mode != found.mode) {
        return fmt::format("has mode {:o}, not {:o}", found.mode, expected.mode);
    }
    if (expected.sha256 != found.sha256) {
        return fmt::format("has SHA-256 {}, not {}", found.sha256.hex(), expected.sha256.hex());
    }
    return {};
}

}  // namespace sf::model
