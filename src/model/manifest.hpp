// SPDX-License-Identifier: Apache-2.0
// What a package says about itself, and what a bundle says about its packages
// (docs/formats/manifest.md). Plain values; to_json/from_json are total: hostile text gives an
// error, never a crash.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::model {

enum class EntryType { file, symlink, directory };

struct FileEntry {
    std::string path;  // relative to the package's folder, normalised
    EntryType type = EntryType::file;
    unsigned mode = 0644;    // 0644 or 0755; directories 0755
    std::uint64_t size = 0;  // files
    base::Digest sha256;     // files
    std::string target;      // symlinks
};

struct ArchiveRecord {
    std::string file;  // "run.tar.zst"
    base::Digest sha256;
    std::uint64_t size = 0;
    std::uint64_t unpacked_size = 0;
    std::uint64_t entries = 0;
};

struct HostRequirement {
    std::string soname;
    std::vector<std::string> versions;  // symbol versions needed, sorted ("GLIBC_2.34")
};

struct Package {  // manifests/<...>.json in the store, one per built package
    std::string name;
    std::string version;
    std::string toolchain;
    std::string target;
    base::Digest identity;
    std::string identity_text;              // canonical JSON the identity is the digest of
    std::vector<std::string> dependencies;  // store names of link dependencies, sorted
    std::vector<FileEntry> files;           // of the run part, sorted by path
    std::vector<std::string> sonames;       // provided, sorted
    std::vector<HostRequirement> host_requirements;
    ArchiveRecord run;
    std::optional<ArchiveRecord> dev;
    std::optional<ArchiveRecord> dbg;
    std::string license;
    bool ccache_used = false;

    [[nodiscard]] std::string store_name() const;
};

struct Bundle {           // manifests/<exact>.json inside a bundle, signed beside it
    std::string name;     // "slurm"
    std::string version;  // exact
    std::string toolchain;
    std::string architecture;  // "amd64"
    std::string target;
    std::string builder;            // "slurm-factory 0.1.0"
    std::vector<Package> packages;  // runtime closure, dependencies first
    std::vector<FileEntry> view;    // entries of views/<exact>
    // Names of what it is asserted to hold beyond the usual (features.hpp), sorted.
    std::vector<std::string> features;
    // What brings a cluster up from the tree, and its modulefile: files, paths from the top of the
    // tree. Sorted. Empty in bundles of before there were any.
    std::vector<FileEntry> assets;
};

[[nodiscard]] base::Result<std::string> to_json(const Package& package);
[[nodiscard]] base::Result<Package> package_from_json(std::string_view text);
[[nodiscard]] base::Result<std::string> to_json(const Bundle& bundle);
[[nodiscard]] base::Result<Bundle> bundle_from_json(std::string_view text);

}  // namespace sf::model
