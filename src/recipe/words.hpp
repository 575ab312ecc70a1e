// SPDX-License-Identifier: Apache-2.0
// The words between @ that stand for paths and numbers in recipes: @prefix@, @dep:NAME@, …
// Knows their names, not their values: the build room replaces them. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sf::recipe {

// What is wrong with the words in `text`: a dependency that is not declared, or a slip of the keys.
// Other text between @ is left alone: sed and upstream's own templates use @ too.
[[nodiscard]] std::vector<std::string> check_replaced_words(
    std::string_view text, const std::vector<std::string>& dependencies);

}  // namespace sf::recipe
