// SPDX-License-Identifier: Apache-2.0
// A copy of a mirror that holds less than the publisher's snapshot names says so in an object of
// its own, `_sf/part.json` (docs/formats/cache.md). Nobody signs it, so it explains a hole and
// excuses none: whoever can write there could have taken the objects away as well, and gets no
// other package chosen by saying that they are not there. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cache/backend.hpp"
#include "cache/mirror_walk.hpp"

namespace sf::cache {

struct MirrorPart {
    std::vector<std::string> versions;  // of Slurm, or series, as was asked for; none: all
    std::set<std::string> builds;       // Spack's hashes of the packages that it holds
    bool sources = true;                // of those packages
    bool operator==(const MirrorPart&) const = default;

    // "slurm 24.11, 25.11.2, without sources": for people.
    [[nodiscard]] std::string text() const;
};

// Is it one of these, or of one of these series? None: everything is.
[[nodiscard]] bool is_of_versions(const std::vector<std::string>& versions,
                                  std::string_view version);

[[nodiscard]] base::Result<std::string> to_json(const MirrorPart& part);
// Total and strict: a text has one form.
[[nodiscard]] base::Result<MirrorPart> mirror_part_from_json(std::string_view text);

// nullopt: it says nothing of the kind. Code::corrupt: what it says cannot be read.
[[nodiscard]] base::Result<std::optional<MirrorPart>> read_part(Backend& mirror);

// Of an object that is named there and is not there: with what the mirror says of itself, if it
// does, and then as Code::absent.
[[nodiscard]] base::Error explain_hole(Backend& mirror, base::Error error);

// What it says that it holds. `part` is borrowed.
[[nodiscard]] WalkChoice held_by(const MirrorPart& part);

// Of what lies beside the mirrors (place_files.hpp) that which goes with it.
[[nodiscard]] std::map<std::string, Ref> held_files(const MirrorPart& part,
                                                    const std::map<std::string, Ref>& files);

}  // namespace sf::cache
