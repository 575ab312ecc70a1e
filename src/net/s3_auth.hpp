// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4, in the header fields of a request. Knows neither clock nor network:
// what is signed is given, what is sent comes out. By hand, because libcurl's own (7.88) neither
// sorts and encodes the query nor encodes "=" in a path, and sends no digest of the body. Pure, any
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sf::net {

// All of it is secret, except for the access key's name.
struct S3Credentials {
    std::string access_key;
    std::string secret_key;
    std::string session_token;  // of temporary ones; empty otherwise
};

using Fields = std::vector<std::pair<std::string, std::string>>;

// Instead of a digest: the body is not part of what is signed.
inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";

struct SigningRequest {
    std::string method;
    std::string host;     // as the field Host will say it: with the port, unless it is the scheme's
    std::string path;     // percent-encoded, once
    Fields query;         // plain
    Fields headers;       // what is to be sent and signed; names in any case
    std::string payload;  // the body's SHA-256 in hexadecimal digits, or unsigned_payload
};

struct SigningScope {
    std::string time;  // "20130524T000000Z"
    std::string region;
    std::string service = "s3";
};

// Sorted and fully percent-encoded, "/" included; a key without a value is "key=".
[[nodiscard]] std::string canonical_query(const Fields& query);

struct CanonicalRequest {
    std::string text;
    std::string signed_headers;  // "host;x-amz-date"
};
// Of a request that has all its fields.
[[nodiscard]] CanonicalRequest canonical_request(const SigningRequest& request);
[[nodiscard]] std::string string_to_sign(std::string_view canonical, const SigningScope& scope);

// The request's fields and those of the signature, as "Name: value" lines: whoever sends them all,
// and the method, path and canonical_query(query) as they are here, is believed. For S3 the digest
// of the body is one of them.
[[nodiscard]] std::vector<std::string> sign(const SigningRequest& request,
                                            const S3Credentials& credentials,
                                            const SigningScope& scope);

// Seconds since 1970 as a signature tells them: "20130524T000000Z".
[[nodiscard]] std::string signing_time(std::int64_t seconds);

}  // namespace sf::net
