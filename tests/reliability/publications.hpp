// SPDX-License-Identifier: Apache-2.0
// Many publishers at once, and what a cache names, by the program's own words: asked for what is
// not there, it says what is. One thread.
#pragma once

#include <chrono>
#include <csignal>
#include <set>
#include <string>
#include <utility>
#include <vector>

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

// One that publishes a version now.
struct Publication {
    std::string version;
    Running process;
    double kill_after;  // seconds; 0: never
};
// Until all have ended, and those that are to be were killed. The versions of the killed; those of
// the others, whose publication is done, go into `published`.
[[nodiscard]] inline std::set<std::string> await_all(
    std::vector<Publication>& all, std::set<std::string>& published,
    std::chrono::seconds patience = std::chrono::seconds(900)) {
    std::vector<Victim> victims;
    for (Publication& each : all) victims.push_back({&each.process, each.kill_after});
    kill_each(std::move(victims));
    std::set<std::string> dead;
    for (Publication& each : all) {
        const Said said = each.process.wait(patience);
        EXPECT_FALSE(said.hung) << each.version << ": " << said.text();
        if (said.signal == SIGKILL) {
            dead.insert(each.version);
            continue;
        }
        EXPECT_EQ(said.code, 0) << each.version << ": " << said.text();
        published.insert(each.version);
    }
    return dead;
}

}  // namespace sf::test
