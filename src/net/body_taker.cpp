// SPDX-License-Identifier: Apache-2.0
#include "net/body_taker.hpp"

#include <charconv>

#include "base/text.hpp"

namespace sf::net {

using base::Code;
using base::fail;

namespace {

// A strong validator: the same bytes, not merely the same meaning.
std::string strong_etag(const ExchangeHead& head) {
    std::string etag = head.field("etag");
    if (etag.starts_with("W/")) etag.clear();
    return etag;
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
    return value;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
    if (!text.starts_with("bytes ")) return {};
    text = base::trim(text.substr(6));
    const std::size_t dash = text.find('-');
    const std::size_t slash = text.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
        return {};
    const auto first = parse_number(text.substr(0, dash));
    const auto last = parse_number(text.substr(dash + 1, slash - dash - 1));
    if (!first || !last || *last < *first) return {};
    ContentRange range{*first, parse_number(text.substr(slash + 1))};
    if (range.total && *last >= *range.total) return {};
    if (!range.total && text.substr(slash + 1) != "*") return {};
    return range;
}

base::Result<bool> BodyTaker::head(const ExchangeHead& head) {
    if (head.status == 200) return whole(head);
    if (head.status == 206) return part(head);
    return false;
}

base::Status BodyTaker::body(base::Bytes bytes) {
    if (x_progress.received > limit() || bytes.size() > limit() - x_progress.received) {
        return fail(Code::corrupt, "too long: more than the {} bytes that belong there", limit());
    }
    SF_CHECK(x_to.write(bytes));
    x_progress.received += bytes.size();
    return {};
}

std::uint64_t BodyTaker::limit() const {
    return x_progress.length ? *x_progress.length : x_request.max_length;
}

base::Result<bool> BodyTaker::whole(const ExchangeHead& head) {
    const std::string text = head.field("content-length");
    if (!text.empty()) {
        // "5, 5" is the same field sent twice; two different ones are a lie.
        const auto length = parse_number(text.substr(0, text.find(',')));
        for (const std::string& each : base::split(text, ',')) {
            if (length && parse_number(base::trim(each)) == length) continue;
            return fail(Code::corrupt, "the server sends the length \"{}\"",
                        base::escape_untrusted(text));
        }
        SF_CHECK(set_length(*length, head));
    } else if (!x_request.length) {
        x_progress.length.reset();
    }
    x_progress.received = 0;
    x_progress.etag = strong_etag(head);
    SF_CHECK(x_to.begin(0));
    return true;
}

base::Result<bool> BodyTaker::part(const ExchangeHead& head) {
    const auto range = parse_content_range(head.field("content-range"));
    const std::string etag = strong_etag(head);
    const bool other = !x_progress.etag.empty() && !etag.empty() && etag != x_progress.etag;
    if (!x_ranged || !range || range->first != x_progress.received || other ||
        (range->total && x_progress.length && *range->total != *x_progress.length)) {
        x_start_over = true;
        return false;
    }
    if (range->total) SF_CHECK(set_length(*range->total, head));
    if (x_progress.etag.empty()) x_progress.etag = etag;
    SF_CHECK(x_to.begin(x_progress.received));
    return true;
}

base::Status BodyTaker::set_length(std::uint64_t length, const ExchangeHead& head) {
    if (x_request.length && *x_request.length != length) {
        const bool html = head.field("content-type").starts_with("text/html");
        return fail(Code::corrupt, "{} bytes, but {} belong there{}", length, *x_request.length,
                    html ? " (it is an HTML page)" : "");
    }
    if (length > x_request.max_length) {
        return fail(Code::corrupt, "{} bytes: more than the {} allowed", length,
                    x_request.max_length);
    }
    x_progress.length = length;
    return {};
}

}  // namespace sf::net
