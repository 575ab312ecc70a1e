// SPDX-License-Identifier: Apache-2.0
#include "recipe/words.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "recipe/findings.hpp"

namespace sf::recipe {

namespace {

const std::vector<std::string>& plain_words() {
    static const std::vector<std::string> words = {"prefix", "version", "name",
                                                   "source", "build",   "jobs"};
    return words;
}

bool looks_like_a_word(std::string_view word) {
    return !word.empty() && word.size() <= 80 && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '-' ||
               c == '_' || c == '.' || c == '+';
    });
}

}  // namespace

std::vector<std::string> check_replaced_words(std::string_view text,
                                              const std::vector<std::string>& dependencies) {
    std::vector<std::string> problems;
    for (std::size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at)) {
        const std::size_t end = text.find('@', at + 1);
        if (end == std::string_view::npos) break;
        const std::string_view word = text.substr(at + 1, end - at - 1);
        at = end;  // the closing @ may open the next word
        if (!looks_like_a_word(word)) continue;
        const auto& plain = plain_words();
        if (word.starts_with("dep:")) {
            const std::string_view name = word.substr(4);
            ++at;
            if (std::find(dependencies.begin(), dependencies.end(), name) == dependencies.end()) {
                problems.push_back(fmt::format("@{}@: \"{}\" is not in depends{}", word, name,
                                               meant(name, dependencies)));
            }
        } else if (std::find(plain.begin(), plain.end(), word) != plain.end()) {
            ++at;
        } else if (const std::string hint = meant(word, plain); !hint.empty()) {
            problems.push_back(fmt::format("unknown word @{}@{}", word, hint));
        }
    }
    return problems;
}

}  // namespace sf::recipe
