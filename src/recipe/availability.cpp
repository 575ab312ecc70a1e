// SPDX-License-Identifier: Apache-2.0
#include "recipe/availability.hpp"

#include <algorithm>

namespace sf::recipe {

using base::Code;

base::Code Availability::code() const {
    const auto any = [&](Code code) {
        return std::any_of(tried.begin(), tried.end(),
                           [&](const Attempt& each) { return each.code == code; });
    };
    if (any(Code::unreachable)) return Code::unreachable;
    if (any(Code::corrupt)) return Code::corrupt;
    return Code::absent;
}

std::string list_attempts(const std::vector<Attempt>& attempts) {
    std::string text;
    for (const Attempt& each : attempts) {
        text += fmt::format("\n  {}: {}", each.place, each.reason);
    }
    return text;
}

}  // namespace sf::recipe
