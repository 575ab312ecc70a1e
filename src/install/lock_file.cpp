// SPDX-License-Identifier: Apache-2.0
#include "install/lock_file.hpp"

#include "base/json_reader.hpp"
#include "base/text.hpp"
#include "cache/layout.hpp"
#include "cache/ref_json.hpp"
#include "model/names.hpp"

namespace sf::install {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr int schema = 1;

Status check(const LockFile& lock) {
    SF_CHECK(model::check_name(lock.name, "package name"));
    SF_CHECK(model::check_version(lock.version));
    SF_CHECK(model::check_name(lock.build.toolchain, "toolchain name"));
    SF_CHECK(model::check_name(lock.build.target, "target"));
    SF_TRY(const cache::MirrorName mirror, cache::mirror_of(lock.mirror));
    if (mirror.toolchain != lock.build.toolchain || mirror.series != model::series_of(lock.version))
        return fail(Code::corrupt, "a lock file of {} {} for {} names the mirror {}", lock.name,
                    lock.version, lock.build.toolchain, lock.mirror);
    if (!cache::is_dag_hash(lock.build.hash))
        return fail(Code::corrupt, "a lock file has a hash that is none of Spack");
    constexpr std::size_t id_length = 32;
    if (lock.repository.size() != id_length ||
        lock.repository.find_first_not_of("0123456789abcdef") != std::string::npos)
        return fail(Code::corrupt, "a lock file names no repository");
    constexpr std::size_t longest_place = 4096;
    if (lock.cache.size() > longest_place || base::escape_untrusted(lock.cache) != lock.cache)
        return fail(Code::corrupt, "a lock file names a cache in an unprintable way");
    if (lock.packages.empty() || lock.packages.back().identity != lock.build.identity)
        return fail(Code::corrupt, "the last package of a lock file is not what it is of");
    for (const LockedPackage& each : lock.packages)
        if (each.name.empty() || each.name.front() == '.' ||
            each.name.find('/') != std::string::npos)
            return fail(Code::corrupt, "a lock file names '{}', which is no package",
                        base::escape_untrusted(each.name));
    return {};
}

}  // namespace

std::vector<LockedPackage> locked_packages(const model::Bundle& bundle) {
    std::vector<LockedPackage> list;
    for (const model::Package& each : bundle.packages)
        list.push_back({each.store_name(), each.identity, {each.run.sha256, each.run.size}});
    return list;
}

Result<std::string> to_json(const LockFile& lock) {
    SF_CHECK(check(lock));
    Json packages = Json::array();
    for (const LockedPackage& each : lock.packages)
        packages.push_back({{"name", each.name},
                            {"identity", each.identity.hex()},
                            {"archive", cache::write(each.archive)}});
    Json json{{"schema", schema},
              {"repository", lock.repository},
              {"mirror", lock.mirror},
              {"serial", lock.serial},
              {"name", lock.name},
              {"version", lock.version},
              {"hash", lock.build.hash},
              {"toolchain", lock.build.toolchain},
              {"target", lock.build.target},
              {"identity", lock.build.identity.hex()},
              {"manifest", cache::write(lock.build.manifest)},
              {"packages", std::move(packages)}};
    if (!lock.cache.empty()) json["cache"] = lock.cache;
    SF_TRY(std::string text, base::canonical_json(json));
    return text + '\n';
}

Result<LockFile> lock_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    base::JsonReader reader(json, "a lock file");
    LockFile lock;
    reader.schema(schema);
    if (reader.has("cache")) reader.text("cache", lock.cache);
    reader.text("repository", lock.repository);
    reader.text("mirror", lock.mirror);
    reader.number("serial", lock.serial);
    reader.text("name", lock.name);
    reader.text("version", lock.version);
    reader.text("hash", lock.build.hash);
    reader.text("toolchain", lock.build.toolchain);
    reader.text("target", lock.build.target);
    reader.digest("identity", lock.build.identity);
    cache::read(reader, "manifest", lock.build.manifest);
    reader.each("packages", [&](const Json& item) -> Status {
        base::JsonReader each(item, "a package of a lock file");
        LockedPackage package;
        each.text("name", package.name);
        each.digest("identity", package.identity);
        cache::read(each, "archive", package.archive);
        SF_CHECK(each.status());
        lock.packages.push_back(std::move(package));
        return {};
    });
    SF_CHECK(reader.status());
    SF_CHECK(reader.one_form(text, to_json(lock)));
    return lock;
}

}  // namespace sf::install
