// SPDX-License-Identifier: Apache-2.0
// Where a package of the store came from, if it was not built here: which cache had it, and whose
// signature vouches for it there. It lies beside the package's manifest, which is its builder's and
// the same everywhere. Beside a package that was built here lies what was taken of all that it was
// built with: it is no better than that. Whoever vouched may be believed no more some day, so both
// are judged each time (Doubt). Knows nothing of caches or keys. Plain values, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::build {

struct Taken {
    std::string place;         // of the cache, as people are shown it: no secret is in it
    std::string mirror;        // "bookworm/slurm/deps"; empty: a local cache, which has none
    std::string repository;    // the cache's own name of itself; empty likewise
    std::uint64_t serial = 0;  // of the snapshot that named it; 0 likewise
    std::string signer;        // fingerprint of a primary key
    std::string key;           // of the one that signed: itself or a subkey
    std::int64_t time = 0;     // when, in seconds since 1970
    bool operator==(const Taken&) const = default;
};

[[nodiscard]] base::Result<std::string> to_json(const Taken& taken);
// Total and strict.
[[nodiscard]] base::Result<Taken> taken_from_json(std::string_view text);

// "taken from /srv/cache, signed by 0123…": for people.
[[nodiscard]] std::string taken_text(const Taken& taken);

// One that was taken, as whoever judges it needs to know it.
struct TakenPackage {
    std::string store_name;
    base::Digest identity;
    std::vector<base::Digest> archives;
    Taken from;
    bool operator==(const TakenPackage&) const = default;
};

[[nodiscard]] TakenPackage taken_package(const model::Package& package, Taken from);

// Sorted, each once.
using MadeOf = std::vector<TakenPackage>;
void add(MadeOf& to, const MadeOf& more);

[[nodiscard]] base::Result<std::string> to_json(const MadeOf& made_of);
// Total and strict.
[[nodiscard]] base::Result<MadeOf> made_of_from_json(std::string_view text);

// Why it counts no more, for people: "this key is not trusted here"; nullopt: it counts. Called by
// several threads at once.
using Doubt = std::function<base::Result<std::optional<std::string>>(const TakenPackage& package)>;

}  // namespace sf::build
