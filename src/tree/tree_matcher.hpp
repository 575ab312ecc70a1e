// SPDX-License-Identifier: Apache-2.0
// Is this tree the one the manifest describes, nothing changed, missing or added? Fed entry by
// entry, from an archive or from a disk. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::tree {

class TreeMatcher {
public:
    explicit TreeMatcher(const std::vector<model::FileEntry>& expected);

    // Code::refused with the difference.
    base::Status see(const model::FileEntry& found);
    // Fails if something was not seen.
    [[nodiscard]] base::Status finish() const;

private:
    struct Expected {
        model::FileEntry entry;
        bool seen = false;
    };
    std::map<std::string, Expected, std::less<>> x_expected;
    std::size_t x_missing = 0;
};

// `entries` and every folder above them that is not among them.
[[nodiscard]] std::vector<model::FileEntry> with_folders(
    const std::vector<model::FileEntry>& entries);

// Those below `folder`, folders included, by their paths from there. Fails if one is at `folder`.
[[nodiscard]] base::Result<std::vector<model::FileEntry>> entries_below(
    const std::vector<model::FileEntry>& entries, std::string_view folder);

// What lies at `top`/`path` on disk, its content read, if it is to be; symlinks are not followed.
[[nodiscard]] base::Result<model::FileEntry> read_entry(const std::filesystem::path& top,
                                                        const std::string& path,
                                                        bool content = true);

// Compares one entry with what lies at its path below `top`.
[[nodiscard]] base::Status match_entry(const std::filesystem::path& top,
                                       const model::FileEntry& expected);

// Compares what is below `folder` on disk; symlinks are never followed, every file is read.
[[nodiscard]] base::Status match_folder(const std::filesystem::path& folder,
                                        const std::vector<model::FileEntry>& expected);

}  // namespace sf::tree
