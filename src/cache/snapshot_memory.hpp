// SPDX-License-Identifier: Apache-2.0
// What this machine remembers of a mirror, in one file: the last snapshot it went by, so that
// neither who installs nor who publishes is led back to an older one. Who signed is judged before.
// Any number of processes may share the file; one thread for each object.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

class SnapshotMemory {
public:
    // In `folder`, a name made of the mirror's place. An empty folder: nothing is remembered.
    // `lies_at`: where it is read, if it is remembered by another name than that.
    SnapshotMemory(const std::filesystem::path& folder, std::string_view place,
                   std::string_view lies_at = {});

    // To be held while a snapshot is read and accepted: what others remember meanwhile would make
    // it look like one that went back. nullopt: nothing is remembered.
    [[nodiscard]] base::Result<std::optional<base::FileLock>> hold() const;
    // Is it what the list says (hold_to()), and may it follow (cache::accept)? If so it is
    // remembered, durably, before this returns.
    [[nodiscard]] base::Status accept(const Snapshot& snapshot, std::string_view text,
                                      std::int64_t now) const;
    // The same, and nothing is remembered: of a snapshot that nobody vouches for.
    [[nodiscard]] base::Status check(const Snapshot& snapshot, std::string_view text,
                                     std::int64_t now) const;
    // What this machine has published itself; another may have gone on from there already.
    [[nodiscard]] base::Status published(const Snapshot& snapshot, std::string_view text) const;
    // Code::refused if there was one before: somebody has taken it away.
    [[nodiscard]] base::Status check_none_seen() const;

private:
    [[nodiscard]] base::Status check_pins(const Snapshot& snapshot) const;
    [[nodiscard]] base::Result<SeenSnapshot> judge(const Snapshot& snapshot, std::string_view text,
                                                   const std::optional<SeenSnapshot>& seen,
                                                   std::int64_t now) const;
    [[nodiscard]] base::Result<std::optional<SeenSnapshot>> read() const;
    [[nodiscard]] base::Status write(const SeenSnapshot& seen) const;
    std::filesystem::path x_folder;
    std::filesystem::path x_file;
    std::string x_place;  // of the mirror
};

// What the list says of the mirrors of a place is laid beside what is remembered of them: whoever
// reads a snapshot there is held to it from now on. None: to nothing. Done whenever a place is
// opened, so that it is what the list says now.
[[nodiscard]] base::Status hold_to(const std::filesystem::path& folder, std::string_view place,
                                   const PlacePins& pins);

}  // namespace sf::cache
