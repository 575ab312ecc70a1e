// SPDX-License-Identifier: Apache-2.0
#include "net/s3_xml.hpp"

#include "base/text.hpp"
#include "net/body_taker.hpp"
#include "net/s3_roles.hpp"
#include "net/xml.hpp"

namespace sf::net {

using base::Code;
using base::fail;

namespace {

base::Result<XmlElement> document(std::string_view text, std::string_view name) {
    // While it completes an upload a server may send blanks, so that nobody gives up.
    SF_TRY(XmlElement root, parse_xml(base::trim(text)));
    if (root.name != name) return fail(Code::corrupt, "it is no {}", name);
    return root;
}

base::Result<std::string> needed(const XmlElement& of, std::string_view name) {
    std::string text = of.child_text(name);
    if (text.empty()) return fail(Code::corrupt, "a {} without {}", of.name, name);
    return text;
}

}  // namespace

base::Result<S3Listing> parse_listing(std::string_view text) {
    SF_TRY(const XmlElement root, document(text, "ListBucketResult"));
    S3Listing listing;
    const std::string truncated = root.child_text("IsTruncated");
    if (truncated != "true" && truncated != "false")
        return fail(Code::corrupt, "a list that does not say whether it is whole");
    listing.truncated = truncated == "true";
    listing.next = root.child_text("NextContinuationToken");
    if (listing.truncated && listing.next.empty())
        return fail(Code::corrupt, "a list that is not whole, and does not say how it goes on");
    for (const XmlElement& each : root.children) {
        if (each.name != "Contents") continue;
        S3Object object;
        SF_TRY(object.key, needed(each, "Key"));
        const auto size = parse_number(each.child_text("Size"));
        if (!size) return fail(Code::corrupt, "a list with an object without a size");
        object.size = *size;
        object.etag = each.child_text("ETag");
        object.modified = parse_utc(each.child_text("LastModified"));
        listing.objects.push_back(std::move(object));
    }
    return listing;
}

std::optional<S3Error> parse_s3_error(std::string_view text) {
    const auto root = document(text, "Error");
    if (!root) return {};
    S3Error error;
    error.code = root->child_text("Code");
    error.message = root->child_text("Message");
    error.region = root->child_text("Region");
    error.endpoint = root->child_text("Endpoint");
    if (error.code.empty()) return {};
    return error;
}

base::Result<std::string> parse_upload_id(std::string_view text) {
    SF_TRY(const XmlElement root, document(text, "InitiateMultipartUploadResult"));
    return needed(root, "UploadId");
}

base::Result<std::string> parse_completed(std::string_view text) {
    SF_TRY(const XmlElement root, document(text, "CompleteMultipartUploadResult"));
    return needed(root, "ETag");
}

std::string completion(const std::vector<S3Part>& parts) {
    std::string text =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (std::size_t i = 0; i < parts.size(); ++i) {
        text += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag>", i + 1,
                            xml_escape(parts[i].etag));
        if (!parts[i].checksum.empty()) {
            text +=
                fmt::format("<ChecksumSHA256>{}</ChecksumSHA256>", xml_escape(parts[i].checksum));
        }
        text += "</Part>";
    }
    return text + "</CompleteMultipartUpload>";
}

}  // namespace sf::net
