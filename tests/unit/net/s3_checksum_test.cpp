// SPDX-License-Identifier: Apache-2.0
// The checksums of S3: what the field holds, that it is signed, and which refusals are of the field
// and not of what it says.
#include "net/s3_checksum.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/s3_auth.hpp"

namespace sf::net {
namespace {

using testing::Contains;
using testing::EndsWith;

// By other programs: openssl dgst -sha256 -binary | base64
TEST(S3Checksum, IsBase64OfTheDigest) {
    EXPECT_EQ(checksum_of(base::sha256("")), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    EXPECT_EQ(checksum_of(base::sha256("words")), "26Nr/6XKsPki0IejrrF5+dTnRd9AsyPhsUcUAoSMij4=");
}

// The signature is that of another implementation (Python's hmac), with the keys and the time of
// S3's documentation.
TEST(S3Checksum, IsSigned) {
    const base::Digest digest = base::sha256("Welcome to Amazon S3.");
    const SigningRequest request{"PUT", "examplebucket.s3.amazonaws.com",        "/test.txt",
                                 {},    {{checksum_field, checksum_of(digest)}}, digest.hex()};
    EXPECT_EQ(canonical_request(request).text,
              "PUT\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\n"
              "x-amz-checksum-sha256:RM591nyVng01JP+sF3Hfu6h9K2tLTpnkIDSouAP4sHI=\n\n"
              "host;x-amz-checksum-sha256\n"
              "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    const auto lines =
        sign(request, {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}},
             {"20130524T000000Z", "us-east-1"});
    EXPECT_THAT(lines,
                Contains("x-amz-checksum-sha256: RM591nyVng01JP+sF3Hfu6h9K2tLTpnkIDSouAP4sHI="));
    EXPECT_THAT(
        lines.back(),
        EndsWith("SignedHeaders=host;x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date,"
                 "Signature=25c9cdc4c813d03578c82b6cfac18c626c3aa3b43e4b66df67402189fe775a3d"));
}

TEST(S3Checksum, IsUnknownOnlyWhereThatIsSaid) {
    const auto refused = [](const char* code, const char* message) {
        S3Error error;
        error.code = code;
        error.message = message;
        return refuses_checksums(error);
    };
    EXPECT_TRUE(refused("InvalidArgument",
                        "Unsupported header 'x-amz-checksum-sha256' received for this API call."));
    EXPECT_TRUE(refused("NotImplemented",
                        "Header 'x-amz-checksum-algorithm' with value 'SHA256' not implemented"));
    // Wrong or missing ones, and other fields.
    EXPECT_FALSE(refused("BadDigest", "The SHA256 you specified did not match"));
    EXPECT_FALSE(refused("XAmzContentChecksumMismatch",
                         "The provided 'x-amz-checksum' header does not match what was computed."));
    EXPECT_FALSE(refused("InvalidRequest",
                         "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object "
                         "requests with Object Lock parameters"));
    EXPECT_FALSE(refused("NotImplemented", "A header you provided implies functionality"));
    EXPECT_FALSE(refused("", ""));
}

}  // namespace
}  // namespace sf::net
