// SPDX-License-Identifier: Apache-2.0
// What the list of caches says of mirrors, as JSON: in the list itself (named_caches.hpp), and
// beside what is remembered of a place (snapshot_memory.hpp); and whether a snapshot is what it
// says. For .cpp files. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json_reader.hpp"
#include "cache/snapshot.hpp"

namespace sf::cache {

[[nodiscard]] base::Status check_pin(const std::string& mirror, const SnapshotPin& pin);

// An object with a member for each mirror, of which there is at least one.
[[nodiscard]] base::Json write(const SnapshotPins& pins);
void read(base::JsonReader& reader, const char* key, SnapshotPins& into);

[[nodiscard]] base::Result<std::string> to_json(const PlacePins& pins);
[[nodiscard]] base::Result<PlacePins> pins_from_json(std::string_view text);

// Code::refused: it is of another repository than the list says of its mirror, or of a lower
// number. A mirror that the list says nothing of passes.
[[nodiscard]] base::Status check_held(const Snapshot& snapshot, const PlacePins& pins);

}  // namespace sf::cache
