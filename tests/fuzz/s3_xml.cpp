// SPDX-License-Identifier: Apache-2.0
// Z11: what an S3 server may answer, as XML. What is read is bounded by what was sent, survives
// being written and read again, and a list that goes on says how.
#include "net/s3_xml.hpp"

#include "fuzz/fuzz.hpp"
#include "net/s3_roles.hpp"
#include "net/xml.hpp"

using namespace sf;

namespace {

std::string written(const net::XmlElement& element) {
    std::string text = "<" + element.name + ">" + net::xml_escape(element.text);
    for (const net::XmlElement& each : element.children) text += written(each);
    return text + "</" + element.name + ">";
}

bool same(const net::XmlElement& one, const net::XmlElement& other) {
    if (one.name != other.name || one.text != other.text ||
        one.children.size() != other.children.size())
        return false;
    for (std::size_t i = 0; i < one.children.size(); ++i) {
        if (!same(one.children[i], other.children[i])) return false;
    }
    return true;
}

std::size_t weight(const net::XmlElement& element) {
    std::size_t sum = element.name.size() + element.text.size();
    for (const net::XmlElement& each : element.children) sum += weight(each);
    return sum;
}

// Control characters come by number only, which xml_escape does not write.
bool has_control(const net::XmlElement& element) {
    for (const char c : element.text) {
        if (static_cast<unsigned char>(c) < ' ') return true;
    }
    for (const net::XmlElement& each : element.children) {
        if (has_control(each)) return true;
    }
    return false;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    if (const auto root = net::parse_xml(text)) {
        fuzz::require(weight(*root) <= size, "no more comes out than went in");
        if (!has_control(*root)) {
            const auto again = net::parse_xml(written(*root));
            fuzz::require(again && same(*root, *again), "what is written is read again");
        }
    }
    if (const auto listing = net::parse_listing(text)) {
        fuzz::require(!listing->truncated || !listing->next.empty(), "a list says how it goes on");
        for (const net::S3Object& each : listing->objects)
            fuzz::require(!each.key.empty(), "an object has a key");
    }
    if (const auto error = net::parse_s3_error(text))
        fuzz::require(!error->code.empty(), "an error has a code");
    if (const auto id = net::parse_upload_id(text))
        fuzz::require(!id->empty(), "an upload has an id");
    if (const auto etag = net::parse_completed(text))
        fuzz::require(!etag->empty(), "an object has an etag");
    if (const auto role = net::parse_web_identity(text))
        fuzz::require(role->expires.has_value(), "the keys of a role end");
    return 0;
}
