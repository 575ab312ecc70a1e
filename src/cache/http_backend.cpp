// SPDX-License-Identifier: Apache-2.0
#include "cache/http_backend.hpp"

#include <algorithm>

namespace sf::cache {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// Whatever is kept of an earlier answer may have been spoilt since: what is no etag as RFC 9110
// writes them, "*" above all, is not sent, and the object is fetched.
bool is_etag(std::string_view text) {
    if (text.starts_with("W/")) text.remove_prefix(2);
    return text.size() >= 2 && text.front() == '"' && text.back() == '"' &&
           std::all_of(text.begin() + 1, text.end() - 1,
                       [](char c) { return c > ' ' && c < 127 && c != '"'; });
}

}  // namespace

Result<Got> HttpBackend::get(const std::string& key, const GetOptions& options, net::Receiver& to) {
    SF_CHECK(check_key(key));
    net::Request request;
    request.url = x_address.below(net::percent_encode(key));
    request.offset = options.offset;
    request.length = options.length;
    request.max_length = options.length.value_or(options.max_length);
    if (is_etag(options.if_changed)) request.headers = {"If-None-Match: " + options.if_changed};
    SF_TRY(const net::Response response, x_client.get(request, to));
    Got got;
    got.unchanged = response.status == 304;
    got.object.key = key;
    if (got.unchanged) {
        got.object.size = options.length.value_or(0);  // a 304 does not say
        got.object.etag = options.if_changed;
    } else {
        got.object.size = response.length.value_or(0);  // of what came, so it is known
        got.object.etag = response.etag;
    }
    return got;
}

Result<std::optional<ObjectInfo>> HttpBackend::look(const std::string& key) {
    SF_CHECK(check_key(key));
    net::Request request;
    request.url = x_address.below(net::percent_encode(key));
    const Result<net::Response> response = x_client.head(request);
    if (!response && response.error().code == Code::absent) return std::optional<ObjectInfo>();
    if (!response) return tl::unexpected(response.error());
    if (!response->length) {
        return fail(Code::corrupt, "{} does not say how long {} is", x_address.redacted(), key);
    }
    return std::optional(ObjectInfo{key, *response->length, response->etag});
}

tl::unexpected<base::Error> HttpBackend::reads_only(std::string_view what) const {
    return base::fail_hint(
        Code::refused,
        fmt::format("a web server is only read from: {} {}", x_address.redacted(), what),
        "name the folder that the server hands out, or the bucket (s3://...)");
}

Status HttpBackend::list(const std::string&, const Visitor&) {
    return reads_only("cannot be listed");
}

Result<PutOutcome> HttpBackend::put(const PutRequest&) { return reads_only("takes no objects"); }

Status HttpBackend::remove(const std::string&) { return reads_only("deletes nothing"); }

}  // namespace sf::cache
