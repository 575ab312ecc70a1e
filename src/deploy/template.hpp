// SPDX-License-Identifier: Apache-2.0
// The templates in the assets of a bundle: "@name@" is replaced by a value; a line that begins with
// "@?name@" stays, without that, if the value is not empty. Values are checked before they get here
// (names.hpp). The line of the licence is left out. Pure, any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::deploy {

using Values = std::map<std::string, std::string, std::less<>>;

// A name without a value is Code::corrupt: the templates do not fit this program.
[[nodiscard]] base::Result<std::string> render(std::string_view text, const Values& values);

}  // namespace sf::deploy
