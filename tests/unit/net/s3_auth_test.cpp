// SPDX-License-Identifier: Apache-2.0
// Signatures against those that AWS publishes: the four examples of S3's documentation ("Signature
// Calculations for the Authorization Header"), and cases of its test suite for Signature Version 4,
// by their names there.
#include "net/s3_auth.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "net/url.hpp"

namespace sf::net {
namespace {

using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string no_body = base::sha256("").hex();

// The documentation's bucket, keys and time.
SigningRequest of_bucket(const std::string& method, const std::string& path, Fields query = {}) {
    return {method, "examplebucket.s3.amazonaws.com", path, std::move(query), {}, no_body};
}
const S3Credentials documented{
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", {}};
const SigningScope documented_scope{"20130524T000000Z", "us-east-1"};

std::string authorization(const SigningRequest& request, const S3Credentials& credentials,
                          const SigningScope& scope) {
    return sign(request, credentials, scope).back();
}
std::string s3(const SigningRequest& request) {
    return authorization(request, documented, documented_scope);
}

TEST(S3Auth, GetsPartOfAnObject) {
    SigningRequest request = of_bucket("GET", "/test.txt");
    request.headers = {{"Range", "bytes=0-9"}};
    EXPECT_EQ(s3(request),
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
              "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(S3Auth, PutsAnObject) {
    SigningRequest request = of_bucket("PUT", "/" + percent_encode("test$file.text"));
    request.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                       {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
    request.payload = base::sha256("Welcome to Amazon S3.").hex();
    EXPECT_EQ(s3(request),
              "Authorization: AWS4-HMAC-SHA256 "
              "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
              "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
              "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(S3Auth, GetsALifecycle) {
    EXPECT_THAT(
        s3(of_bucket("GET", "/", {{"lifecycle", ""}})),
        EndsWith("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(S3Auth, ListsABucket) {
    EXPECT_THAT(
        s3(of_bucket("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}})),
        EndsWith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(S3Auth, SaysWhatItSigned) {
    SigningRequest request = of_bucket("GET", "/x");
    request.headers = {{"X-Amz-Meta-A", "b"}};
    const auto lines = sign(request, {"id", "secret", "the token"}, documented_scope);
    EXPECT_THAT(lines, Contains("x-amz-content-sha256: " + no_body));
    EXPECT_THAT(lines, Contains("x-amz-date: 20130524T000000Z"));
    EXPECT_THAT(lines, Contains("x-amz-security-token: the token"));
    EXPECT_THAT(lines, Contains("X-Amz-Meta-A: b"));
    EXPECT_THAT(lines.back(), HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
                                        "x-amz-meta-a;x-amz-security-token,"));
    EXPECT_THAT(lines, Not(Contains(HasSubstr("secret,"))));
    request.payload = unsigned_payload;
    EXPECT_THAT(sign(request, documented, documented_scope),
                Contains("x-amz-content-sha256: UNSIGNED-PAYLOAD"));
}

// A case of the suite; its service is not S3, so the digest of the body is no field.
struct Case {
    const char* name;
    const char* method;
    std::string path;  // encoded
    Fields query;
    Fields headers;
    const char* signature;
    std::string token;
};

void PrintTo(const Case& each, std::ostream* to) { *to << each.name; }

class Suite : public testing::TestWithParam<Case> {};

TEST_P(Suite, IsSignedAsPublished) {
    const Case& each = GetParam();
    const SigningRequest request{
        each.method, "example.amazonaws.com", each.path, each.query, each.headers, no_body};
    const SigningScope scope{"20150830T123600Z", "us-east-1", "service"};
    const S3Credentials credentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                    each.token};
    EXPECT_THAT(authorization(request, credentials, scope),
                EndsWith(std::string(",Signature=") + each.signature));
}

constexpr const char* every_unreserved =
    "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

INSTANTIATE_TEST_SUITE_P(
    S3Auth, Suite,
    testing::Values(
        Case{"get_vanilla",
             "GET",
             "/",
             {},
             {},
             "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
             {}},
        Case{"get_vanilla_query_order_key_case",
             "GET",
             "/",
             {{"Param2", "value2"}, {"Param1", "value1"}},
             {},
             "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
             {}},
        Case{"get_vanilla_query_order_encoded",
             "GET",
             "/",
             {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}},
             {},
             "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
             {}},
        Case{"get_vanilla_empty_query_key",
             "GET",
             "/",
             {{"Param1", "value1"}},
             {},
             "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
             {}},
        Case{"get_vanilla_utf8_query",
             "GET",
             "/",
             {{"\xe1\x88\xb4", "bar"}},
             {},
             "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
             {}},
        Case{"get_vanilla_query_unreserved",
             "GET",
             "/",
             {{every_unreserved, every_unreserved}},
             {},
             "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
             {}},
        Case{"get_unreserved",
             "GET",
             percent_encode(std::string("/") + every_unreserved),
             {},
             {},
             "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
             {}},
        Case{"get_utf8",
             "GET",
             percent_encode("/\xe1\x88\xb4"),
             {},
             {},
             "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
             {}},
        Case{"get_space_unnormalized",
             "GET",
             percent_encode("/example space/"),
             {},
             {},
             "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
             {}},
        Case{"get_slashes_unnormalized",
             "GET",
             "//example//",
             {},
             {},
             "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5",
             {}},
        Case{"get_header_value_trim",
             "GET",
             "/",
             {},
             {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
             "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
             {}},
        Case{"get_header_key_duplicate",
             "GET",
             "/",
             {},
             {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
             "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
             {}},
        Case{"post_header_key_sort",
             "POST",
             "/",
             {},
             {{"My-Header1", "value1"}},
             "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
             {}},
        Case{"post_header_value_case",
             "POST",
             "/",
             {},
             {{"My-Header1", "VALUE1"}},
             "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
             {}},
        Case{"get_vanilla_with_session_token",
             "GET",
             "/",
             {},
             {},
             "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
             "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(S3Auth, SignsABody) {
    // post-x-www-form-urlencoded
    SigningRequest request{"POST", "example.amazonaws.com", "/", {}, {}, {}};
    request.payload = base::sha256("Param1=value1").hex();
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                       {"Content-Length", "13"},
                       {"x-amz-content-sha256", request.payload}};
    EXPECT_THAT(
        authorization(request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", {}},
                      {"20150830T123600Z", "us-east-1", "service"}),
        EndsWith("Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"));
}

TEST(S3Auth, EncodesWholeQueries) {
    EXPECT_EQ(canonical_query({{"prefix", "index/a b=+~"}, {"list-type", "2"}, {"uploads", ""}}),
              "list-type=2&prefix=index%2Fa%20b%3D%2B~&uploads=");
    EXPECT_EQ(canonical_query({}), "");
}

TEST(S3Auth, TellsTheTime) { EXPECT_EQ(signing_time(1369353600), "20130524T000000Z"); }

}  // namespace
}  // namespace sf::net
