// SPDX-License-Identifier: Apache-2.0
// The caches that a site, or a user, has given names to (docs/formats/caches.md): where each is and
// by whose keys what it holds has to be signed, so that who is trusted for one is not trusted for
// all. Does not open them. Values; one thread for each list, changes replace the file whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/snapshot.hpp"
#include "trust/fingerprint.hpp"

namespace sf::cache {

inline constexpr std::string_view site_caches_file = "/etc/slurm-factory/caches.json";

struct NamedCache {
    std::string name;                        // as a package's; never taken for a place
    std::string place;                       // an absolute path, or an address with "://"
    std::vector<trust::Fingerprint> keys;    // primaries, each once; none with allow_unsigned alone
    std::optional<trust::Fingerprint> root;  // its list of revocations must be there, signed by it
    // Which repository a mirror is; of one that is not there the first that is seen is believed.
    SnapshotPins mirrors;
    unsigned max_age_days = 0;  // how long a snapshot is good for; 0: as long as it says itself
    // What nobody trusted has signed may be installed from it, where the command says so too. It is
    // no origin of anything else.
    bool allow_unsigned = false;
    bool operator==(const NamedCache&) const = default;
};

// caches.json, both ways; the parser is strict and total.
[[nodiscard]] base::Result<std::vector<NamedCache>> parse_caches_file(std::string_view text);
[[nodiscard]] base::Result<std::string> caches_file_text(const std::vector<NamedCache>& caches);

class NamedCaches {
public:
    // Absent is not an error: there are none. Refused: a file that others can write.
    [[nodiscard]] static base::Result<NamedCaches> open(std::filesystem::path file);

    [[nodiscard]] const std::vector<NamedCache>& all() const { return x_caches; }
    [[nodiscard]] const std::filesystem::path& file() const { return x_file; }
    // nullptr: there is none of this name.
    [[nodiscard]] const NamedCache* find(std::string_view name) const;

    // At the end; in its old place if the name is known. False: nothing changed.
    [[nodiscard]] base::Result<bool> put(const NamedCache& named);
    // False: there was none.
    [[nodiscard]] base::Result<bool> remove(std::string_view name);

private:
    NamedCaches(std::filesystem::path file, std::vector<NamedCache> caches)
        : x_file(std::move(file)), x_caches(std::move(caches)) {}
    base::Status write(std::vector<NamedCache> caches);
    std::filesystem::path x_file;
    std::vector<NamedCache> x_caches;
};

}  // namespace sf::cache
