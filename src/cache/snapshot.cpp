// SPDX-License-Identifier: Apache-2.0
// Both directions of each text form stand side by side, so that they cannot drift apart.
#include "cache/snapshot.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "cache/backend.hpp"
#include "cache/ref_json.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::fail_hint;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;
constexpr std::int64_t clock_tolerance = 600;
// The end of the year 9999: what is later is a mistake, and sums of it could overflow.
constexpr std::int64_t last_second = 253'402'300'799;

// A member a line; not canonical_json(), whose one line would be too long for gpg.
Result<std::string> text_of(const Json& json) {
    SF_CHECK(base::canonical_json(json).map([](const std::string&) {}));
    return json.dump(0) + '\n';
}

Status check(const Snapshot& snapshot) {
    if (!is_repository_id(snapshot.repository))
        return fail(Code::corrupt, "the snapshot has no proper 'repository'");
    SF_CHECK(check_key(snapshot.mirror));
    if (snapshot.serial == 0) return fail(Code::corrupt, "the snapshot has serial 0");
    if (snapshot.issued < 0 || snapshot.expires <= snapshot.issued ||
        snapshot.expires > last_second)
        return fail(Code::corrupt, "the snapshot's times are not in order");
    for (const auto& [name, unused] : snapshot.names) SF_CHECK(model::check_name(name, "package"));
    for (const auto& [key, unused] : snapshot.files) SF_CHECK(check_key(key));
    return {};
}

}  // namespace

Result<std::string> to_text(const Snapshot& snapshot) {
    SF_CHECK(check(snapshot));
    return text_of({{"schema", schema},
                    {"repository", snapshot.repository},
                    {"mirror", snapshot.mirror},
                    {"serial", snapshot.serial},
                    {"issued", snapshot.issued},
                    {"expires", snapshot.expires},
                    {"names", write(snapshot.names)},
                    {"files", write(snapshot.files)}});
}

Result<Snapshot> snapshot_from_text(std::string_view text) {
    if (text.size() > max_snapshot) return fail(Code::corrupt, "the snapshot is too large");
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the snapshot");
    Snapshot snapshot;
    reader.schema(schema);
    reader.text("repository", snapshot.repository);
    reader.text("mirror", snapshot.mirror);
    reader.number("serial", snapshot.serial);
    reader.number("issued", snapshot.issued);
    reader.number("expires", snapshot.expires);
    read(reader, "names", snapshot.names);
    read(reader, "files", snapshot.files);
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_text(snapshot)));
    return snapshot;
}

std::string new_repository_id() {
    std::array<unsigned char, 16> bytes{};
    // Never short, never interrupted, for 256 bytes or fewer (getrandom(2)).
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
        throw std::runtime_error("getrandom gives nothing");
    std::string id;
    for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
    return id;
}

bool is_repository_id(std::string_view id) {
    return id.size() == 32 && std::ranges::all_of(id, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Result<std::string> to_json(const SeenSnapshot& seen) {
    return base::canonical_json({{"schema", schema},
                                 {"repository", seen.repository},
                                 {"serial", seen.serial},
                                 {"sha256", seen.sha256.hex()}});
}

Result<SeenSnapshot> seen_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of a cache");
    SeenSnapshot seen;
    reader.schema(schema);
    reader.text("repository", seen.repository);
    reader.number("serial", seen.serial);
    reader.digest("sha256", seen.sha256);
    SF_CHECK(reader.status());
    if (!is_repository_id(seen.repository) || seen.serial == 0)
        return fail(Code::corrupt, "the record of a cache is none");
    return seen;
}

std::int64_t half_time(const Snapshot& snapshot) {
    return snapshot.issued + (snapshot.expires - snapshot.issued) / 2;
}

Freshness freshness(const Snapshot& snapshot, std::int64_t now) {
    if (now >= snapshot.expires) return Freshness::expired;
    return now >= half_time(snapshot) ? Freshness::ageing : Freshness::fresh;
}

Result<SeenSnapshot> accept(const Snapshot& snapshot, std::string_view text,
                            const std::optional<SeenSnapshot>& seen, std::int64_t now) {
    const SeenSnapshot next{snapshot.repository, snapshot.serial, base::sha256(text)};
    if (snapshot.issued > now + clock_tolerance)
        return fail_hint(
            Code::refused,
            fmt::format("the snapshot was issued {} s in the future", snapshot.issued - now),
            "check the clocks of this machine and of the one that publishes");
    if (!seen) return next;
    if (seen->repository != snapshot.repository)
        return fail_hint(Code::refused,
                         fmt::format("this is another cache: {}, not {} as before",
                                     snapshot.repository, seen->repository),
                         "ask who publishes it, by another way than this cache");
    if (snapshot.serial < seen->serial)
        return fail_hint(
            Code::refused,
            fmt::format("the cache has gone back: its snapshot is number {}, number {} was seen "
                        "before",
                        snapshot.serial, seen->serial),
            "a mirror may lag behind: try again later; if it stays so, somebody serves old "
            "packages");
    if (snapshot.serial == seen->serial && next.sha256 != seen->sha256)
        return fail_hint(
            Code::refused,
            fmt::format("snapshot number {} is not the one that was seen before", snapshot.serial),
            "two were signed under one number: ask who publishes this cache");
    return next;
}

}  // namespace sf::cache
