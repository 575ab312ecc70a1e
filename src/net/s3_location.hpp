// SPDX-License-Identifier: Apache-2.0
// Where a bucket is: s3://bucket/prefix as people write it, and the address of its objects, at AWS
// (the bucket in the host name) or at another endpoint (the bucket in the path). Knows no requests.
// Values, any thread.
#pragma once

#include <string>
#include <string_view>

#include "net/s3_auth.hpp"
#include "net/url.hpp"

namespace sf::net {

struct S3Location {
    std::string bucket;
    std::string prefix;  // without "/" at its ends; may be empty

    [[nodiscard]] static base::Result<S3Location> parse(std::string_view text);
    [[nodiscard]] std::string text() const;  // "s3://bucket/prefix"
};

// The addresses of one bucket.
class S3Address {
public:
    // `endpoint` "": AWS's of the region.
    [[nodiscard]] static base::Result<S3Address> create(const std::string& bucket,
                                                        const std::string& region,
                                                        const std::string& endpoint);

    // As the field Host says it.
    [[nodiscard]] const std::string& host() const { return x_host; }
    // Percent-encoded; of the bucket itself for "".
    [[nodiscard]] std::string path(std::string_view key) const;
    // What is asked, exactly as it was signed.
    [[nodiscard]] base::Result<Url> url(std::string_view key, const Fields& query) const;

private:
    std::string x_scheme;
    std::string x_host;
    std::string x_base;  // path of the bucket, without "/" at its end
};

// "eu-central-1"
[[nodiscard]] bool is_region(std::string_view text);

}  // namespace sf::net
