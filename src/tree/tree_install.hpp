// SPDX-License-Identifier: Apache-2.0
// Puts a tree that a manifest describes into a prefix, or changes nothing that anybody can see:
// filled into <prefix>/.sf-stage/<random>, every file compared with the manifest, made durable,
// then renamed into place: packages, view, assets, manifest, and the links of the version installed
// last. Packages that are there already are kept; other versions are not touched. Does not know
// whether the bytes come from an archive or a folder, nor who signed the manifest. One thread;
// processes installing to one prefix wait for each other, but correctness rests on renames.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::tree {

struct TreeSource {
    const model::Bundle& bundle;
    const std::string& manifest_text;
    const std::string& manifest_signature;      // empty: unsigned
    const std::vector<model::FileEntry>& tree;  // everything, manifests/ included
    std::string name;                           // for messages
    // Puts all of it below `stage`; returns what it made, read back from there.
    std::function<base::Result<std::vector<model::FileEntry>>(const std::filesystem::path& stage)>
        fill;
};

struct InstallOptions {
    bool switch_view = true;        // point <prefix>/view, and its like, to this version
    std::function<void()> waiting;  // another installation is at work in this prefix
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
};

struct InstallReport {
    std::filesystem::path prefix;        // resolved
    std::vector<std::string> installed;  // store names
    std::vector<std::string> kept;
    bool changed = false;  // false: everything was there already
};

[[nodiscard]] base::Result<InstallReport> install_tree(const TreeSource& source,
                                                       const std::filesystem::path& prefix,
                                                       const InstallOptions& options = {});

}  // namespace sf::tree
