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

namespace sf::install {

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

// Compares what is below `folder` on disk; symlinks are never followed, every file is read.
[[nodiscard]] base::Status match_folder(const std::filesystem::path& folder,
                                        const std::vector<model::FileEntry>& expected);

}  // namespace sf::install
