// SPDX-License-Identifier: Apache-2.0
// What `clean` would delete in a state folder, as data: it can be printed, tested and not done.
// Never in it: keys, bundles (builds/), the record of build times, lock files. Reads the disk only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "build/state_dir.hpp"

namespace sf::cli {

struct CleanItem {
    std::string kind;  // "unfinished builds", "old logs", …
    std::filesystem::path path;
    std::uint64_t bytes = 0;
};

struct CleanRequest {
    bool full = false;          // also what can be built, fetched or prepared again
    std::size_t kept_logs = 3;  // logs of the latest runs stay
};

// Folders of the state that are symlinks are somebody else's: nothing in them is listed.
[[nodiscard]] base::Result<std::vector<CleanItem>> plan_clean(const build::StateDir& state,
                                                              const CleanRequest& request);

// Every lock of builds, roots and downloads there is, taken without waiting and held; Code::refused
// with the lock's name if somebody works here.
[[nodiscard]] base::Result<std::vector<base::Fd>> lock_everything(const build::StateDir& state);

// Deletes all of `items`; goes on after a failure and reports all of them. Returns the bytes freed.
[[nodiscard]] base::Result<std::uint64_t> delete_items(const std::vector<CleanItem>& items);

}  // namespace sf::cli
