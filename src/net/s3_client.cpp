// SPDX-License-Identifier: Apache-2.0
#include "net/s3_client.hpp"

#include "base/text.hpp"

namespace sf::net {

using base::Code;
using base::fail;

namespace {

template <class T>
base::Result<T> framed(base::Result<T> result, const char* doing, const std::string& key) {
    return base::during(std::move(result),
                        fmt::format("{} {}", doing, base::escape_untrusted(key)));
}

}  // namespace

base::Result<std::unique_ptr<S3Client>> S3Client::create(S3Options options,
                                                         std::shared_ptr<S3KeySource> keys) {
    SF_TRY(S3Caller caller, S3Caller::create(std::move(options), std::move(keys)));
    return std::unique_ptr<S3Client>(new S3Client(std::move(caller)));
}

base::Result<S3Got> S3Client::get(const std::string& key, const S3Get& how, Receiver& to) {
    S3Download download{to, {}, {}};
    download.request.length = how.length;
    download.request.max_length = how.length ? *how.length : how.max_length;
    download.progress.length = how.length;
    download.progress.received = how.offset;
    // Nothing is missing, or too much is there: the server would refuse such a range.
    if (how.length && how.offset >= *how.length) download.progress.received = 0;
    S3Call call{.method = "GET", .key = key, .query = {}, .headers = {}, .payload = {}};
    call.download = &download;
    if (!how.if_none_match.empty()) call.headers.emplace_back("If-None-Match", how.if_none_match);
    SF_TRY(const S3Answer answer, framed(x_caller.call(call), "getting", key));
    const bool unchanged = answer.status == 304 && !how.if_none_match.empty();
    if (!unchanged && answer.status != 200 && answer.status != 206) {
        return framed<S3Got>(tl::unexpected(x_caller.error_of(answer)), "getting", key);
    }
    S3Got got;
    got.unchanged = unchanged;
    got.object = {key, download.progress.received, answer.head.field("etag")};
    if (unchanged) got.object = {key, how.length.value_or(0), how.if_none_match};
    return got;
}

base::Result<std::optional<S3Object>> S3Client::head(const std::string& key) {
    using Found = std::optional<S3Object>;
    const S3Call call{.method = "HEAD", .key = key, .query = {}, .headers = {}, .payload = {}};
    SF_TRY(const S3Answer answer, framed(x_caller.call(call), "looking at", key));
    if (answer.status == 404) return Found();
    const auto size = parse_number(answer.head.field("content-length"));
    if (answer.status != 200)
        return framed<Found>(tl::unexpected(x_caller.error_of(answer)), "looking at", key);
    if (!size) {
        return framed<Found>(fail(Code::corrupt, "the server does not tell its size"), "looking at",
                             key);
    }
    return S3Object{key, *size, answer.head.field("etag"),
                    parse_http_date(answer.head.field("last-modified"))};
}

base::Status S3Client::list(const std::string& prefix, const Visitor& visit) {
    std::string token;
    std::string last;
    while (true) {
        S3Call call{.method = "GET",
                    .key = {},
                    .query = {{"list-type", "2"}, {"max-keys", "1000"}},
                    .headers = {},
                    .payload = {}};
        if (!prefix.empty()) call.query.emplace_back("prefix", prefix);
        if (!token.empty()) call.query.emplace_back("continuation-token", token);
        SF_TRY(const S3Answer answer, framed(x_caller.call(call), "listing", prefix));
        if (answer.status != 200)
            return framed<void>(tl::unexpected(x_caller.error_of(answer)), "listing", prefix);
        SF_TRY(const S3Listing page, framed(parse_listing(answer.text), "listing", prefix));
        for (const S3Object& each : page.objects) {
            // A list that goes round or elsewhere would never end, or be taken for something else.
            if (!each.key.starts_with(prefix) || (!last.empty() && each.key <= last)) {
                return framed<void>(fail(Code::corrupt, "the server's list is not in order at '{}'",
                                         base::escape_untrusted(each.key)),
                                    "listing", prefix);
            }
            last = each.key;
            SF_CHECK(visit(each));
        }
        if (!page.truncated) return {};
        if (page.objects.empty() || page.next == token) {
            return framed<void>(fail(Code::corrupt, "the server's list does not go on"), "listing",
                                prefix);
        }
        token = page.next;
    }
}

base::Status S3Client::remove(const std::string& key) {
    const S3Call call{.method = "DELETE", .key = key, .query = {}, .headers = {}, .payload = {}};
    SF_TRY(const S3Answer answer, framed(x_caller.call(call), "removing", key));
    const bool absent = answer.status == 404 && answer.error.code != "NoSuchBucket";
    if (answer.status == 200 || answer.status == 204 || absent) return {};
    return framed<void>(tl::unexpected(x_caller.error_of(answer)), "removing", key);
}

}  // namespace sf::net
