// SPDX-License-Identifier: Apache-2.0
// Watches how much a running sandbox has written. Trusts nothing in the folders it looks at:
// entries may vanish, be unreadable or lie deeper than any path is long. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"

namespace sf::sandbox {

// Bytes on disk of a tree, each inode once, one file system only. What cannot be read counts
// nothing.
[[nodiscard]] std::uint64_t tree_usage(const base::fs::path& path);

class DiskWatch {
public:
    struct Settings {
        std::vector<base::fs::path> folders;
        int log_fd = -1;  // counts too, if it is a file
        std::uint64_t limit = 0;
        std::uint64_t free_reserve = 0;
        std::chrono::milliseconds interval{2000};
    };
    explicit DiskWatch(Settings settings) : x_settings(std::move(settings)) {}

    // Looks if it is time to. The reason to stop, if any. Walking a large tree costs time that the
    // build wants: it is walked when the file system has lost so much room since that the limit
    // may have been reached, and otherwise now and then, as others may have freed some meanwhile.
    [[nodiscard]] std::optional<std::string> look();
    [[nodiscard]] std::optional<std::string> look_now();

private:
    using Clock = std::chrono::steady_clock;
    Settings x_settings;
    Clock::time_point x_next = Clock::now();
    Clock::time_point x_may_walk = x_next;   // not before
    Clock::time_point x_must_walk = x_next;  // not after
    std::uint64_t x_used = 0;                // at the last walk
    std::uint64_t x_room = 0;                // left then, summed up over the folders' file systems
};

}  // namespace sf::sandbox
