// SPDX-License-Identifier: Apache-2.0
// When a server says that something was written: the two forms in use, as seconds since 1970.
// Total: what is neither is nullopt. Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sf::net {

// Last-Modified: "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110; the old forms are not read).
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);
// S3's lists: "2009-10-12T17:50:30.000Z"; parts of a second are passed over.
[[nodiscard]] std::optional<std::int64_t> parse_iso_time(std::string_view text);

}  // namespace sf::net
