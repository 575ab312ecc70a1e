// SPDX-License-Identifier: Apache-2.0
#include "deploy/release_step.hpp"

#include <fmt/format.h>

#include <charconv>

namespace sf::deploy {

namespace {

// Two digits; 0 if there are none.
int number_at(std::string_view version, std::size_t begin) {
    int number = 0;
    if (version.size() >= begin + 2)
        std::from_chars(version.data() + begin, version.data() + begin + 2, number);
    return number;
}

// Counted from 23.02; since 23.11 there is one each May and each November.
int count(std::string_view version) {
    const int year = number_at(version, 0);
    const int month = number_at(version, 3);
    return (year - 23) * 2 + (month >= 11 ? 1 : 0);
}

}  // namespace

ReleaseStep step_between(std::string_view from, std::string_view to) {
    const int series = count(to) - count(from);
    const int most = count(to) >= count("24.11") ? 3 : 2;  // series back
    if (series == 0) return ReleaseStep::same_series;
    if (series < 0) return ReleaseStep::downgrade;
    return series <= most ? ReleaseStep::upgrade : ReleaseStep::too_far;
}

std::string series_of_protocol(unsigned number) {
    constexpr unsigned of_23_11 = 40;
    const unsigned series = number >> 8U;
    if (series < of_23_11) return {};
    const unsigned later = series - of_23_11;
    const unsigned year = 23 + (later + 1) / 2;
    if (year > 99) return {};
    return fmt::format("{}.{}", year, later % 2 == 0 ? "11" : "05");
}

}  // namespace sf::deploy
