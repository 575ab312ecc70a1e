// SPDX-License-Identifier: Apache-2.0
// The XML that S3 servers answer with, and the one that they are sent, as values. Total: what is
// not understood is Code::corrupt. What it holds is from outside: neither escaped nor believed.
// Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::net {

struct S3Object {
    std::string key;
    std::uint64_t size = 0;
    std::string etag;                        // with its quotes, as in the field ETag
    std::optional<std::int64_t> modified{};  // seconds since 1970, by the server's clock
};

// A page of ListObjectsV2.
struct S3Listing {
    std::vector<S3Object> objects;
    bool truncated = false;
    std::string next;  // asks for the next page
};
[[nodiscard]] base::Result<S3Listing> parse_listing(std::string_view text);

struct S3Error {
    std::string code;  // "NoSuchKey"
    std::string message;
    std::string region;    // where the bucket is instead
    std::string endpoint;  // likewise
};
// nullopt: it is no such document.
[[nodiscard]] std::optional<S3Error> parse_s3_error(std::string_view text);

// Of InitiateMultipartUpload; never empty.
[[nodiscard]] base::Result<std::string> parse_upload_id(std::string_view text);
// Of CompleteMultipartUpload: the new object's etag. A server may answer 200, and send an error
// after all, so parse_s3_error comes first.
[[nodiscard]] base::Result<std::string> parse_completed(std::string_view text);

// A part of an upload that has arrived.
struct S3Part {
    std::string etag;
    std::string checksum;  // as s3_checksum.hpp has it; empty: the server keeps none with it
};
// What completes an upload: its parts, in their order.
[[nodiscard]] std::string completion(const std::vector<S3Part>& parts);

}  // namespace sf::net
