// SPDX-License-Identifier: Apache-2.0
// What this machine remembers of the list of revocations of one place, in two files: which list it
// went by last, so that nobody leads it back to an older one; and that list itself, for commands
// that do not ask the place. Who signed is judged before. Any number of processes may share the
// files; one thread for each object.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "trust/revocation_list.hpp"

namespace sf::cache {

// As it was believed when it was read.
struct BelievedRevocations {
    trust::RevocationList list;
    std::string text;                // what was signed
    std::vector<std::string> roots;  // fingerprints of the primary keys that signed it
};

class RevocationMemory {
public:
    // In `folder`, names made of the place's. An empty folder: nothing is remembered.
    RevocationMemory(const std::filesystem::path& folder, std::string_view place);
    // Of lists that come in files, which are carried under any name: of the root that signs them.
    [[nodiscard]] static RevocationMemory of_root(const std::filesystem::path& folder,
                                                  std::string_view root);

    // To be held while a list is read and accepted. nullopt: nothing is remembered.
    [[nodiscard]] base::Result<std::optional<base::FileLock>> hold() const;
    [[nodiscard]] base::Result<std::optional<trust::SeenRevocations>> seen() const;
    // May it follow (trust::accept)? If so it is remembered, durably, before this returns.
    [[nodiscard]] base::Status accept(const BelievedRevocations& read, std::int64_t now) const;
    // The last that was accepted, as it was then: whether a root of it is still trusted is for the
    // caller to say. Code::corrupt: the file is damaged, and what was taken back is not known.
    [[nodiscard]] base::Result<std::optional<BelievedRevocations>> last() const;

    // Of the first file, for messages.
    [[nodiscard]] std::string name() const;

private:
    std::filesystem::path x_file;  // "<digest>.revocations.json"; empty: nothing is remembered
    std::filesystem::path x_list;  // "<digest>.revocations.list.json"
};

}  // namespace sf::cache
