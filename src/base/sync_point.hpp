// SPDX-License-Identifier: Apache-2.0
// Makes all that was written below a folder durable: at once, by syncfs(2), where that is known to
// tell of every write that failed, else file by file. One thread.
#pragma once

#include <cstdint>
#include <utility>

#include "base/fd.hpp"
#include "base/files.hpp"
#include "base/result.hpp"

namespace sf::base {

class SyncPoint {
public:
    // What waits on the whole machine to be written, in KiB, before it would take too long to wait
    // for all of it.
    static constexpr std::uint64_t most_waiting = std::uint64_t{512} << 10;

    // Before the first write: what fails on the folder's file system from here on is told.
    [[nodiscard]] static Result<SyncPoint> open(const fs::path& folder,
                                                std::uint64_t most = most_waiting);
    // All below `tree`, which is of the same file system, is durable now. An error: something is
    // not; at once it may be a file of somebody else's, as the kernel tells of file systems.
    [[nodiscard]] Status sync(const fs::path& tree) const;

private:
    SyncPoint(Fd folder, std::uint64_t most) : x_folder(std::move(folder)), x_most(most) {}
    Fd x_folder;
    std::uint64_t x_most;
};

}  // namespace sf::base
