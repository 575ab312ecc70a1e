// SPDX-License-Identifier: Apache-2.0
#include "build/taken.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/json.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"

namespace sf::build {

using base::Result;

namespace {

constexpr int schema = 1;

base::Json json_of(const Taken& taken) {
    return {{"schema", schema},       {"place", taken.place},
            {"mirror", taken.mirror}, {"repository", taken.repository},
            {"serial", taken.serial}, {"signer", taken.signer},
            {"key", taken.key},       {"time", static_cast<std::uint64_t>(taken.time)}};
}

Taken read_taken(base::JsonReader& reader) {
    Taken taken;
    reader.schema(schema);
    reader.text("place", taken.place);
    reader.text("mirror", taken.mirror);
    reader.text("repository", taken.repository);
    reader.number("serial", taken.serial);
    reader.text("signer", taken.signer);
    reader.text("key", taken.key);
    reader.number("time", taken.time);
    return taken;
}

base::Status read(const base::Json& json, TakenPackage& package) {
    base::JsonReader reader(json, "a package that was taken");
    reader.text("package", package.store_name);
    reader.digest("identity", package.identity);
    reader.each("archives", [&](const base::Json& item) -> base::Status {
        if (!item.is_string()) return base::fail(base::Code::corrupt, "is not a list of strings");
        SF_TRY(const base::Digest digest, base::Digest::parse(item.get<std::string>()));
        package.archives.push_back(digest);
        return {};
    });
    if (const base::Json* const taken = reader.member("taken")) {
        base::JsonReader inner(*taken, "the record of where a package was taken from");
        package.from = read_taken(inner);
        SF_CHECK(inner.status());
    }
    return reader.status();
}

auto order(const TakenPackage& package) {
    return std::tie(package.store_name, package.from.signer, package.from.key, package.from.place,
                    package.from.time, package.from.serial, package.from.mirror,
                    package.from.repository);
}

}  // namespace

Result<std::string> to_json(const Taken& taken) { return base::canonical_json(json_of(taken)); }

Result<Taken> taken_from_json(std::string_view text) {
    SF_TRY(const base::Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of where a package was taken from");
    Taken taken = read_taken(reader);
    SF_CHECK(reader.one_form(text, to_json(taken)));
    return taken;
}

std::string taken_text(const Taken& taken) {
    return fmt::format("taken from {}, signed by {}", base::escape_untrusted(taken.place),
                       base::escape_untrusted(taken.signer));
}

TakenPackage taken_package(const model::Package& package, Taken from) {
    TakenPackage taken{package.store_name(), package.identity, {package.run.sha256}, {}};
    taken.from = std::move(from);
    for (const auto& archive : {package.dev, package.dbg})
        if (archive) taken.archives.push_back(archive->sha256);
    return taken;
}

void add(MadeOf& to, const MadeOf& more) {
    to.insert(to.end(), more.begin(), more.end());
    std::ranges::sort(to, [](const TakenPackage& left, const TakenPackage& right) {
        return order(left) < order(right);
    });
    to.erase(std::unique(to.begin(), to.end()), to.end());
}

Result<std::string> to_json(const MadeOf& made_of) {
    base::Json list = base::Json::array();
    for (const TakenPackage& each : made_of) {
        base::Json archives = base::Json::array();
        for (const base::Digest& digest : each.archives) archives.push_back(digest.hex());
        list.push_back({{"package", each.store_name},
                        {"identity", each.identity.hex()},
                        {"archives", std::move(archives)},
                        {"taken", json_of(each.from)}});
    }
    return base::canonical_json({{"schema", schema}, {"taken", std::move(list)}});
}

Result<MadeOf> made_of_from_json(std::string_view text) {
    SF_TRY(const base::Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of what a package was built with");
    MadeOf made_of;
    reader.schema(schema);
    reader.each("taken", [&](const base::Json& item) -> base::Status {
        return read(item, made_of.emplace_back());
    });
    SF_CHECK(reader.one_form(text, to_json(made_of)));
    return made_of;
}

}  // namespace sf::build
