// SPDX-License-Identifier: Apache-2.0
// By hand: strptime() reads the names of months in the language of the environment.
#include "net/server_time.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace sf::net {

namespace {

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Digits and nothing else.
std::optional<int> number(std::string_view text) {
    int value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

struct Parts {
    std::optional<int> year, month, day, hour, minute, second;
};

std::optional<std::int64_t> seconds_of(const Parts& parts) {
    if (!parts.year || !parts.month || !parts.day || !parts.hour || !parts.minute || !parts.second)
        return std::nullopt;
    // 60: a leap second.
    if (*parts.hour > 23 || *parts.minute > 59 || *parts.second > 60) return std::nullopt;
    namespace chrono = std::chrono;
    const chrono::year_month_day date{chrono::year(*parts.year),
                                      chrono::month(static_cast<unsigned>(*parts.month)),
                                      chrono::day(static_cast<unsigned>(*parts.day))};
    if (!date.ok()) return std::nullopt;
    const std::int64_t days = chrono::sys_days(date).time_since_epoch().count();
    return ((days * 24 + *parts.hour) * 60 + *parts.minute) * 60 + *parts.second;
}

// Are the signs of `pattern` that are no digits ("0") there?
bool fits(std::string_view text, std::string_view pattern) {
    if (text.size() != pattern.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (pattern[i] != '0' && pattern[i] != '?' && pattern[i] != text[i]) return false;
    return true;
}

}  // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) {
    if (!fits(text, "???, 00 ??? 0000 00:00:00 GMT")) return std::nullopt;
    const auto month = std::ranges::find(months, text.substr(8, 3));
    if (month == months.end()) return std::nullopt;
    return seconds_of({number(text.substr(12, 4)), static_cast<int>(month - months.begin()) + 1,
                       number(text.substr(5, 2)), number(text.substr(17, 2)),
                       number(text.substr(20, 2)), number(text.substr(23, 2))});
}

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
    constexpr std::size_t whole = 19;
    if (text.size() <= whole || text.back() != 'Z') return std::nullopt;
    const std::string_view rest = text.substr(whole, text.size() - whole - 1);
    if (!rest.empty() && (rest.front() != '.' || !number(rest.substr(1)))) return std::nullopt;
    if (rest.size() > 10 || !fits(text.substr(0, whole), "0000-00-00T00:00:00"))
        return std::nullopt;
    return seconds_of({number(text.substr(0, 4)), number(text.substr(5, 2)),
                       number(text.substr(8, 2)), number(text.substr(11, 2)),
                       number(text.substr(14, 2)), number(text.substr(17, 2))});
}

}  // namespace sf::net
