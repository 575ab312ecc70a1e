// SPDX-License-Identifier: Apache-2.0
#include "net/url.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace sf::net {

namespace {

using base::Code;
using base::fail;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int hex_value(char c) {
    if (c <= '9') return c - '0';
    return lower(c) - 'a' + 10;
}

bool is_host(std::string_view host) {
    if (host.empty() || host.size() > 255) return false;
    if (host.front() == '[') {
        return host.size() > 3 && host.back() == ']' &&
               std::all_of(host.begin() + 1, host.end() - 1,
                           [](char c) { return is_hex(c) || c == ':' || c == '.'; });
    }
    return host.front() != '-' && host.front() != '.' &&
           std::all_of(host.begin(), host.end(),
                       [](char c) { return is_unreserved(c) && c != '~'; });
}

bool is_port(std::string_view port) {
    int value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    return error == std::errc() && end == port.data() + port.size() && value > 0 && value < 65536 &&
           port.front() != '-';
}

}  // namespace

base::Result<Url> Url::parse(std::string_view text) {
    if (text.size() > max_length)
        return fail(Code::usage, "an address longer than {} bytes", max_length);
    // Visible ASCII only: no CR, LF, NUL, blank or other byte can reach a request line or a
    // terminal. A backslash is a slash to some parsers and not to others.
    if (!std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 127 && c != '\\'; })) {
        return fail(Code::usage, "an address with white space, control or non-ASCII characters");
    }
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos) return fail(Code::usage, "an address without \"://\"");
    Url url;
    for (const char c : text.substr(0, colon)) url.x_scheme += lower(c);
    if (url.x_scheme != "http" && url.x_scheme != "https" && url.x_scheme != "file") {
        return fail(Code::usage, "an address that is neither http, https nor file");
    }
    std::string_view rest = text.substr(colon + 3);
    rest = rest.substr(0, rest.find('#'));  // a fragment is the reader's, never sent
    if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) {
        url.x_query = rest.substr(mark + 1);
        rest = rest.substr(0, mark);
    }
    const std::size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    url.x_path = slash == std::string_view::npos ? "/" : rest.substr(slash);
    if (url.is_file()) {
        if (!authority.empty() && authority != "localhost") {
            return fail(Code::usage, "a file address that names a host: write file:///path");
        }
        if (!url.x_query.empty()) return fail(Code::usage, "a file address with a query");
        return url;
    }
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        url.x_user = authority.substr(0, at);
        authority = authority.substr(at + 1);
    }
    const std::size_t bracket = authority.rfind(']');
    const std::size_t port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (port != std::string_view::npos) {
        url.x_port = authority.substr(port + 1);
        authority = authority.substr(0, port);
        if (!is_port(url.x_port)) return fail(Code::usage, "an address with a wrong port");
    }
    for (const char c : authority) url.x_host += lower(c);
    if (!is_host(url.x_host)) return fail(Code::usage, "an address with a wrong host name");
    return url;
}

int Url::port() const {
    if (x_port.empty()) return x_scheme == "https" ? 443 : 80;
    int value = 0;
    std::from_chars(x_port.data(), x_port.data() + x_port.size(), value);
    return value;
}

std::string Url::file_name() const {
    return percent_decode(std::string_view(x_path).substr(x_path.rfind('/') + 1));
}

base::Result<std::string> Url::file_path() const {
    std::string path = percent_decode(x_path);
    if (path.find('\0') != std::string::npos)
        return fail(Code::absent, "a file name that holds a NUL");
    return path;
}

bool Url::same_origin(const Url& other) const {
    return x_scheme == other.x_scheme && x_host == other.x_host && port() == other.port();
}

std::string Url::redacted() const {
    return x_scheme + "://" + (x_user.empty() ? "" : "***@") + x_host +
           (x_port.empty() ? "" : ":" + x_port) + x_path + (x_query.empty() ? "" : "?***");
}

std::string Url::with_secrets() const {
    return x_scheme + "://" + (x_user.empty() ? "" : x_user + "@") + x_host +
           (x_port.empty() ? "" : ":" + x_port) + x_path + (x_query.empty() ? "" : "?" + x_query);
}

Url Url::without_user() const {
    Url url = *this;
    url.x_user.clear();
    return url;
}

Url Url::below(std::string_view relative) const {
    Url url = *this;
    url.x_query.clear();
    if (!url.x_path.ends_with('/')) url.x_path += '/';
    url.x_path += relative;
    return url;
}

std::string percent_encode(std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        if (is_unreserved(c) || c == '/') {
            result += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return result;
}

std::string percent_decode(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
            result += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            result += text[i];
        }
    }
    return result;
}

}  // namespace sf::net
