// SPDX-License-Identifier: Apache-2.0
// What HttpClient and S3Client have in common about failures: what one means, whether another
// attempt makes sense, and how long to wait before it. Any thread.
#pragma once

#include <chrono>
#include <string>

#include "net/exchange.hpp"

namespace sf::net {

// An attempt that came to nothing.
struct Failure {
    base::Error error;
    bool again = false;                 // another attempt makes sense
    bool connect = false;               // nobody was reached
    std::chrono::milliseconds wait{0};  // the server asked for it
};

[[nodiscard]] Failure failure_of(base::Code code, std::string message, bool again = false);
// Of an exchange with a trouble.
[[nodiscard]] Failure failure_of_trouble(const ExchangeResult& result);

// "404 Not Found"
[[nodiscard]] std::string reason_of(int status);
// The same request may well be answered later.
[[nodiscard]] bool is_temporary(int status);

// Before attempt `number` + 1: `first`, doubled each time, ±50 %, or what was asked for if that is
// more; never more than `longest`.
[[nodiscard]] std::chrono::milliseconds pause_before(unsigned number,
                                                     std::chrono::milliseconds first,
                                                     std::chrono::milliseconds longest,
                                                     std::chrono::milliseconds asked);
// In slices, so that a stop request is heard.
[[nodiscard]] base::Status pause(std::chrono::milliseconds duration);

}  // namespace sf::net
