// SPDX-License-Identifier: Apache-2.0
#include "publish/receipt.hpp"

#include "base/files.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "cache/objects.hpp"
#include "cache/trusted_snapshot.hpp"

namespace sf::publish {

using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

}  // namespace

Result<std::string> to_json(const Receipt& receipt) {
    Json snapshots = Json::array();
    for (const auto& [mirror, digest] : receipt.snapshots)
        snapshots.push_back({{"mirror", mirror}, {"sha256", digest.hex()}});
    return base::canonical_json({{"schema", schema},
                                 {"request", receipt.request.hex()},
                                 {"snapshots", snapshots},
                                 {"renew", receipt.renew}});
}

Result<Receipt> receipt_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of what was published");
    Receipt receipt;
    reader.schema(schema);
    reader.digest("request", receipt.request);
    reader.each("snapshots", [&](const Json& item) -> Status {
        base::JsonReader one(item, "a snapshot");
        std::string mirror;
        base::Digest digest;
        one.text("mirror", mirror);
        one.digest("sha256", digest);
        receipt.snapshots.emplace(std::move(mirror), digest);
        return one.status();
    });
    reader.number("renew", receipt.renew);
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(receipt)));
    return receipt;
}

Receipts::Receipts(const std::filesystem::path& memory, cache::Backend& place,
                   std::set<std::string> mirrors)
    : x_place(place), x_mirrors(std::move(mirrors)), x_memory(memory) {
    std::string name = place.place();
    for (const std::string& mirror : x_mirrors) name += '\n' + mirror;
    x_file = memory / ("published-" + base::sha256(name).short_hex(32) + ".json");
}

std::optional<Receipt> Receipts::find(const base::Digest& request, std::int64_t now) const {
    const auto text = base::read_file_if_exists(x_file);
    if (!text || !*text) return std::nullopt;
    Result<Receipt> kept = receipt_from_json(**text);
    if (!kept || kept->request != request || now >= kept->renew) return std::nullopt;
    for (const std::string& mirror : x_mirrors)
        if (!kept->snapshots.contains(mirror)) return std::nullopt;
    return std::move(*kept);
}

Result<bool> Receipts::holds(const Receipt& left, const trust::Verifier& verifier,
                             std::int64_t now) const {
    for (const auto& [mirror, digest] : left.snapshots) {
        cache::SubBackend there(x_place, mirror);
        SF_TRY(const auto snapshot,
               cache::read_snapshot(there, {&verifier, mirror, x_memory, now}));
        if (!snapshot || base::sha256(snapshot->stored) != digest) return false;
    }
    return true;
}

Status Receipts::keep(const Receipt& receipt) const {
    SF_TRY(const std::string text, to_json(receipt));
    SF_CHECK(base::make_dirs(x_file.parent_path()));
    return base::during(base::write_file(x_file, text), "remembering what was published");
}

}  // namespace sf::publish
