// SPDX-License-Identifier: Apache-2.0
#include "cache/named_caches.hpp"

#include <algorithm>
#include <set>

#include "base/files.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "cache/snapshot_pins.hpp"
#include "model/names.hpp"
#include "trust/safe_file.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr unsigned schema = 1;
constexpr std::uint64_t max_file = std::uint64_t{1} << 20;
constexpr std::size_t longest_place = 2000;
constexpr unsigned longest_age = 3650;
constexpr std::size_t most_keys = 16;

auto bad(std::string_view what) {
    return fail(Code::corrupt, "the file of caches is not understood: {}", what);
}

Status check_place(std::string_view place) {
    const bool whole = place.starts_with('/') || place.find("://") != std::string_view::npos;
    if (whole && place.size() <= longest_place && base::escape_untrusted(place) == place) return {};
    return bad(fmt::format("'{}' is no absolute path and no address",
                           base::escape_untrusted(place.substr(0, 200))));
}

Status only_members(const Json& object, const std::set<std::string>& known) {
    if (!object.is_object()) return bad("a cache is not an object");
    for (const auto& [name, unused] : object.items())
        if (!known.contains(name))
            return bad(fmt::format("'{}' is not known", base::escape_untrusted(name)));
    return {};
}

Result<NamedCache> parse_one(const Json& item) {
    SF_CHECK(only_members(
        item, {"name", "place", "keys", "root", "mirrors", "max_age_days", "allow_unsigned"}));
    base::JsonReader reader(item, "a cache");
    NamedCache named;
    std::vector<std::string> keys;
    reader.text("name", named.name);
    reader.text("place", named.place);
    reader.texts("keys", keys);
    std::string root;
    if (reader.has("root")) reader.text("root", root);
    if (reader.has("mirrors")) read(reader, "mirrors", named.mirrors);
    if (reader.has("max_age_days")) {
        reader.number("max_age_days", named.max_age_days);
        if (named.max_age_days == 0) return bad("'max_age_days' is at least 1");
    }
    if (reader.has("allow_unsigned")) {
        reader.flag("allow_unsigned", named.allow_unsigned);
        // One form for what is not allowed.
        if (!named.allow_unsigned) return bad("'allow_unsigned' is true, or not there");
    }
    SF_CHECK(reader.status());
    SF_CHECK(model::check_name(named.name, "name of a cache"));
    SF_CHECK(check_place(named.place));
    for (const std::string& key : keys) {
        SF_TRY(trust::Fingerprint fingerprint, trust::Fingerprint::parse(key));
        if (std::ranges::find(named.keys, fingerprint) != named.keys.end())
            return bad("a fingerprint is there twice");
        named.keys.push_back(std::move(fingerprint));
    }
    if ((named.keys.empty() && !named.allow_unsigned) || named.keys.size() > most_keys)
        return bad(fmt::format("a cache has 1 to {} keys", most_keys));
    if (!root.empty()) {
        SF_TRY(named.root, trust::Fingerprint::parse(root));
    }
    if (named.root && std::ranges::find(named.keys, *named.root) != named.keys.end())
        return bad("a root signs no packages");
    if (named.max_age_days > longest_age)
        return bad(fmt::format("'max_age_days' is at most {}", longest_age));
    return named;
}

}  // namespace

Result<std::vector<NamedCache>> parse_caches_file(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text, 5));
    if (!json.is_object() || json.size() != 2 || !json.contains("schema") ||
        !json.contains("caches"))
        return bad("it must hold 'schema' and 'caches', nothing else");
    if (!json["schema"].is_number_unsigned() || json["schema"].get<std::uint64_t>() != schema)
        return bad("its schema is not 1");
    if (!json["caches"].is_array()) return bad("'caches' is not a list");
    std::vector<NamedCache> caches;
    for (const Json& item : json["caches"]) {
        SF_TRY(NamedCache named, parse_one(item));
        if (std::ranges::find(caches, named.name, &NamedCache::name) != caches.end())
            return bad(fmt::format("'{}' is there twice", named.name));
        caches.push_back(std::move(named));
    }
    return caches;
}

Result<std::string> caches_file_text(const std::vector<NamedCache>& caches) {
    Json list = Json::array();
    for (const NamedCache& named : caches) {
        Json keys = Json::array();
        for (const trust::Fingerprint& key : named.keys) keys.push_back(key.text());
        Json item{{"name", named.name}, {"place", named.place}, {"keys", std::move(keys)}};
        if (named.root) item["root"] = named.root->text();
        if (!named.mirrors.empty()) item["mirrors"] = write(named.mirrors);
        if (named.max_age_days > 0) item["max_age_days"] = named.max_age_days;
        if (named.allow_unsigned) item["allow_unsigned"] = true;
        list.push_back(std::move(item));
    }
    const Json json{{"schema", schema}, {"caches", std::move(list)}};
    SF_CHECK(base::canonical_json(json).map([](const std::string&) {}));
    std::string text = json.dump(2) + '\n';
    SF_CHECK(parse_caches_file(text).map([](const std::vector<NamedCache>&) {}));
    return text;
}

Result<NamedCaches> NamedCaches::open(std::filesystem::path file) {
    SF_TRY(const bool folder, trust::check_safe_folder(file.parent_path()));
    if (!folder) return NamedCaches(std::move(file), {});
    SF_TRY(const auto text, trust::read_safe(file, max_file));
    if (!text) return NamedCaches(std::move(file), {});
    SF_TRY(
        std::vector<NamedCache> caches,
        base::during(parse_caches_file(*text), "reading " + base::escape_untrusted(file.native())));
    return NamedCaches(std::move(file), std::move(caches));
}

const NamedCache* NamedCaches::find(std::string_view name) const {
    const auto found = std::ranges::find(x_caches, name, &NamedCache::name);
    return found == x_caches.end() ? nullptr : &*found;
}

Result<bool> NamedCaches::put(const NamedCache& named) {
    std::vector<NamedCache> caches = x_caches;
    const auto found = std::ranges::find(caches, named.name, &NamedCache::name);
    if (found != caches.end() && *found == named) return false;
    if (found == caches.end()) {
        caches.push_back(named);
    } else {
        *found = named;
    }
    SF_CHECK(write(std::move(caches)));
    return true;
}

Result<bool> NamedCaches::remove(std::string_view name) {
    std::vector<NamedCache> caches = x_caches;
    if (std::erase_if(caches, [&](const NamedCache& each) { return each.name == name; }) == 0)
        return false;
    SF_CHECK(write(std::move(caches)));
    return true;
}

Status NamedCaches::write(std::vector<NamedCache> caches) {
    SF_TRY(const std::string text, caches_file_text(caches));
    SF_CHECK(base::make_dirs(x_file.parent_path()));
    SF_CHECK(base::write_file(x_file, text));
    x_caches = std::move(caches);
    return {};
}

}  // namespace sf::cache
