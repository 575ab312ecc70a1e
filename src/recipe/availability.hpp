// SPDX-License-Identifier: Apache-2.0
// Whether a source can be had, and what was tried to find out. Plain value, any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace sf::recipe {

struct Attempt {
    std::string place;  // redacted address, or a path
    base::Code code = base::Code::failed;
    std::string reason;  // "404 Not Found"; empty where it succeeded
};

struct Availability {
    bool available = false;
    std::string where;           // the place that has it
    std::vector<Attempt> tried;  // those that do not

    // unreachable if some place might have it later; else corrupt if some place has other bytes;
    // else absent.
    [[nodiscard]] base::Code code() const;
};

// For each a new line "  https://host/file: 404 Not Found".
[[nodiscard]] std::string list_attempts(const std::vector<Attempt>& attempts);

}  // namespace sf::recipe
