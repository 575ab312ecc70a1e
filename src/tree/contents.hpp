// SPDX-License-Identifier: Apache-2.0
// What a prefix holds, read once, for who checks, mends or removes: its generations, the versions
// in place, the packages of the store, and what of it cannot be read. Looks only. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "tree/generations.hpp"

namespace sf::tree {

// A version as manifests/<exact>.json has it, whoever put it there.
struct InPlace {
    std::string version;
    base::Digest manifest;
    std::string manifest_text;
    std::string manifest_signature;  // empty: unsigned
    model::Bundle bundle;
};

struct Unreadable {
    std::string path;  // below the prefix
    base::Error error;
};

struct Contents {
    std::vector<KeptGeneration> generations;  // oldest first
    std::vector<InPlace> versions;
    std::vector<Unreadable> unreadable;
    std::optional<std::uint64_t> current;  // the generation that is meant
    std::optional<std::uint64_t> said;     // what generations/current names, there or not
    std::string view_version;           // what `view` leads to; empty: nothing, or no view of ours
    std::string service_version;        // what `current`, of slurm_install.sh, leads to; likewise
    std::vector<std::string> packages;  // folders of the store that are named like packages
    // Of no version in place: what a removal or an installation that was killed has left.
    std::vector<std::string> loose;  // views, folders of assets, module files, signatures
};

// Before anything is made in a folder that somebody has named: was anything installed there, or
// begun to be? What an installation leaves that was killed at once is enough. Code::absent if not.
[[nodiscard]] base::Status check_is_prefix(const std::filesystem::path& folder);

// Code::absent: there is no such folder, or nothing was installed there.
[[nodiscard]] base::Result<Contents> read_contents(const std::filesystem::path& prefix);

// Before anything is removed: what cannot be read may need it. Code::refused.
[[nodiscard]] base::Status check_all_readable(const Contents& contents);

// Names of packages that a bundle brings.
[[nodiscard]] std::set<std::string> packages_of(const model::Bundle& bundle);

}  // namespace sf::tree
