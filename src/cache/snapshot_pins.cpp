// SPDX-License-Identifier: Apache-2.0
#include "cache/snapshot_pins.hpp"

#include "base/text.hpp"
#include "cache/layout.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::fail_hint;
using base::Json;
using base::JsonReader;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Status read_pin(const std::string& mirror, const Json& json, SnapshotPin& into) {
    JsonReader reader(json, "a mirror");
    reader.text("repository", into.repository);
    const bool numbered = reader.has("serial");
    if (numbered) reader.number("serial", into.serial);
    SF_CHECK(reader.status());
    if (json.size() != (numbered ? 2U : 1U))
        return fail(Code::corrupt, "a mirror has 'repository' and 'serial', nothing else");
    return check_pin(mirror, into);
}

}  // namespace

Status check_pin(const std::string& mirror, const SnapshotPin& pin) {
    SF_CHECK(mirror_of(mirror).map([](const MirrorName&) {}));
    if (!is_repository_id(pin.repository))
        return fail(Code::corrupt, "'{}' is no repository: 32 digits of 0-9 and a-f",
                    base::escape_untrusted(pin.repository));
    if (pin.serial == 0) return fail(Code::corrupt, "snapshots are numbered from 1");
    return {};
}

Json write(const SnapshotPins& pins) {
    Json json = Json::object();
    for (const auto& [mirror, pin] : pins) {
        Json item = Json::object();
        item["repository"] = pin.repository;
        if (pin.serial > 1) item["serial"] = pin.serial;
        json[mirror] = std::move(item);
    }
    return json;
}

void read(JsonReader& reader, const char* key, SnapshotPins& into) {
    const Json* json = reader.member(key);
    if (json == nullptr) return;
    if (!json->is_object() || json->empty()) {
        reader.check(key, fail(Code::corrupt, "is not an object with members"));
        return;
    }
    for (const auto& [mirror, value] : json->items()) {
        SnapshotPin pin;
        reader.check(key, read_pin(mirror, value, pin));
        into.emplace(mirror, std::move(pin));
    }
}

Result<std::string> to_json(const PlacePins& pins) {
    return base::canonical_json(
        {{"schema", schema}, {"list", pins.list}, {"mirrors", write(pins.mirrors)}});
}

Result<PlacePins> pins_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    JsonReader reader(json, "what a place is held to");
    PlacePins pins;
    reader.schema(schema);
    reader.text("list", pins.list);
    read(reader, "mirrors", pins.mirrors);
    SF_CHECK(reader.one_form(text, to_json(pins)));
    return pins;
}

Status check_held(const Snapshot& snapshot, const PlacePins& pins) {
    const auto found = pins.mirrors.find(snapshot.mirror);
    if (found == pins.mirrors.end()) return {};
    const SnapshotPin& pin = found->second;
    const std::string list = base::escape_untrusted(pins.list);
    if (snapshot.repository != pin.repository)
        return fail_hint(
            Code::refused,
            fmt::format("this is another cache: {}, not {} as {} says", snapshot.repository,
                        pin.repository, list),
            fmt::format("ask who publishes it, by another way than this cache; if it was made "
                        "anew, list it so: slurm-factory cache add, with --repository {}=ID",
                        snapshot.mirror));
    if (snapshot.serial < pin.serial)
        return fail_hint(
            Code::refused,
            fmt::format("the cache has gone back: its snapshot is number {}, and {} says that "
                        "there is none below {}",
                        snapshot.serial, list, pin.serial),
            fmt::format("a mirror may lag behind: try again later, or copy to it again; if that "
                        "number is wrong, list another: slurm-factory cache add, with --repository "
                        "{}=ID:N",
                        snapshot.mirror));
    return {};
}

}  // namespace sf::cache
