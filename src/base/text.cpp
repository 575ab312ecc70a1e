// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>

namespace sf::base {

namespace {

// Length of the valid UTF-8 sequence at `text[at]`, and its code point; 0 if it is not valid.
std::size_t utf8_at(std::string_view text, std::size_t at, char32_t& point) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at);
    std::size_t length = 0;
    if (first < 0x80) {
        point = first;
        return 1;
    }
    if ((first & 0xE0U) == 0xC0U) {
        length = 2;
        point = first & 0x1FU;
    } else if ((first & 0xF0U) == 0xE0U) {
        length = 3;
        point = first & 0x0FU;
    } else if ((first & 0xF8U) == 0xF0U) {
        length = 4;
        point = first & 0x07U;
    } else {
        return 0;
    }
    if (at + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) return 0;
        point = (point << 6U) | (byte(at + i) & 0x3FU);
    }
    static constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < smallest[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
        return 0;
    return length;
}

bool printable(char32_t point) {
    if (point < 0x20 || point == 0x7F || (point >= 0x80 && point < 0xA0)) return false;
    if (point >= 0x202A && point <= 0x202E) return false;  // bidirectional overrides
    if (point >= 0x2066 && point <= 0x2069) return false;  // bidirectional isolates
    return point != 0x2028 && point != 0x2029;
}

}  // namespace

std::string escape_untrusted(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        char32_t point = 0;
        const std::size_t length = utf8_at(text, at, point);
        if (length > 0 && printable(point)) {
            safe += text.substr(at, length);
        } else {
            for (std::size_t i = 0; i < std::max<std::size_t>(length, 1); ++i)
                safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at + i]));
        }
        at += std::max<std::size_t>(length, 1);
    }
    return safe;
}

std::string shell_quote(std::string_view word) {
    const auto plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("_-./=:,+@%^").find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
    return "'" + replace_all(std::string(word), "'", "'\\''") + "'";
}

std::string shell_join(const std::vector<std::string>& words) {
    std::vector<std::string> quoted;
    quoted.reserve(words.size());
    for (const std::string& word : words) quoted.push_back(shell_quote(word));
    return join(quoted, " ");
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (const std::string& part : parts) {
        if (!text.empty() || &part != &parts.front()) text += separator;
        text += part;
    }
    return text;
}

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    if (from.empty()) return text;
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
        text.replace(at, from.size(), to);
        at += to.size();
    }
    return text;
}

bool glob_match(std::string_view pattern, std::string_view path) {
    if (pattern.empty()) return path.empty();
    if (pattern.starts_with("**")) {
        std::string_view rest = pattern.substr(2);
        if (rest.starts_with('/') && glob_match(rest.substr(1), path))
            return true;  // "**/x" is "x"
        for (std::size_t i = 0; i <= path.size(); ++i)
            if (glob_match(rest, path.substr(i))) return true;
        return false;
    }
    if (pattern.front() == '*') {
        for (std::size_t i = 0; i <= path.size(); ++i) {
            if (glob_match(pattern.substr(1), path.substr(i))) return true;
            if (i < path.size() && path[i] == '/') return false;
        }
        return false;
    }
    if (path.empty()) return false;
    if (pattern.front() == '?' ? path.front() == '/' : pattern.front() != path.front())
        return false;
    return glob_match(pattern.substr(1), path.substr(1));
}

std::optional<std::string> did_you_mean(std::string_view word,
                                        const std::vector<std::string>& candidates) {
    const auto distance = [&](std::string_view other) {
        std::vector<std::size_t> row(other.size() + 1);
        for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j <= other.size(); ++j) {
                const std::size_t replaced = diagonal + (word[i - 1] == other[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
            }
        }
        return row.back();
    };
    std::optional<std::string> best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        const std::size_t d = distance(candidate);
        if (d < best_distance && d < std::max(word.size(), candidate.size())) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}

std::string human_bytes(std::uint64_t bytes) {
    static constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string human_seconds(double seconds) {
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    const long whole = std::lround(seconds);
    if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

namespace {

std::tm utc(std::int64_t seconds) {
    const std::time_t when = seconds;
    std::tm parts{};
    ::gmtime_r(&when, &parts);
    return parts;
}

}  // namespace

std::string utc_date(std::int64_t seconds) {
    const std::tm at = utc(seconds);
    return fmt::format("{:04}-{:02}-{:02}", at.tm_year + 1900, at.tm_mon + 1, at.tm_mday);
}

std::string utc_time(std::int64_t seconds) {
    const std::tm at = utc(seconds);
    return fmt::format("{} {:02}:{:02}:{:02} UTC", utc_date(seconds), at.tm_hour, at.tm_min,
                       at.tm_sec);
}

std::string utc_stamp(std::int64_t seconds) {
    const std::tm at = utc(seconds);
    return fmt::format("{:04}{:02}{:02}-{:02}{:02}{:02}", at.tm_year + 1900, at.tm_mon + 1,
                       at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec);
}

int compare_versions(std::string_view left, std::string_view right) {
    const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < left.size() && j < right.size()) {
        if (digit(left[i]) && digit(right[j])) {
            const auto number = [&](std::string_view text, std::size_t& at) {
                while (at < text.size() && text[at] == '0') ++at;
                const std::size_t first = at;
                while (at < text.size() && digit(text[at])) ++at;
                return text.substr(first, at - first);
            };
            const std::string_view a = number(left, i);
            const std::string_view b = number(right, j);
            if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
            if (const int order = a.compare(b); order != 0) return order < 0 ? -1 : 1;
        } else {
            if (left[i] != right[j]) return left[i] < right[j] ? -1 : 1;
            ++i;
            ++j;
        }
    }
    if (i < left.size()) return 1;
    return j < right.size() ? -1 : 0;
}

}  // namespace sf::base
