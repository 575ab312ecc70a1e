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
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "cache/backend.hpp"
#include "trust/verdict.hpp"

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

    // How the mirrors were left by whoever published this very request, if none of them wants to be
    // signed afresh. Asks nobody.
    [[nodiscard]] std::optional<Receipt> find(const base::Digest& request, std::int64_t now) const;
    // Are they as they were left? Asks for one small object of each mirror, and judges it as a
    // publisher does: one that went back, or that nobody signed whom `verifier` believes, is
    // Code::refused. Other errors are those of the place.
    [[nodiscard]] base::Result<bool> holds(const Receipt& left, const trust::Verifier& verifier,
                                           std::int64_t now) const;
    [[nodiscard]] base::Status keep(const Receipt& receipt) const;

private:
    cache::Backend& x_place;
    std::set<std::string> x_mirrors;
    std::filesystem::path x_memory;
    std::filesystem::path x_file;
};

}  // namespace sf::publish
