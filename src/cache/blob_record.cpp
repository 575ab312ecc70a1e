// SPDX-License-Identifier: Apache-2.0
#include "cache/blob_record.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "cache/blob_json.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t longest_media_type = 127;
// The largest whole number that every reader of JSON reads as the same.
constexpr std::uint64_t largest = (std::uint64_t{1} << 53U) - 1;

bool is_media_type(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("./+-").find(c) != std::string_view::npos;
    };
    return !text.empty() && text.size() <= longest_media_type &&
           std::ranges::all_of(text, allowed) && std::ranges::count(text, '/') == 1 &&
           text.front() != '/' && text.back() != '/';
}

}  // namespace

OrderedJson json_of(const BlobRecord& record) {
    OrderedJson json;
    json["contentLength"] = record.size;
    json["mediaType"] = record.media_type;
    json["compression"] = record.compression;
    json["checksumAlgorithm"] = "sha256";
    json["checksum"] = record.sha256.hex();
    return json;
}

Status check(const BlobRecord& record) {
    const std::string shown = base::escape_untrusted(record.media_type.substr(0, 200));
    if (!is_media_type(record.media_type))
        return fail(Code::corrupt, "'{}' is no kind of blob", shown);
    if (record.compression != "gzip" && record.compression != "zstd" &&
        record.compression != "none")
        return fail(Code::corrupt, "the blob {} is compressed by '{}', which is not known", shown,
                    base::escape_untrusted(record.compression.substr(0, 100)));
    if (record.size == 0 || record.size > largest)
        return fail(Code::corrupt, "the blob {} has an impossible length", shown);
    return {};
}

Result<BlobRecord> blob_record_from_json(const Json& json) {
    BlobRecord record;
    SF_TRY(record.size, json_number(json, "contentLength", "a blob's record"));
    SF_TRY(record.media_type, json_text(json, "mediaType", "a blob's record"));
    SF_TRY(record.compression, json_text(json, "compression", "a blob's record"));
    SF_TRY(const std::string algorithm, json_text(json, "checksumAlgorithm", "a blob's record"));
    if (algorithm != "sha256")
        return fail(Code::corrupt, "a blob's digest is by '{}'; only sha256 counts",
                    base::escape_untrusted(algorithm.substr(0, 100)));
    SF_TRY(record.sha256, json_digest(json, "checksum", "a blob's record"));
    SF_CHECK(check(record));
    return record;
}

Result<std::string> manifest_of(const BlobRecord& record) {
    SF_CHECK(check(record));
    OrderedJson json;
    json["version"] = manifest_version;
    json["data"].push_back(json_of(record));
    return lines_text(json);
}

Result<BlobRecord> blob_of_manifest(std::string_view text, std::string_view media_type) {
    SF_TRY(const Json json, base::parse_json(text));
    SF_TRY(const Json* data, json_list(json, "data", "the manifest"));
    if (data->size() != 1)
        return fail(Code::corrupt, "the manifest names {} blobs, not one", data->size());
    SF_TRY(BlobRecord record, blob_record_from_json(data->front()));
    if (record.media_type != media_type || record.compression != "none")
        return fail(Code::corrupt, "the manifest names a blob {}, not a plain {}",
                    record.media_type, media_type);
    SF_TRY(const std::string again, manifest_of(record));
    SF_CHECK(is_one_text(again, text, "the manifest"));
    return record;
}

}  // namespace sf::cache
