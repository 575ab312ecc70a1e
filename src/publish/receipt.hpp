// SPDX-License-Identifier: Apache-2.0
// What this machine published last to some mirrors of a place, and how it left them. Whoever is to
// publish the same again, to mirrors that nobody has changed since, has nothing to do, and nothing
// to prove. Only what is signed is compared: what a place lost under an unchanged snapshot is found
// by `cache verify`, and `cache push` publishes without asking here. A memory, not evidence: one
// that is gone or cannot be read means that all is done. Any number of processes may share it; one
// thread for each call.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "cache/backend.hpp"

namespace sf::publish {

struct Receipt {
    base::Digest request;                           // of all that was to be published
    std::map<std::string, base::Digest> snapshots;  // by mirror: of the object as it was left
    std::int64_t renew = 0;  // when the first of them is to be signed afresh, seconds since 1970
    bool operator==(const Receipt&) const = default;
};

[[nodiscard]] base::Result<std::string> to_json(const Receipt& receipt);
// Total and strict: a text has one form.
[[nodiscard]] base::Result<Receipt> receipt_from_json(std::string_view text);

class Receipts {
public:
    // In the folder `memory`, a name made of the place and of those mirrors of it.
    Receipts(const std::filesystem::path& memory, cache::Backend& place,
             std::set<std::string> mirrors);

    // Is the same there, as it was left? Asks for one small object of each mirror. Errors are those
    // of the place.
    [[nodiscard]] base::Result<bool> hold(const base::Digest& request, std::int64_t now) const;
    [[nodiscard]] base::Status keep(const Receipt& receipt) const;

private:
    cache::Backend& x_place;
    std::set<std::string> x_mirrors;
    std::filesystem::path x_file;
};

}  // namespace sf::publish
