// SPDX-License-Identifier: Apache-2.0
// A strict, total reader for the small XML documents that S3 servers answer with: elements and
// text. No document types, no entities but the five of XML and numbers, no CDATA, no processing
// instructions; attributes are checked and dropped; bounded in size, depth and number. An XML
// library would bring what makes XML dangerous (external entities, expansion), to be switched off
// again. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::net {

struct XmlElement {
    std::string name;  // as written, a prefix included
    std::string text;  // of the element itself, decoded; without white space at its ends
    std::vector<XmlElement> children;

    // The first child of this name, or nullptr.
    [[nodiscard]] const XmlElement* child(std::string_view wanted) const;
    // Its text; "" if there is none.
    [[nodiscard]] std::string child_text(std::string_view wanted) const;
};

// The root element. Anything else is Code::corrupt, with the place.
[[nodiscard]] base::Result<XmlElement> parse_xml(std::string_view text);

// "&amp;" for what means something in XML.
[[nodiscard]] std::string xml_escape(std::string_view text);

}  // namespace sf::net
