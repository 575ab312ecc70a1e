// SPDX-License-Identifier: Apache-2.0
#include "net/s3_location.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::net {

using base::Code;
using base::fail;

namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// The rules of AWS: a bucket is a part of a host name there.
bool is_bucket(std::string_view text) {
    return text.size() >= 3 && text.size() <= 63 && is_lower_or_digit(text.front()) &&
           is_lower_or_digit(text.back()) && text.find("..") == std::string_view::npos &&
           std::ranges::all_of(text,
                               [](char c) { return is_lower_or_digit(c) || c == '-' || c == '.'; });
}

bool is_prefix(std::string_view text) {
    if (text.size() > 512) return false;
    for (const std::string& part : base::split(text, '/')) {
        if (part.empty() || part == "." || part == "..") return false;
        if (!std::ranges::all_of(part, [](char c) {
                return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') ||
                       std::string_view("._+-~=@").find(c) != std::string_view::npos;
            }))
            return false;
    }
    return true;
}

}  // namespace

bool is_region(std::string_view text) {
    return !text.empty() && text.size() <= 64 && text.front() != '-' && text.back() != '-' &&
           std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

base::Result<S3Location> S3Location::parse(std::string_view text) {
    constexpr std::string_view scheme = "s3://";
    const std::string_view whole = text;
    const auto refuse = [&](const char* why) {
        // Before a '@' some people write their keys.
        const std::size_t at = whole.rfind('@');
        const std::string shown =
            at == std::string_view::npos
                ? base::escape_untrusted(whole.substr(0, 200))
                : "***" + base::escape_untrusted(whole.substr(at).substr(0, 200));
        return base::fail_hint(Code::usage,
                               fmt::format("'{}' names no place in S3: {}", shown, why),
                               "write s3://bucket or s3://bucket/prefix");
    };
    if (!text.starts_with(scheme)) return refuse("it does not begin with s3://");
    text.remove_prefix(scheme.size());
    const std::size_t slash = std::min(text.find('/'), text.size());
    S3Location location;
    location.bucket = text.substr(0, slash);
    if (!is_bucket(location.bucket)) {
        return refuse("the name of a bucket has 3 to 63 lower-case letters, digits, '-' and '.'");
    }
    std::string_view prefix = text.substr(slash);
    if (!prefix.empty()) prefix.remove_prefix(1);
    if (prefix.ends_with('/')) prefix.remove_suffix(1);
    if (!prefix.empty() && !is_prefix(prefix)) {
        return refuse(
            "a prefix has components of letters, digits and ._+-~=@, none of them empty, "
            "'.' or '..'");
    }
    location.prefix = prefix;
    return location;
}

std::string S3Location::text() const {
    return "s3://" + bucket + (prefix.empty() ? "" : "/") + prefix;
}

base::Result<S3Address> S3Address::create(const std::string& bucket, const std::string& region,
                                          const std::string& endpoint) {
    if (!is_region(region)) {
        return fail(Code::usage, "'{}' is no name of a region", base::escape_untrusted(region));
    }
    S3Address address;
    if (!endpoint.empty()) {
        SF_TRY(const Url url, base::during(Url::parse(endpoint), "reading the endpoint of S3"));
        if (url.is_file() || url.has_user() || url.redacted().find('?') != std::string::npos) {
            return fail(Code::usage,
                        "the endpoint of S3 is {}: only http or https, a host, a port "
                        "and a path are possible",
                        url.redacted());
        }
        const int own = url.scheme() == "https" ? 443 : 80;
        address.x_scheme = url.scheme();
        address.x_host =
            url.host() + (url.port() == own ? std::string() : fmt::format(":{}", url.port()));
        address.x_base = url.path();
        while (address.x_base.ends_with('/')) address.x_base.pop_back();
        address.x_base += "/" + bucket;
        return address;
    }
    const std::string service =
        "s3." + region + ".amazonaws.com" + (region.starts_with("cn-") ? ".cn" : "");
    address.x_scheme = "https";
    // No certificate is for a host name with further dots.
    if (bucket.find('.') == std::string::npos) {
        address.x_host = bucket + "." + service;
    } else {
        address.x_host = service;
        address.x_base = "/" + bucket;
    }
    return address;
}

std::string S3Address::path(std::string_view key) const {
    if (key.empty()) return x_base.empty() ? "/" : x_base;
    return x_base + "/" + percent_encode(key);
}

base::Result<Url> S3Address::url(std::string_view key, const Fields& query) const {
    const std::string asked = canonical_query(query);
    return Url::parse(x_scheme + "://" + x_host + path(key) + (asked.empty() ? "" : "?") + asked);
}

}  // namespace sf::net
