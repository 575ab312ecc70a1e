// SPDX-License-Identifier: Apache-2.0
// Small text helpers. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sf::base {

// Control characters, DEL, invalid UTF-8 and bidirectional overrides as \xNN: whatever came from
// outside passes through here before it is printed, so that it cannot drive a terminal.
[[nodiscard]] std::string escape_untrusted(std::string_view text);

// 'it''s' quoting for a POSIX shell, only where needed: messages print commands that can be pasted.
[[nodiscard]] std::string shell_quote(std::string_view word);
[[nodiscard]] std::string shell_join(const std::vector<std::string>& words);

[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string join(const std::vector<std::string>& parts, std::string_view separator);
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::string replace_all(std::string text, std::string_view from, std::string_view to);

// True if `path` matches a glob with `*` (within one component), `**` (any depth) and `?`.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view path);

// The candidate nearest to `word` by edit distance, if it is near enough to be a slip of the keys.
[[nodiscard]] std::optional<std::string> did_you_mean(std::string_view word,
                                                      const std::vector<std::string>& candidates);

// 1536 -> "1.5 KiB"
[[nodiscard]] std::string human_bytes(std::uint64_t bytes);
// 3725.4 s -> "1 h 02 min"; 65 -> "1 min 05 s"; 4.21 -> "4.2 s"
[[nodiscard]] std::string human_seconds(double seconds);

// Seconds since 1970 in UTC: "2026-10-31", "2026-10-31 23:59:59 UTC", and "20261031-235959".
[[nodiscard]] std::string utc_date(std::int64_t seconds);
[[nodiscard]] std::string utc_time(std::int64_t seconds);
[[nodiscard]] std::string utc_stamp(std::int64_t seconds);

// Compares dotted versions number by number ("25.11.10" > "25.11.2"); letters compare as text.
[[nodiscard]] int compare_versions(std::string_view left, std::string_view right);

}  // namespace sf::base
