// SPDX-License-Identifier: Apache-2.0
// fsck: mends of a prefix what the prefix itself keeps: what dead installers left, views, files of
// ours, manifests and links, from the generations. What it cannot mend it names; with `set_aside`
// it moves that out of the way, never deletes it, so that an installation can fetch it anew. One
// thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tree/check.hpp"

namespace sf::tree {

inline constexpr std::string_view damaged_folder = ".sf-damaged";

struct RepairOptions {
    bool set_aside = false;  // damaged packages, what cannot be read
    std::int64_t now = 0;    // for the names of what is set aside
    JudgeSignature judge;
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
    std::function<void()> waiting;  // an installation is at work in this prefix
};

struct RepairReport {
    std::vector<std::string> mended;     // words for people
    std::vector<std::string> set_aside;  // from where, to where
    std::vector<std::string> left_why;   // why something could not be mended
    CheckReport left;                    // what is wrong still
};

[[nodiscard]] base::Result<RepairReport> repair(const std::filesystem::path& prefix,
                                                const RepairOptions& options = {});

}  // namespace sf::tree
