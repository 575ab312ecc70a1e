// SPDX-License-Identifier: Apache-2.0
// Puts a tree that a manifest describes into a prefix, or changes nothing that anybody can see:
// filled into <prefix>/.sf-stage/<random>, every file compared with the manifest, made durable,
// then renamed into place: packages, view, assets, manifest, and the links of the version installed
// last. Packages that are there already are kept; other versions are not touched. Does not know
// whether the bytes come from an archive or a folder, nor who signed the manifest. One thread;
// processes installing to one prefix wait for each other, but correctness rests on renames.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"
#include "tree/generations.hpp"
#include "tree/stages.hpp"

namespace sf::tree {

// What is not there yet, or not as the manifest has it.
struct Wanted {
    std::set<std::string> packages;  // store names
    bool view = true;
    bool assets = true;
    bool manifest = true;
};

struct TreeSource {
    const model::Bundle& bundle;
    const std::string& manifest_text;
    const std::string& manifest_signature;      // empty: unsigned
    const std::vector<model::FileEntry>& tree;  // everything, manifests/ included
    std::string name;                           // for messages
    // Puts all of it below `stage`, or with `partial` what is wanted and the folders above it;
    // returns what it made, read back from there.
    std::function<base::Result<std::vector<model::FileEntry>>(const std::filesystem::path& stage,
                                                              const Wanted& wanted)>
        fill;
    bool partial = false;
};

struct NewGeneration {
    OriginWords origin;
    std::int64_t made = 0;  // seconds since 1970
};

struct InstallOptions {
    bool switch_view = true;  // point <prefix>/view, and its like, to this version
    // Keep it as a generation (generations.hpp), with where it came from; not without switch_view.
    std::optional<NewGeneration> record;
    std::uint64_t returns_to = 0;  // the generation that this is; 0: none yet
    // Packages are neither looked at nor filled: what else there is is mended, whatever they are.
    bool leave_packages = false;
    // Whose stages the caller holds already, of this prefix: it goes on alone, without waiting.
    const Stages* held = nullptr;
    std::function<void()> waiting;  // another installation is at work in this prefix
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
};

struct InstallReport {
    std::filesystem::path prefix;        // resolved
    std::vector<std::string> installed;  // store names
    std::vector<std::string> kept;
    bool changed = false;          // false: everything was there already
    std::uint64_t generation = 0;  // that is current now; 0: none was recorded
};

// Every entry of the tree of a bundle, manifests included, sorted.
[[nodiscard]] base::Result<std::vector<model::FileEntry>> whole_tree(
    const model::Bundle& bundle, const std::string& manifest_text,
    const std::string& manifest_signature);

// Those entries of a whole tree that a partial source makes.
[[nodiscard]] std::vector<model::FileEntry> wanted_entries(
    const model::Bundle& bundle, const std::vector<model::FileEntry>& tree, const Wanted& wanted);

[[nodiscard]] base::Result<InstallReport> install_tree(const TreeSource& source,
                                                       const std::filesystem::path& prefix,
                                                       const InstallOptions& options = {});

}  // namespace sf::tree
