// SPDX-License-Identifier: Apache-2.0
#include "trust/revocation_list.hpp"

#include <algorithm>

#include "base/json_reader.hpp"
#include "base/text.hpp"

namespace sf::trust {

using base::Code;
using base::fail;
using base::fail_hint;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;
constexpr std::size_t longest_reason = 200;
constexpr std::int64_t clock_tolerance = 600;
constexpr std::int64_t last_second = 253'402'300'799;  // of the year 9999

// Sorted, each once.
template <class Item, class Name>
bool in_order(const std::vector<Item>& items, Name name) {
    return std::ranges::adjacent_find(items, [&](const Item& left, const Item& right) {
               return !(left.*name < right.*name);
           }) == items.end();
}

Status check(const RevocationList& list) {
    if (list.serial == 0) return fail(Code::corrupt, "the list of revocations has serial 0");
    if (list.issued < 0 || list.expires <= list.issued || list.expires > last_second)
        return fail(Code::corrupt, "the list of revocations has times that are not in order");
    if (!in_order(list.keys, &RevokedKey::fingerprint) ||
        !in_order(list.builds, &RevokedBuild::sha256))
        return fail(Code::corrupt, "the list of revocations is not sorted, or names one twice");
    const auto entry = [](const auto& each) -> Status {
        if (each.time < 0 || each.time > last_second)
            return fail(Code::corrupt, "the list of revocations has a time that is none");
        return check_reason(each.reason);
    };
    for (const RevokedKey& each : list.keys) SF_CHECK(entry(each));
    for (const RevokedBuild& each : list.builds) SF_CHECK(entry(each));
    return {};
}

Result<RevokedKey> key_from(const Json& json) {
    base::JsonReader reader(json, "a revoked key");
    std::string fingerprint;
    std::string reason;
    std::int64_t time = 0;
    reader.text("fingerprint", fingerprint);
    reader.text("reason", reason);
    reader.number("time", time);
    SF_CHECK(reader.status());
    SF_TRY(Fingerprint parsed, Fingerprint::parse(fingerprint));
    return RevokedKey{std::move(parsed), std::move(reason), time};
}

Result<RevokedBuild> build_from(const Json& json) {
    base::JsonReader reader(json, "a revoked build");
    RevokedBuild build;
    reader.digest("sha256", build.sha256);
    reader.text("reason", build.reason);
    reader.number("time", build.time);
    SF_CHECK(reader.status());
    return build;
}

}  // namespace

Status check_reason(std::string_view reason) {
    if (!reason.empty() && reason.size() <= longest_reason &&
        base::escape_untrusted(reason) == reason && base::trim(reason) == reason)
        return {};
    return fail(Code::corrupt, "'{}' is no reason: 1 to {} printable bytes on one line",
                base::escape_untrusted(reason.substr(0, longest_reason)), longest_reason);
}

std::map<Fingerprint, std::string> RevocationList::withdrawn() const {
    std::map<Fingerprint, std::string> all;
    for (const RevokedKey& key : keys) all.emplace(key.fingerprint, key.reason);
    return all;
}

const std::string* RevocationList::reason_of(const base::Digest& sha256) const {
    const auto found = std::ranges::lower_bound(builds, sha256, {}, &RevokedBuild::sha256);
    return found != builds.end() && found->sha256 == sha256 ? &found->reason : nullptr;
}

Result<std::string> to_text(const RevocationList& list) {
    SF_CHECK(check(list));
    Json keys = Json::array();
    for (const RevokedKey& key : list.keys)
        keys.push_back(
            {{"fingerprint", key.fingerprint.text()}, {"reason", key.reason}, {"time", key.time}});
    Json builds = Json::array();
    for (const RevokedBuild& build : list.builds)
        builds.push_back(
            {{"sha256", build.sha256.hex()}, {"reason", build.reason}, {"time", build.time}});
    const Json json{{"schema", schema},        {"serial", list.serial},
                    {"issued", list.issued},   {"expires", list.expires},
                    {"keys", std::move(keys)}, {"builds", std::move(builds)}};
    // A member a line; the canonical form's one line would be too long for gpg.
    SF_CHECK(base::canonical_json(json).map([](const std::string&) {}));
    return json.dump(0) + '\n';
}

Result<RevocationList> revocations_from_text(std::string_view text) {
    if (text.size() > max_revocations)
        return fail(Code::corrupt, "the list of revocations is too large");
    SF_TRY(const Json json, base::parse_json(text, 4));
    base::JsonReader reader(json, "the list of revocations");
    RevocationList list;
    reader.schema(schema);
    reader.number("serial", list.serial);
    reader.number("issued", list.issued);
    reader.number("expires", list.expires);
    reader.each("keys", [&](const Json& item) -> Status {
        SF_TRY(RevokedKey key, key_from(item));
        list.keys.push_back(std::move(key));
        return {};
    });
    reader.each("builds", [&](const Json& item) -> Status {
        SF_TRY(RevokedBuild build, build_from(item));
        list.builds.push_back(std::move(build));
        return {};
    });
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_text(list)));
    return list;
}

Result<std::string> to_json(const SeenRevocations& seen) {
    return base::canonical_json(
        {{"schema", schema}, {"serial", seen.serial}, {"sha256", seen.sha256.hex()}});
}

Result<SeenRevocations> seen_revocations_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of a list of revocations");
    SeenRevocations seen;
    reader.schema(schema);
    reader.number("serial", seen.serial);
    reader.digest("sha256", seen.sha256);
    SF_CHECK(reader.status());
    if (seen.serial == 0) return fail(Code::corrupt, "the record of a list of revocations is none");
    return seen;
}

Result<SeenRevocations> accept(const RevocationList& list, std::string_view text,
                               const std::optional<SeenRevocations>& seen, std::int64_t now) {
    const SeenRevocations next{list.serial, base::sha256(text)};
    if (list.issued > now + clock_tolerance)
        return fail_hint(
            Code::refused,
            fmt::format("the list of revocations was issued {} s in the future", list.issued - now),
            "check the clocks of this machine and of the one that signs it");
    if (!seen) return next;
    if (list.serial < seen->serial)
        return fail_hint(Code::refused,
                         fmt::format("the list of revocations has gone back: it is number {}, "
                                     "number {} was seen before",
                                     list.serial, seen->serial),
                         "a mirror may lag behind: try again later; if it stays so, somebody keeps "
                         "revocations from you");
    if (list.serial == seen->serial && next.sha256 != seen->sha256)
        return fail_hint(Code::refused,
                         fmt::format("the list of revocations number {} is not the one that was "
                                     "seen before",
                                     list.serial),
                         "two were signed under one number: ask who holds the root key");
    return next;
}

}  // namespace sf::trust
