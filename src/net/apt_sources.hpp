// SPDX-License-Identifier: Apache-2.0
// apt's own description of where packages come from, in its three texts. Pure and total: lines that
// are not understood are skipped. Knows no address. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sf::net {

// One entry of apt's configuration: an address with a suite of it.
struct AptSource {
    std::string uri;    // http, https or file, without trailing "/"
    std::string suite;  // "bookworm-security"; empty if it is not told
    bool operator==(const AptSource&) const = default;
};

// One-line style: "deb [options] uri suite component…", deb-src alike.
[[nodiscard]] std::vector<AptSource> parse_sources_list(std::string_view text);
// deb822 style (*.sources); disabled stanzas are skipped.
[[nodiscard]] std::vector<AptSource> parse_deb822(std::string_view text);
// Lines "uri suite", as indextargets prints them with our format.
[[nodiscard]] std::vector<AptSource> parse_indextargets(std::string_view text);

// "debian" where the address ends with /debian or /debian-security, "ubuntu" likewise; else "".
// Ports (/ubuntu-ports) hold neither source nor amd64: "".
[[nodiscard]] std::string family_of(const AptSource& source);
[[nodiscard]] bool is_security(const AptSource& source);
// "noble-updates" -> "noble"
[[nodiscard]] std::string release_of(std::string_view suite);

}  // namespace sf::net
