// SPDX-License-Identifier: Apache-2.0
// What a cache names, by the program's own words: asked for what is not there, it says what is.
// One thread.
#pragma once

#include <set>
#include <string>

#include "base/text.hpp"
#include "reliability/site.hpp"

namespace sf::test {

// The words that ask `place`; "": the site's own cache.
[[nodiscard]] inline Words ask_what_is_there(const Site& site, const std::string& place = {}) {
    Words words = site.install("25.11.999999", site.at("nowhere"), place);
    words.emplace_back("--dry-run");
    return words;
}

[[nodiscard]] inline std::set<std::string> what_is_there(const Said& said) {
    const std::string mark = "there is: ";
    const std::size_t list = said.err.find(mark);
    EXPECT_NE(list, std::string::npos) << said.text();
    std::set<std::string> found;
    if (list == std::string::npos) return found;
    const std::size_t begin = list + mark.size();
    const std::string all = said.err.substr(begin, said.err.find('\n', begin) - begin);
    for (const std::string& each : base::split(all, ',')) found.emplace(base::trim(each));
    return found;
}

}  // namespace sf::test
