// SPDX-License-Identifier: Apache-2.0
#include "net/xml.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/text.hpp"

namespace sf::net {

namespace {

using base::Code;
using base::fail;

constexpr std::size_t max_bytes = std::size_t{16} << 20;
constexpr std::size_t max_depth = 16;
constexpr std::size_t max_elements = 200'000;
constexpr std::size_t max_name = 128;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

bool is_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; }

void append_utf8(std::string& to, std::uint32_t point) {
    const auto add = [&](std::uint32_t byte) { to += static_cast<char>(byte); };
    if (point < 0x80) {
        add(point);
    } else if (point < 0x800) {
        add(0xC0U | (point >> 6U));
        add(0x80U | (point & 0x3FU));
    } else if (point < 0x10000) {
        add(0xE0U | (point >> 12U));
        add(0x80U | ((point >> 6U) & 0x3FU));
        add(0x80U | (point & 0x3FU));
    } else {
        add(0xF0U | (point >> 18U));
        add(0x80U | ((point >> 12U) & 0x3FU));
        add(0x80U | ((point >> 6U) & 0x3FU));
        add(0x80U | (point & 0x3FU));
    }
}

// "amp", "#38", "#x26"
std::optional<std::string> entity(std::string_view name) {
    if (name == "amp") return "&";
    if (name == "lt") return "<";
    if (name == "gt") return ">";
    if (name == "quot") return "\"";
    if (name == "apos") return "'";
    if (name.size() < 2 || name.size() > 10 || name[0] != '#') return {};
    const bool hex = name[1] == 'x';
    const std::string_view digits = name.substr(hex ? 2 : 1);
    if (digits.empty()) return {};
    std::uint32_t point = 0;
    for (const char c : digits) {
        std::uint32_t value = 16;
        if (c >= '0' && c <= '9') value = static_cast<std::uint32_t>(c - '0');
        if (hex && c >= 'a' && c <= 'f') value = static_cast<std::uint32_t>(c - 'a' + 10);
        if (hex && c >= 'A' && c <= 'F') value = static_cast<std::uint32_t>(c - 'A' + 10);
        if (value == 16) return {};
        point = point * (hex ? 16U : 10U) + value;
        if (point > 0x10FFFF) return {};
    }
    // Keys may hold control characters, which servers write like this; none holds a NUL.
    if (point == 0 || (point >= 0xD800 && point <= 0xDFFF)) return {};
    std::string result;
    append_utf8(result, point);
    return result;
}

class Reader {
public:
    explicit Reader(std::string_view text) : x_text(text) {}

    base::Result<XmlElement> document() {
        if (x_text.size() > max_bytes) return wrong("it is too long");
        if (x_text.starts_with("\xEF\xBB\xBF")) x_at = 3;
        if (rest().starts_with("<?xml")) {
            const std::size_t end = rest().find("?>");
            if (end == std::string_view::npos) return wrong("its declaration does not end");
            x_at += end + 2;
        }
        skip_blanks();
        XmlElement root;
        SF_CHECK(element(root, 1));
        skip_blanks();
        if (!rest().empty()) return wrong("something follows its end");
        return root;
    }

private:
    [[nodiscard]] std::string_view rest() const { return x_text.substr(x_at); }
    [[nodiscard]] tl::unexpected<base::Error> wrong(const char* why) const {
        return fail(Code::corrupt, "no XML of the kind that is understood: at byte {}: {}", x_at,
                    why);
    }
    void skip_blanks() {
        while (x_at < x_text.size() && is_blank(x_text[x_at])) ++x_at;
    }
    bool take(std::string_view word) {
        if (!rest().starts_with(word)) return false;
        x_at += word.size();
        return true;
    }

    base::Result<std::string> name() {
        const std::size_t begin = x_at;
        if (x_at == x_text.size() || !is_name_start(x_text[x_at])) return wrong("no name");
        while (x_at < x_text.size() && is_name(x_text[x_at])) ++x_at;
        if (x_at - begin > max_name) return wrong("a name is too long");
        return std::string(x_text.substr(begin, x_at - begin));
    }

    // Of a start tag; what they say is of no use here.
    base::Status attributes() {
        while (true) {
            const std::size_t before = x_at;
            skip_blanks();
            if (rest().empty()) return wrong("a tag does not end");
            if (!is_name_start(rest().front())) return {};
            if (x_at == before) return wrong("no blank before an attribute");
            SF_TRY([[maybe_unused]] const std::string key, name());
            skip_blanks();
            if (!take("=")) return wrong("an attribute without a value");
            skip_blanks();
            if (rest().empty() || (rest().front() != '"' && rest().front() != '\''))
                return wrong("an attribute without quotes");
            const std::size_t end = x_text.find(rest().front(), x_at + 1);
            if (end == std::string_view::npos) return wrong("an attribute does not end");
            if (x_text.substr(x_at, end - x_at).find('<') != std::string_view::npos)
                return wrong("'<' in an attribute");
            x_at = end + 1;
        }
    }

    base::Status element(XmlElement& to, std::size_t depth) {
        if (depth > max_depth) return wrong("it is too deep");
        if (++x_elements > max_elements) return wrong("it has too many elements");
        if (!take("<")) return wrong("no element");
        SF_TRY(to.name, name());
        SF_CHECK(attributes());
        if (take("/>")) return {};
        if (!take(">")) return wrong("a tag does not end");
        while (true) {
            SF_CHECK(words(to.text));
            if (take("</")) break;
            SF_CHECK(element(to.children.emplace_back(), depth + 1));
        }
        if (!take(to.name)) return wrong("another element ends here");
        skip_blanks();
        if (!take(">")) return wrong("a tag does not end");
        to.text = std::string(base::trim(to.text));
        return {};
    }

    // Up to the next tag.
    base::Status words(std::string& to) {
        while (true) {
            if (rest().empty()) return wrong("an element does not end");
            const char c = rest().front();
            if (c == '<') return {};
            if (c != '&') {
                if (static_cast<unsigned char>(c) < ' ' && !is_blank(c))
                    return wrong("a control character");
                to += c;
                ++x_at;
                continue;
            }
            const std::size_t end = rest().substr(0, 16).find(';');
            if (end == std::string_view::npos) return wrong("'&' that begins nothing");
            const auto meant = entity(rest().substr(1, end - 1));
            if (!meant) return wrong("an entity that is not known");
            to += *meant;
            x_at += end + 1;
        }
    }

    std::string_view x_text;
    std::size_t x_at = 0;
    std::size_t x_elements = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
    const auto found = std::ranges::find(children, wanted, &XmlElement::name);
    return found == children.end() ? nullptr : &*found;
}

std::string XmlElement::child_text(std::string_view wanted) const {
    const XmlElement* const found = child(wanted);
    return found == nullptr ? std::string() : found->text;
}

base::Result<XmlElement> parse_xml(std::string_view text) { return Reader(text).document(); }

std::string xml_escape(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            case '\r': result += "&#13;"; break;
            default: result += c;
        }
    }
    return result;
}

}  // namespace sf::net
