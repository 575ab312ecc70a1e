// SPDX-License-Identifier: Apache-2.0
// Checks one answer's head against what was asked for, and passes its body on, bounded. Remembers
// over the attempts of one request what was received and may be resumed. Knows no libcurl and does
// no retries. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/exchange.hpp"
#include "net/http.hpp"

namespace sf::net {

// What one whole request has learnt over its attempts.
struct Progress {
    std::uint64_t received = 0;           // bytes of the whole that the receiver holds
    std::optional<std::uint64_t> length;  // of the whole
    std::string etag;                     // of what was received, if it is a strong one
    bool may_resume = true;               // false: the server's ranges cannot be trusted
};

class BodyTaker : public ExchangeReceiver {
public:
    // `ranged`: the rest after progress.received was asked for.
    BodyTaker(Receiver& to, Progress& progress, const Request& request, bool ranged)
        : x_to(to), x_progress(progress), x_request(request), x_ranged(ranged) {}

    base::Result<bool> head(const ExchangeHead& head) override;
    base::Status body(base::Bytes bytes) override;

    // The range that came was not the one asked for: start over, without ranges.
    [[nodiscard]] bool start_over() const { return x_start_over; }

private:
    [[nodiscard]] std::uint64_t limit() const;
    base::Result<bool> whole(const ExchangeHead& head);
    base::Result<bool> part(const ExchangeHead& head);
    base::Status set_length(std::uint64_t length, const ExchangeHead& head);

    Receiver& x_to;
    Progress& x_progress;
    const Request& x_request;
    bool x_ranged;
    bool x_start_over = false;
};

// Digits only.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

struct ContentRange {
    std::uint64_t first = 0;
    std::optional<std::uint64_t> total;
};
// "bytes 100-199/200", "bytes 100-199/*"; contradictions are no range.
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view text);

}  // namespace sf::net
