// SPDX-License-Identifier: Apache-2.0
#include "net/s3_auth.hpp"

#include <algorithm>
#include <map>

#include "base/digest.hpp"
#include "base/hmac.hpp"
#include "base/text.hpp"
#include "net/url.hpp"

namespace sf::net {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

// Without blanks at the ends, and with one where there were several.
std::string squeezed(std::string_view value) {
    std::string result;
    for (const char c : base::trim(value)) {
        const bool blank = c == ' ' || c == '\t';
        if (!blank) {
            result += c;
        } else if (!result.ends_with(' ')) {
            result += ' ';
        }
    }
    return result;
}

std::string encoded(std::string_view text) {
    return base::replace_all(percent_encode(text), "/", "%2F");
}

// "20130524/us-east-1/s3/aws4_request"
std::string credential_scope(const SigningScope& scope) {
    return fmt::format("{}/{}/{}/aws4_request", scope.time.substr(0, 8), scope.region,
                       scope.service);
}

std::string signing_key(const std::string& secret, const SigningScope& scope) {
    std::string key = base::hmac_sha256("AWS4" + secret, scope.time.substr(0, 8));
    for (const std::string& step : {scope.region, scope.service, std::string("aws4_request")}) {
        key = base::hmac_sha256(key, step);
    }
    return key;
}

}  // namespace

std::string canonical_query(const Fields& query) {
    // What is sorted are the encoded forms: "~" comes after "%".
    std::vector<std::pair<std::string, std::string>> parts;
    parts.reserve(query.size());
    for (const auto& [key, value] : query) parts.emplace_back(encoded(key), encoded(value));
    std::ranges::sort(parts);
    std::string text;
    for (const auto& [key, value] : parts) {
        text += fmt::format("{}{}={}", text.empty() ? "" : "&", key, value);
    }
    return text;
}

CanonicalRequest canonical_request(const SigningRequest& request) {
    std::map<std::string, std::string> fields{{"host", request.host}};
    for (const auto& [name, value] : request.headers) {
        std::string& all = fields[lower(name)];
        if (!all.empty()) all += ',';
        all += squeezed(value);
    }
    CanonicalRequest result;
    std::string lines;
    for (const auto& [name, value] : fields) {
        lines += fmt::format("{}:{}\n", name, value);
        result.signed_headers += (result.signed_headers.empty() ? "" : ";") + name;
    }
    result.text = request.method + "\n" + request.path + "\n" + canonical_query(request.query) +
                  "\n" + lines + "\n" + result.signed_headers + "\n" + request.payload;
    return result;
}

std::string string_to_sign(std::string_view canonical, const SigningScope& scope) {
    return fmt::format("{}\n{}\n{}\n{}", algorithm, scope.time, credential_scope(scope),
                       base::sha256(canonical).hex());
}

std::vector<std::string> sign(const SigningRequest& request, const S3Credentials& credentials,
                              const SigningScope& scope) {
    SigningRequest whole = request;
    whole.headers.emplace_back("x-amz-date", scope.time);
    if (scope.service == "s3") {
        whole.headers.emplace_back("x-amz-content-sha256", request.payload);
    }
    if (!credentials.session_token.empty()) {
        whole.headers.emplace_back("x-amz-security-token", credentials.session_token);
    }
    const CanonicalRequest canonical = canonical_request(whole);
    const std::string signature = base::to_hex(base::hmac_sha256(
        signing_key(credentials.secret_key, scope), string_to_sign(canonical.text, scope)));

    std::vector<std::string> lines;
    for (const auto& [name, value] : whole.headers) {
        lines.push_back(fmt::format("{}: {}", name, value));
    }
    lines.push_back(fmt::format("Authorization: {} Credential={}/{},SignedHeaders={},Signature={}",
                                algorithm, credentials.access_key, credential_scope(scope),
                                canonical.signed_headers, signature));
    return lines;
}

std::string signing_time(std::int64_t seconds) {
    std::string stamp = base::utc_stamp(seconds);  // "20261031-235959"
    std::ranges::replace(stamp, '-', 'T');
    return stamp + "Z";
}

}  // namespace sf::net
