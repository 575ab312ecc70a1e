// SPDX-License-Identifier: Apache-2.0
#include "cache/ref_json.hpp"

namespace sf::cache {

using base::Json;
using base::JsonReader;

namespace {

base::Status read_ref(const Json& json, Ref& into) {
    JsonReader reader(json, "a reference");
    reader.digest("sha256", into.sha256);
    reader.number("size", into.size);
    return reader.status();
}

}  // namespace

Json write(const Ref& ref) { return {{"sha256", ref.sha256.hex()}, {"size", ref.size}}; }

Json write(const std::map<std::string, Ref>& refs) {
    Json json = Json::object();
    for (const auto& [name, ref] : refs) json[name] = write(ref);
    return json;
}

void read(JsonReader& reader, const char* key, Ref& into) {
    const Json* json = reader.member(key);
    if (json != nullptr) reader.check(key, read_ref(*json, into));
}

void read(JsonReader& reader, const char* key, std::map<std::string, Ref>& into) {
    const Json* json = reader.member(key);
    if (json == nullptr) return;
    if (!json->is_object()) {
        reader.check(key, base::fail(base::Code::corrupt, "is not an object"));
        return;
    }
    for (const auto& [name, value] : json->items()) {
        Ref ref;
        reader.check(key, read_ref(value, ref));
        into.emplace(name, ref);
    }
}

}  // namespace sf::cache
