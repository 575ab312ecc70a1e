// SPDX-License-Identifier: Apache-2.0
// The invariants of a prefix and of a cache that hold after whatever happened to them, by what lies
// there and by the program's own verify, list and cache verify. Failures are GoogleTest's. One
// thread.
#pragma once

#include <map>
#include <set>
#include <string>

#include "reliability/site.hpp"

namespace sf::test {

// Path to what is there: "-> target", the bytes of a file, or "/" for a folder.
using Tree = std::map<std::string, std::string>;
[[nodiscard]] Tree tree_of(const base::fs::path& folder);

class Soundness {
public:
    // What each version of the site's is, once installed by nobody else.
    explicit Soundness(Site& site);

    // Whatever is in the prefix is whole: each package, each view and each manifest to the byte
    // (INV1, INV3); links lead somewhere (INV4); modes (INV8); nothing else lies there (INV2,
    // INV6); `verify --deep` and `list` agree (INV5). Before anybody has mended anything.
    void check(const base::fs::path& prefix) const;
    // This version is in it, and `view` shows it if it is `current`.
    void check_has(const base::fs::path& prefix, const std::string& version, bool current) const;
    // Installing once more succeeds, is what it should be, and leaves nothing of the dead (INV6,
    // INV7).
    void check_next(const base::fs::path& prefix, const std::string& version) const;
    // `cache verify --deep`, and a client that knows nothing installs each of `versions`.
    void check_cache(const std::vector<std::string>& versions) const;

    // The version that `view` shows; "": none.
    [[nodiscard]] static std::string current(const base::fs::path& prefix);
    [[nodiscard]] static bool has(const base::fs::path& prefix, const std::string& version);

private:
    void check_files(const Tree& found) const;
    static void check_modes(const base::fs::path& prefix);

    Site& x_site;
    Tree x_whole;
};

// After publishers: all that is signed is whole, to the byte. Spack's index is written last, so it
// may lack the Slurm that a publisher who died had named already, of the versions `died` and of no
// other: then `cache verify` says that and nothing else, and `cache index` mends it. Where nobody
// died nothing is lacking. `client`: who looks.
void check_published(Site& site, const std::set<std::string>& died,
                     const base::fs::path& client = {});

// Files outside of what is worked on: nothing may change there (INV2).
class Canary {
public:
    explicit Canary(base::fs::path folder);
    [[nodiscard]] const base::fs::path& folder() const { return x_folder; }
    void check() const;

private:
    [[nodiscard]] Tree look() const;
    base::fs::path x_folder;
    Tree x_before;
};

}  // namespace sf::test
