// SPDX-License-Identifier: Apache-2.0
// Both directions of the text stand side by side, so that they cannot drift apart.
#include "cache/offline_file.hpp"

#include "base/json_reader.hpp"
#include "cache/backend.hpp"
#include "cache/layout.hpp"
#include "cache/object_tar.hpp"
#include "cache/ref_json.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Status check(const OfflineRecord& record) {
    SF_CHECK(model::check_name(record.name, "package name"));
    SF_CHECK(model::check_version(record.version));
    SF_CHECK(model::check_name(record.toolchain, "toolchain name"));
    SF_CHECK(model::check_name(record.target, "target"));
    if (!is_dag_hash(record.hash)) return fail(Code::corrupt, "its hash is none of Spack's");
    for (const OfflineMirror& mirror : record.mirrors)
        SF_CHECK(mirror_of(mirror.folder).map([](const MirrorName&) {}));
    if (record.tool) SF_CHECK(tool_key(record.tool->name).map([](const std::string&) {}));
    return {};
}

Result<OfflineMirror> mirror_from(const Json& json) {
    base::JsonReader reader(json, "a mirror");
    OfflineMirror mirror;
    reader.text("mirror", mirror.folder);
    reader.text("repository", mirror.repository);
    reader.number("serial", mirror.serial);
    reader.number("issued", mirror.issued);
    reader.number("expires", mirror.expires);
    SF_CHECK(reader.status());
    return mirror;
}

}  // namespace

Result<std::string> tool_key(const std::string& name) {
    const std::string key = "tool/" + name;
    SF_CHECK(check_key(key));
    if (name.find('/') == std::string::npos) return key;
    return fail(Code::refused, "the tool's archive has a name with '/' in it");
}

bool is_companion(const std::string& key, const OfflineRecord& record) {
    if (key == object_tar_first) return true;
    if (record.tool &&
        (key == "tool/" + record.tool->name || key == "tool/" + record.tool->name + ".asc"))
        return true;
    const auto name = name_of(key);
    return name && std::holds_alternative<PublicKeyName>(*name);
}

Result<std::string> to_json(const OfflineRecord& record) {
    SF_CHECK(check(record));
    Json mirrors = Json::array();
    for (const OfflineMirror& mirror : record.mirrors)
        mirrors.push_back({{"mirror", mirror.folder},
                           {"repository", mirror.repository},
                           {"serial", mirror.serial},
                           {"issued", mirror.issued},
                           {"expires", mirror.expires}});
    Json json{{"schema", schema},
              {"name", record.name},
              {"version", record.version},
              {"toolchain", record.toolchain},
              {"target", record.target},
              {"hash", record.hash},
              {"mirrors", std::move(mirrors)}};
    if (record.tool)
        json["tool"] = {{"name", record.tool->name}, {"archive", write(record.tool->archive)}};
    SF_TRY(std::string text, base::canonical_json(json));
    return text + '\n';
}

Result<OfflineRecord> offline_record_from_json(std::string_view text) {
    if (text.size() > max_offline_record) return fail(Code::corrupt, "the record is too large");
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the record of an offline file");
    OfflineRecord record;
    reader.schema(schema);
    reader.text("name", record.name);
    reader.text("version", record.version);
    reader.text("toolchain", record.toolchain);
    reader.text("target", record.target);
    reader.text("hash", record.hash);
    reader.each("mirrors", [&](const Json& item) -> Status {
        SF_TRY(OfflineMirror mirror, mirror_from(item));
        record.mirrors.push_back(std::move(mirror));
        return {};
    });
    if (const Json* const said = reader.has("tool") ? reader.member("tool") : nullptr) {
        base::JsonReader inner(*said, "the tool");
        OfflineTool tool;
        inner.text("name", tool.name);
        read(inner, "archive", tool.archive);
        SF_CHECK(inner.status());
        record.tool = std::move(tool);
    }
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(record)));
    return record;
}

}  // namespace sf::cache
