// SPDX-License-Identifier: Apache-2.0
#include "cache/spec_manifest.hpp"

#include <array>
#include <utility>

#include "base/text.hpp"
#include "cache/blob_json.hpp"
#include "cache/layout.hpp"
#include "cache/spack_builtin.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr const char* our_object = "slurmFactory";

struct Part {
    const char* name;
    const char* file;
    std::string_view media_type;
};
constexpr std::array<Part, 3> parts{{{"run", "run.tar.zst", media::run},
                                     {"dev", "dev.tar.zst", media::dev},
                                     {"dbg", "dbg.tar.zst", media::dbg}}};

const model::ArchiveRecord* archive(const SpecManifest& manifest, const Part& part) {
    if (part.media_type == media::run) return &manifest.run;
    const auto& one = part.media_type == media::dev ? manifest.dev : manifest.dbg;
    return one ? &*one : nullptr;
}

BlobRecord blob_of(const model::ArchiveRecord& record, const Part& part) {
    return {std::string(part.media_type), "zstd", record.size, record.sha256};
}

// Kinds that have a place of their own are not among the others.
bool is_taken(std::string_view media_type) {
    for (const Part& part : parts)
        if (part.media_type == media_type) return true;
    return media_type == media::spack_install || media_type == media::spack_spec ||
           media_type == media::package;
}

Status check_blob(const BlobRecord& record, std::string_view media_type,
                  std::string_view compression) {
    SF_CHECK(check(record));
    if (record.media_type == media_type && record.compression == compression) return {};
    return fail(Code::corrupt, "a blob {} ({}) stands where {} ({}) should be", record.media_type,
                record.compression, media_type, compression);
}

Status check(const SpecManifest& manifest) {
    SF_TRY([[maybe_unused]] const std::string key, key_of(manifest));
    SF_CHECK(model::check_name(manifest.target, "target"));
    SF_CHECK(model::check_name(manifest.toolchain, "toolchain name"));
    SF_CHECK(check_blob(manifest.install, media::spack_install, "gzip"));
    SF_CHECK(check_blob(manifest.spec, media::spack_spec, "gzip"));
    SF_CHECK(check_blob(manifest.package, media::package, "none"));
    for (const Part& part : parts) {
        const model::ArchiveRecord* record = archive(manifest, part);
        if (record == nullptr) continue;
        SF_CHECK(cache::check(blob_of(*record, part)));
        if (record->file != part.file || record->entries == 0)
            return fail(Code::corrupt, "the part {} is named '{}', or is empty", part.name,
                        base::escape_untrusted(record->file));
    }
    const std::string* before = nullptr;
    for (const BlobRecord& record : manifest.others) {
        SF_CHECK(cache::check(record));
        if (is_taken(record.media_type) || (before != nullptr && *before >= record.media_type))
            return fail(Code::corrupt, "the blob {} is there twice, or not in its place",
                        record.media_type);
        before = &record.media_type;
    }
    return {};
}

Result<SpecManifest> read(const Json& json) {
    SF_TRY(const Json* ours, json_object(json, our_object, "the manifest"));
    constexpr std::string_view what = "the manifest's object slurmFactory";
    SpecManifest manifest;
    SF_TRY(manifest.name, json_text(*ours, "name", what));
    SF_TRY(manifest.version, json_text(*ours, "version", what));
    SF_TRY(manifest.hash, json_text(*ours, "hash", what));
    SF_TRY(manifest.target, json_text(*ours, "target", what));
    SF_TRY(manifest.toolchain, json_text(*ours, "toolchain", what));
    SF_TRY(manifest.identity, json_digest(*ours, "identity", what));
    SF_TRY(const Json* sizes, json_object(*ours, "sizes", what));
    SF_TRY(const Json* data, json_list(json, "data", "the manifest"));
    for (const Json& item : *data) {
        SF_TRY(BlobRecord record, blob_record_from_json(item));
        bool taken = true;
        if (record.media_type == media::spack_install)
            manifest.install = record;
        else if (record.media_type == media::spack_spec)
            manifest.spec = record;
        else if (record.media_type == media::package)
            manifest.package = record;
        else
            taken = false;
        for (const Part& part : parts) {
            if (record.media_type != part.media_type) continue;
            taken = true;
            SF_TRY(const Json* size, json_object(*sizes, part.name, "the manifest's sizes"));
            model::ArchiveRecord one;
            one.file = part.file;
            one.sha256 = record.sha256;
            one.size = record.size;
            SF_TRY(one.unpacked_size, json_number(*size, "unpacked", "a size"));
            SF_TRY(one.entries, json_number(*size, "entries", "a size"));
            (part.media_type == media::run   ? manifest.run
             : part.media_type == media::dev ? manifest.dev.emplace()
                                             : manifest.dbg.emplace()) = one;
        }
        if (!taken) manifest.others.push_back(std::move(record));
    }
    return manifest;
}

