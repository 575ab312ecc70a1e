// SPDX-License-Identifier: Apache-2.0
#include "cache/backend.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::cache {

base::Status check_key(std::string_view key) {
    constexpr std::size_t longest = 1024;
    constexpr std::string_view signs = "._+-~=@";
    const auto refuse = [&](const char* why) {
        return base::fail(base::Code::refused, "'{}' is no name of an object: {}",
                          base::escape_untrusted(key.substr(0, 200)), why);
    };
    if (key.empty()) return refuse("it is empty");
    if (key.size() > longest) return refuse("it is longer than 1024 bytes");
    for (const std::string& part : base::split(key, '/')) {
        if (part.empty()) return refuse("a component is empty");
        if (part == "." || part == "..") return refuse("a component is '.' or '..'");
        if (part.front() == '-') return refuse("a component begins with '-'");
        const bool plain = std::ranges::all_of(part, [&](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   signs.find(c) != std::string_view::npos;
        });
        if (!plain) return refuse("it holds a byte that is not allowed");
    }
    return {};
}

}  // namespace sf::cache
