// SPDX-License-Identifier: Apache-2.0
// Where a package of the store came from, if it was not built here: which cache had it, and whose
// signature vouches for it there. It lies beside the package's manifest, which is its builder's and
// the same everywhere. Knows nothing of caches. Plain values, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::build {

struct Taken {
    std::string place;         // of the cache, as people are shown it: no secret is in it
    std::string mirror;        // "bookworm/slurm/deps"; empty: a local cache, which has none
    std::string repository;    // the cache's own name of itself; empty likewise
    std::uint64_t serial = 0;  // of the snapshot that named it; 0 likewise
    std::string signer;        // fingerprint of a primary key
    std::int64_t time = 0;     // when, in seconds since 1970
    bool operator==(const Taken&) const = default;
};

[[nodiscard]] base::Result<std::string> to_json(const Taken& taken);
// Total and strict.
[[nodiscard]] base::Result<Taken> taken_from_json(std::string_view text);

// "taken from /srv/cache, signed by 0123…": for people.
[[nodiscard]] std::string taken_text(const Taken& taken);

}  // namespace sf::build
