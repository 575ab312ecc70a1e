// SPDX-License-Identifier: Apache-2.0
// Both directions of each text form stand side by side, so that they cannot drift apart.
#include "model/manifest.hpp"

#include "base/json.hpp"
#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::model {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

std::string Package::store_name() const { return model::store_name(name, version, identity); }

namespace {

constexpr const char* package_reader = "the package manifest";
constexpr int package_schema = 1;
constexpr int bundle_schema = 1;

// Declared first: templates below find these by ordinary look-up only.
Json write(const FileEntry& entry);
Json write(const ArchiveRecord& record);
Json write(const HostRequirement& host);
Json write(const Package& package);
Status read(const Json& json, FileEntry& entry);
Status read(const Json& json, ArchiveRecord& record);
Status read(const Json& json, HostRequirement& host);
Status read(const Json& json, Package& package);

Json write(const FileEntry& entry) {
    Json json{{"path", entry.path}};
    switch (entry.type) {
        case EntryType::file:
            json["type"] = "file";
            json["mode"] = entry.mode;
            json["size"] = entry.size;
            json["sha256"] = entry.sha256.hex();
            break;
        case EntryType::symlink:
            json["type"] = "symlink";
            json["target"] = entry.target;
            break;
        case EntryType::directory: json["type"] = "directory"; break;
    }
    return json;
}

Status read(const Json& json, FileEntry& entry) {
    base::JsonReader reader(json, "a file entry");
    std::string type;
    reader.text("path", entry.path);
    reader.text("type", type);
    if (type == "file") {
        entry.type = EntryType::file;
        reader.number("mode", entry.mode);
        reader.number("size", entry.size);
        reader.digest("sha256", entry.sha256);
    } else if (type == "symlink") {
        entry.type = EntryType::symlink;
        entry.mode = 0777;
        reader.text("target", entry.target);
    } else if (type == "directory") {
        entry.type = EntryType::directory;
        entry.mode = 0755;
    } else if (reader.status()) {
        return fail(Code::corrupt, "a file entry is of unknown type '{}'",
                    base::escape_untrusted(type));
    }
    return reader.status();
}

Json write(const ArchiveRecord& record) {
    return {{"file", record.file},
            {"sha256", record.sha256.hex()},
            {"size", record.size},
            {"unpacked_size", record.unpacked_size},
            {"entries", record.entries}};
}

Status read(const Json& json, ArchiveRecord& record) {
    base::JsonReader reader(json, "an archive record");
    reader.text("file", record.file);
    reader.digest("sha256", record.sha256);
    reader.number("size", record.size);
    reader.number("unpacked_size", record.unpacked_size);
    reader.number("entries", record.entries);
    return reader.status();
}

template <class Items>
Json write_all(const Items& items) {
    Json list = Json::array();
    for (const auto& item : items) list.push_back(write(item));
    return list;
}

template <class Item>
void read_all(base::JsonReader& reader, const char* key, std::vector<Item>& into) {
    reader.each(key, [&](const Json& json) -> Status {
        Item item;
        Status status = read(json, item);
        into.push_back(std::move(item));
        return status;
    });
}

Json write(const HostRequirement& host) {
    return {{"soname", host.soname}, {"versions", host.versions}};
}

Status read(const Json& json, HostRequirement& host) {
    base::JsonReader reader(json, "a host requirement");
    reader.text("soname", host.soname);
    reader.texts("versions", host.versions);
    return reader.status();
}

Json write(const Package& package) {
    Json json{{"schema", package_schema},
              {"name", package.name},
              {"version", package.version},
              {"toolchain", package.toolchain},
              {"target", package.target},
              {"identity", package.identity.hex()},
              {"identity_text", package.identity_text},
              {"dependencies", package.dependencies},
              {"files", write_all(package.files)},
              {"sonames", package.sonames},
              {"host_requirements", write_all(package.host_requirements)},
              {"run", write(package.run)},
              {"license", package.license},
              {"ccache_used", package.ccache_used}};
    if (package.dev) json["dev"] = write(*package.dev);
    if (package.dbg) json["dbg"] = write(*package.dbg);
    return json;
}

Status read(const Json& json, Package& package) {
    base::JsonReader reader(json, package_reader);
    reader.schema(package_schema);
    reader.text("name", package.name);
    reader.text("version", package.version);
    reader.text("toolchain", package.toolchain);
    reader.text("target", package.target);
    reader.digest("identity", package.identity);
    reader.text("identity_text", package.identity_text);
    reader.texts("dependencies", package.dependencies);
    read_all(reader, "files", package.files);
    reader.texts("sonames", package.sonames);
    read_all(reader, "host_requirements", package.host_requirements);
    reader.text("license", package.license);
    reader.flag("ccache_used", package.ccache_used);
    if (const Json* run = reader.member("run")) SF_CHECK(read(*run, package.run));
    for (const auto& [key, part] : {std::pair{"dev", &package.dev}, {"dbg", &package.dbg}}) {
        if (!reader.has(key)) continue;
        if (const Json* record = reader.member(key)) SF_CHECK(read(*record, part->emplace()));
    }
    SF_CHECK(reader.status());
    SF_CHECK(check_name(package.name, "package name"));
    SF_CHECK(check_name(package.toolchain, "toolchain name"));
    SF_CHECK(check_version(package.version));
    if (base::sha256(package.identity_text) != package.identity)
        return fail(Code::corrupt, "the identity of {} is not the digest of its identity text",
                    package.name);
    return {};
}

}  // namespace

Result<std::string> to_json(const Package& package) { return base::canonical_json(write(package)); }

Result<Package> package_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    Package package;
    SF_CHECK(read(json, package));
    SF_CHECK(base::JsonReader(json, package_reader).one_form(text, to_json(package)));
    return package;
}

Result<std::string> to_json(const Bundle& bundle) {
    Json json{{"schema", bundle_schema},
              {"name", bundle.name},
              {"version", bundle.version},
              {"toolchain", bundle.toolchain},
              {"architecture", bundle.architecture},
              {"target", bundle.target},
              {"builder", bundle.builder},
              {"packages", write_all(bundle.packages)},
              {"view", write_all(bundle.view)}};
    // Said only where there are some: manifests from before there were assets keep their one text.
    if (!bundle.assets.empty()) json["assets"] = write_all(bundle.assets);
    if (!bundle.features.empty()) json["features"] = bundle.features;
    return base::canonical_json(json);
}

Result<Bundle> bundle_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "the bundle manifest");
    Bundle bundle;
    reader.schema(bundle_schema);
    reader.text("name", bundle.name);
    reader.text("version", bundle.version);
    reader.text("toolchain", bundle.toolchain);
    reader.text("architecture", bundle.architecture);
    reader.text("target", bundle.target);
    reader.text("builder", bundle.builder);
    read_all(reader, "packages", bundle.packages);
    read_all(reader, "view", bundle.view);
    if (reader.has("assets")) read_all(reader, "assets", bundle.assets);
    if (reader.has("features")) reader.texts("features", bundle.features);
    SF_CHECK(reader.status());
    SF_CHECK(check_name(bundle.name, "package name"));
    SF_CHECK(check_name(bundle.toolchain, "toolchain name"));
    SF_CHECK(check_name(bundle.architecture, "architecture"));
    SF_CHECK(check_version(bundle.version));
    SF_CHECK(reader.one_form(text, to_json(bundle)));
    return bundle;
}

}  // namespace sf::model
