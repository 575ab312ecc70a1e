// SPDX-License-Identifier: Apache-2.0
#include "reliability/nfs_faults.hpp"

#include <charconv>

namespace sf::test {

bool NfsFaults::set(std::string_view words) {
    const std::lock_guard lock(x_mutex);
    while (!words.empty()) {
        const std::size_t end = std::min(words.find(' '), words.size());
        if (end != 0 && !set_one(words.substr(0, end))) return false;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return true;
}

bool NfsFaults::set_one(std::string_view word) {
    const std::size_t sign = word.find_first_of("=@");
    if (sign == word.npos) return false;
    const std::string name(word.substr(0, sign));
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(word.data() + sign + 1, word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) return false;
    if (name == "seed") {
        x_random.seed(value);
    } else if (name == "locks") {
        x_locks = value != 0;
    } else if (name == "often") {
        x_often = value;
    } else {
        const auto kind = x_kinds.find(name);
        if (kind == x_kinds.end()) return false;
        kind->second = {};
        (word[sign] == '@' ? kind->second.at : kind->second.share) = value;
        std::erase_if(x_counts, [&](const auto& each) { return each.first.starts_with(name); });
    }
    return true;
}

std::string NfsFaults::text() {
    const std::lock_guard lock(x_mutex);
    std::string text;
    const auto add = [&](const std::string& name, std::uint64_t value) {
        text += (text.empty() ? "" : " ") + name + '=' + std::to_string(value);
    };
    for (const auto& [name, kind] : x_kinds) add(name + ".seen", kind.seen);
    for (const auto& [name, value] : x_counts) add(name, value);
    return text;
}

bool NfsFaults::strikes(const std::string& kind, const std::string& what) {
    const std::lock_guard lock(x_mutex);
    Kind& its = x_kinds.at(kind);
    ++its.seen;
    constexpr std::uint64_t whole = 1000;
    const bool strikes = its.at != 0 ? its.seen == its.at : x_random() % whole < its.share;
    if (!strikes) return false;
    ++x_counts[kind + ".done"];
    ++x_counts[kind + '.' + what];
    return true;
}

void NfsFaults::count(const std::string& what) {
    const std::lock_guard lock(x_mutex);
    ++x_counts[what];
}

std::uint64_t NfsFaults::below(std::uint64_t end) {
    const std::lock_guard lock(x_mutex);
    return x_random() % end;
}

bool NfsFaults::locks() {
    const std::lock_guard lock(x_mutex);
    return x_locks;
}

std::uint64_t NfsFaults::often() {
    const std::lock_guard lock(x_mutex);
    return x_often;
}

}  // namespace sf::test
