// SPDX-License-Identifier: Apache-2.0
// What packages were made from: upstream's archives, patches, recipes and the rest of what decides
// a build, known by digest. Where it comes from is the caller's affair. Plain values, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "model/source.hpp"

namespace sf::publish {

struct OriginFile {
    std::string path;  // where it belongs in a data folder (cache/source_list.hpp)
    bool executable = false;
    base::Digest sha256;
    std::uint64_t size = 0;
    // Its bytes are in this file, or here.
    std::filesystem::path file{};
    std::string content{};
};

// Whose word there is for a package that its publisher has not built.
struct TakenFrom {
    std::string signer;      // fingerprint of a primary key
    std::string repository;  // of the cache; empty: one that has no name of itself
};

struct Origin {
    std::string name;
    std::string version;
    std::string license;  // SPDX expression
    std::string summary;
    std::string homepage;
    base::Digest identity;
    model::SourceFile source;           // upstream's archive: its places
    OriginFile archive;                 // the same as a file of ours
    std::vector<OriginFile> patches;    // in the order they are applied
    std::vector<OriginFile> recipe;     // recipe.yaml, and what else is said of this package alone
    std::optional<TakenFrom> taken;     // it was not built here
    std::vector<std::string> built_by;  // store names: needed while it is built, and not after
};

struct Origins {
    std::map<std::string, Origin> packages;  // by store name, those for building only as well
    // For each of them alike: compiler wrappers, the toolchain, the packages of its root.
    std::vector<OriginFile> common;
    std::string target_flags;
    int engine = 0;          // build/planner.hpp
    std::int64_t epoch = 0;  // SOURCE_DATE_EPOCH of every build
};

// Everything that `store_name` was made from, sorted by path, each once: its own, that of what was
// needed only to build it, and what is common. Empty if nothing is known of it.
[[nodiscard]] std::vector<OriginFile> files_of(const Origins& origins,
                                               const std::string& store_name);

}  // namespace sf::publish