tl::unexpected<base::Error> other(const SpecManifest& manifest, std::string_view what,
                                  std::string_view got, std::string_view wanted) {
    return fail(Code::corrupt, "{} {}: the {} it names is of another package: {}, not {}",
                manifest.name, manifest.version, what, base::escape_untrusted(got), wanted);
}

bool same(const model::ArchiveRecord& left, const model::ArchiveRecord& right) {
    return left.file == right.file && left.sha256 == right.sha256 && left.size == right.size &&
           left.unpacked_size == right.unpacked_size && left.entries == right.entries;
}

bool same(const std::optional<model::ArchiveRecord>& left,
          const std::optional<model::ArchiveRecord>& right) {
    return left && right ? same(*left, *right) : left.has_value() == right.has_value();
}

}  // namespace

std::vector<BlobRecord> SpecManifest::blobs() const {
    std::vector<BlobRecord> all{install, spec, package};
    for (const Part& part : parts)
        if (const model::ArchiveRecord* record = archive(*this, part))
            all.push_back(blob_of(*record, part));
    all.insert(all.end(), others.begin(), others.end());
    return all;
}

Result<SpecManifest> manifest_for(const model::Package& package, const SpackSpec& spec) {
    SpecManifest manifest;
    manifest.name = package.name;
    manifest.version = package.version;
    manifest.hash = spec.root().hash;
    manifest.target = package.target;
    manifest.toolchain = package.toolchain;
    manifest.identity = package.identity;
    manifest.run = package.run;
    manifest.dev = package.dev;
    manifest.dbg = package.dbg;
    SF_CHECK(check_same(manifest, spec));
    return manifest;
}

Result<std::string> key_of(const SpecManifest& manifest) {
    return key_of(SpecManifestName{manifest.name, manifest.version, manifest.hash});
}

Result<std::string> to_json(const SpecManifest& manifest) {
    SF_CHECK(check(manifest));
    OrderedJson json;
    json["version"] = manifest_version;
    for (const BlobRecord& record : manifest.blobs()) json["data"].push_back(json_of(record));
    OrderedJson ours;
    ours["name"] = manifest.name;
    ours["version"] = manifest.version;
    ours["hash"] = manifest.hash;
    ours["target"] = manifest.target;
    ours["toolchain"] = manifest.toolchain;
    ours["identity"] = manifest.identity.hex();
    for (const Part& part : parts) {
        const model::ArchiveRecord* record = archive(manifest, part);
        if (record == nullptr) continue;
        OrderedJson size;
        size["unpacked"] = record->unpacked_size;
        size["entries"] = record->entries;
        ours["sizes"][part.name] = std::move(size);
    }
    json[our_object] = std::move(ours);
    return lines_text(json);
}

Result<SpecManifest> spec_manifest_from_json(std::string_view text) {
    SF_TRY(const Json json, base::parse_json(text));
    SF_TRY(SpecManifest manifest, read(json));
    SF_TRY(const std::string again, to_json(manifest));
    SF_CHECK(is_one_text(again, text, "the signed manifest"));
    return manifest;
}

Result<SpecManifest> spec_manifest_from_json(std::string_view text, std::string_view key) {
    SF_TRY(SpecManifest manifest, spec_manifest_from_json(text));
    SF_TRY(const std::string own, key_of(manifest));
    if (own != key)
        return fail(Code::corrupt, "under '{}' lies the signed manifest of another package: {}",
                    base::escape_untrusted(key), own);
    return manifest;
}

Status check_same(const SpecManifest& manifest, const SpackSpec& spec) {
    const SpackNode& root = spec.root();
    const auto differs = [&](std::string_view got, std::string_view wanted) {
        return other(manifest, "spec", got, wanted);
    };
    if (root.name != manifest.name) return differs(root.name, manifest.name);
    if (root.version != manifest.version) return differs(root.version, manifest.version);
    if (root.hash != manifest.hash) return differs(root.hash, manifest.hash);
    if (root.target != manifest.target) return differs(root.target, manifest.target);
    if (root.platform_os != spack_platform_os(manifest.toolchain).value_or(""))
        return differs(root.platform_os, manifest.toolchain);
    if (root.identity != manifest.identity)
        return differs(root.identity ? root.identity->hex() : "external", manifest.identity.hex());
    return {};
}

Status check_same(const SpecManifest& manifest, const model::Package& package) {
    const auto differs = [&](std::string_view got, std::string_view wanted) {
        return other(manifest, "package", got, wanted);
    };
    if (package.name != manifest.name) return differs(package.name, manifest.name);
    if (package.version != manifest.version) return differs(package.version, manifest.version);
    if (package.target != manifest.target) return differs(package.target, manifest.target);
    if (package.toolchain != manifest.toolchain)
        return differs(package.toolchain, manifest.toolchain);
    if (package.identity != manifest.identity)
        return differs(package.identity.hex(), manifest.identity.hex());
    if (!same(manifest.run, package.run) || !same(manifest.dev, package.dev) ||
        !same(manifest.dbg, package.dbg))
        return differs("other archives", "those of the signed manifest");
    return {};
}

}  // namespace sf::cache
