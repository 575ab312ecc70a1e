// SPDX-License-Identifier: Apache-2.0
#include "cache/source_list.hpp"

#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "cache/backend.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Status check(const SourceList& list) {
    SF_CHECK(model::check_name(list.name, "package"));
    SF_CHECK(model::check_version(list.version));
    const std::string* before = nullptr;
    for (const ListedSource& file : list.files) {
        SF_CHECK(check_key(file.path));
        if (before != nullptr && *before >= file.path)
            return fail(Code::corrupt, "the list of sources is not in order at {}", file.path);
        before = &file.path;
    }
    return {};
}

}  // namespace

Result<std::string> to_json(const SourceList& list) {
    SF_CHECK(check(list));
    Json files = Json::array();
    for (const ListedSource& file : list.files)
        files.push_back({{"path", file.path},
                         {"executable", file.executable},
                         {"sha256", file.sha256.hex()},
                         {"size", file.size}});
    return base::canonical_json({{"schema", schema},
                                 {"name", list.name},
                                 {"version", list.version},
                                 {"identity", list.identity.hex()},
                                 {"files", files}});
}

Result<SourceList> source_list_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the list of sources");
    SourceList list;
    reader.schema(schema);
    reader.text("name", list.name);
    reader.text("version", list.version);
    reader.digest("identity", list.identity);
    reader.each("files", [&](const Json& item) -> Status {
        base::JsonReader one(item, "a source");
        ListedSource file;
        one.text("path", file.path);
        one.flag("executable", file.executable);
        one.digest("sha256", file.sha256);
        one.number("size", file.size);
        list.files.push_back(std::move(file));
        return one.status();
    });
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(list)));
    return list;
}

}  // namespace sf::cache
