// SPDX-License-Identifier: Apache-2.0
// What the programs that make root file systems know about archives: debootstrap's scripts and
// mmdebstrap's text. Read as text, never run. Pure and total, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/apt_sources.hpp"

namespace sf::net {

// The mirror that a debootstrap script names for a suite on amd64, and the family it is of by its
// keyring ("debian", "ubuntu", …); empty where the script does not say.
struct ScriptFacts {
    std::string family;
    std::string mirror;
};
[[nodiscard]] ScriptFacts parse_debootstrap_script(std::string_view text, std::string_view suite);

// DEF_MIRROR of the debootstrap program itself: the mirror of scripts that name none.
[[nodiscard]] std::string parse_debootstrap_default(std::string_view text);

// The addresses in assignments such as `$mirror = 'http://…'`; those to $secmirror get the suite
// "-security".
[[nodiscard]] std::vector<AptSource> parse_mmdebstrap(std::string_view text);

}  // namespace sf::net
