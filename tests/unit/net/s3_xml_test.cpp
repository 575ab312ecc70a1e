// SPDX-License-Identifier: Apache-2.0
// The XML of S3: what it says, and that nothing else is read.
#include "net/s3_xml.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/xml.hpp"

namespace sf::net {
namespace {

using base::Code;
using testing::HasSubstr;

TEST(Xml, ReadsElementsAndText) {
    const auto root = parse_xml(
        "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a xmlns='u' b = \"x>\" >\n"
        "  <c>1 &lt;&amp;&gt;&quot;&apos;&#65;&#x1F600;&#x1;</c><d/><c>2</c>\n</a>\n");
    ASSERT_TRUE(root) << root.error().text();
    EXPECT_EQ(root->name, "a");
    EXPECT_EQ(root->text, "");
    ASSERT_EQ(root->children.size(), 3U);
    EXPECT_EQ(root->child_text("c"), "1 <&>\"'A\xF0\x9F\x98\x80\x01");
    EXPECT_NE(root->child("d"), nullptr);
    EXPECT_EQ(root->child("e"), nullptr);
}

TEST(Xml, ReadsNothingElse) {
    for (const char* bad : {"",
                            "a",
                            "<a>",
                            "<a",
                            "<a></b>",
                            "<a><b></a></b>",
                            "<a/><b/>",
                            "<a/>x",
                            "<1/>",
                            "<a b/>",
                            "<a b=c/>",
                            "<a b=\"/>",
                            "<a b=\"<\"/>",
                            "<a b=\"1\"c=\"2\"/>",
                            "<a>&</a>",
                            "<a>&x;</a>",
                            "<a>&#0;</a>",
                            "<a>&#xD800;</a>",
                            "<a>&#x110000;</a>",
                            "<a>&#;</a>",
                            "<a>&#x;</a>",
                            "<a>&#1a;</a>",
                            "<a>&#99999999999999999999;</a>",
                            "<!-- --><a/>",
                            "<a><!-- --></a>",
                            "<a><![CDATA[x]]></a>",
                            "<a><?x?></a>",
                            "<!DOCTYPE a><a/>",
                            "<?xml version='1.0'",
                            "<a>\x01</a>"}) {
        const auto root = parse_xml(bad);
        ASSERT_FALSE(root) << bad;
        EXPECT_EQ(root.error().code, Code::corrupt);
    }
    EXPECT_FALSE(parse_xml(std::string("<a>\0</a>", 8)));
}

TEST(Xml, IsBounded) {
    const auto nested = [](int depth) {
        std::string text;
        for (int i = 0; i < depth; ++i) text += "<a>";
        for (int i = 0; i < depth; ++i) text += "</a>";
        return text;
    };
    EXPECT_TRUE(parse_xml(nested(16)));
    EXPECT_FALSE(parse_xml(nested(17)));
    EXPECT_FALSE(parse_xml(nested(1'000'000)));
    std::string many = "<a>";
    for (int i = 0; i < 200'000; ++i) many += "<b/>";
    EXPECT_FALSE(parse_xml(many + "</a>"));
    EXPECT_FALSE(parse_xml("<a>" + std::string(std::size_t{16} << 20, 'x') + "</a>"));
    EXPECT_FALSE(parse_xml("<" + std::string(129, 'a') + "/>"));
}

TEST(S3Xml, ReadsAList) {
    const auto listing = parse_listing(
        "<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated>"
        "<NextContinuationToken>1+/=</NextContinuationToken><Contents><Key>a/1</Key>"
        "<ETag>&quot;0cc1&quot;</ETag><LastModified>2009-10-12T17:50:30.000Z</LastModified>"
        "<Size>4</Size><Owner><ID>x</ID></Owner></Contents><Contents>"
        "<Key>a &amp; b</Key><Size>18446744073709551615</Size></Contents></ListBucketResult>");
    ASSERT_TRUE(listing) << listing.error().text();
    EXPECT_TRUE(listing->truncated);
    EXPECT_EQ(listing->next, "1+/=");
    ASSERT_EQ(listing->objects.size(), 2U);
    EXPECT_EQ(listing->objects[0].key, "a/1");
    EXPECT_EQ(listing->objects[0].size, 4U);
    EXPECT_EQ(listing->objects[0].etag, "\"0cc1\"");
    EXPECT_EQ(listing->objects[0].modified, 1255369830);
    EXPECT_EQ(listing->objects[1].key, "a & b");
    EXPECT_EQ(listing->objects[1].modified, std::nullopt);
}

TEST(S3Xml, ReadsNoListThatIsNone) {
    for (const char* bad :
         {"<Error><Code>x</Code></Error>", "<ListBucketResult/>",
          "<ListBucketResult><IsTruncated>yes</IsTruncated></ListBucketResult>",
          "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
          "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>"
          "</ListBucketResult>",
          "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>"
          "<Size>-1</Size></Contents></ListBucketResult>"}) {
        const auto listing = parse_listing(bad);
        ASSERT_FALSE(listing) << bad;
        EXPECT_EQ(listing.error().code, Code::corrupt);
    }
}

TEST(S3Xml, ReadsErrors) {
    const auto error = parse_s3_error(
        "<?xml version=\"1.0\"?><Error><Code>PermanentRedirect</Code><Message>no</Message>"
        "<Endpoint>s3.eu-west-1.amazonaws.com</Endpoint><Region>eu-west-1</Region></Error>");
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, "PermanentRedirect");
    EXPECT_EQ(error->message, "no");
    EXPECT_EQ(error->region, "eu-west-1");
    EXPECT_EQ(error->endpoint, "s3.eu-west-1.amazonaws.com");
    EXPECT_FALSE(parse_s3_error("<Error/>"));
    EXPECT_FALSE(parse_s3_error("<html><body>no</body></html>"));
    EXPECT_FALSE(parse_s3_error(""));
}

TEST(S3Xml, KnowsUploads) {
    EXPECT_EQ(parse_upload_id("<InitiateMultipartUploadResult><UploadId>2~a</UploadId>"
                              "</InitiateMultipartUploadResult>")
                  .value(),
              "2~a");
    EXPECT_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
    EXPECT_EQ(parse_completed("\n \n<CompleteMultipartUploadResult><ETag>\"a-2\"</ETag>"
                              "</CompleteMultipartUploadResult>")
                  .value(),
              "\"a-2\"");
    EXPECT_FALSE(parse_completed("<Error><Code>InternalError</Code></Error>"));
    const auto sent = parse_xml(completion({S3Part{"\"a\"", {}}, S3Part{"\"b<\"", "c+/="}}));
    ASSERT_TRUE(sent);
    ASSERT_EQ(sent->children.size(), 2U);
    EXPECT_EQ(sent->children[0].child("ChecksumSHA256"), nullptr);
    EXPECT_EQ(sent->children[1].child_text("PartNumber"), "2");
    EXPECT_EQ(sent->children[1].child_text("ETag"), "\"b<\"");
    EXPECT_EQ(sent->children[1].child_text("ChecksumSHA256"), "c+/=");
}

}  // namespace
}  // namespace sf::net
