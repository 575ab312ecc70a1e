// SPDX-License-Identifier: Apache-2.0
#include "deploy/conf_file.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;

namespace {

// As in the C locale.
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_control(char c) { return (c >= 0 && c < ' ') || c == 127; }
bool is_of_a_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

std::string lower(std::string_view text) {
    std::string made(text);
    for (char& c : made) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return made;
}

std::string_view without_blanks(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

// A '#' ends the line, unless it is escaped: quotes do not count.
std::string_view without_comment(std::string_view line) {
    bool escaped = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '#' && !escaped) return line.substr(0, i);
        escaped = line[i] == '\\' && !escaped;
    }
    return line;
}

// Where the last backslash of an odd number of them at the end stands; npos: it is not continued.
std::size_t continued_at(std::string_view line) {
    std::size_t end = line.size();
    while (end > 0 && is_blank(line[end - 1])) --end;
    std::size_t begin = end;
    while (begin > 0 && line[begin - 1] == '\\') --begin;
    return (end - begin) % 2 == 1 ? end - 1 : std::string_view::npos;
}

std::string without_escapes(std::string_view line) {
    std::string made;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\') ++i;
        if (i < line.size()) made += line[i];
    }
    return made;
}

bool is_include(std::string_view line) {
    constexpr std::string_view word = "include";
    return line.size() > word.size() && lower(line.substr(0, word.size())) == word &&
           is_blank(line[word.size()]);
}

struct Pair {
    std::string_view name;
    std::string_view value;
    std::string_view rest;
};
// The first of a line; false: what is left is none.
bool take_pair(std::string_view line, Pair& pair) {
    std::string_view at = without_blanks(line);
    const auto end_of_name = std::ranges::find_if_not(at, is_of_a_name);
    pair.name = at.substr(0, static_cast<std::size_t>(end_of_name - at.begin()));
    at = without_blanks(at.substr(pair.name.size()));
    if (!at.empty() && std::string_view("-*+/").find(at.front()) != std::string_view::npos)
        at.remove_prefix(1);
    if (pair.name.empty() || at.empty() || at.front() != '=') return false;
    at = without_blanks(at.substr(1));
    if (at.starts_with('"')) {
        const std::size_t quote = at.find('"', 1);
        const bool ends =
            quote != std::string_view::npos && (quote + 1 == at.size() || is_blank(at[quote + 1]));
        if (ends) {
            pair.value = at.substr(1, quote - 1);
            pair.rest = at.substr(quote + 1);
            return true;
        }
    }
    const auto end = std::ranges::find_if(at, is_blank);
    pair.value = at.substr(0, static_cast<std::size_t>(end - at.begin()));
    pair.rest = at.substr(pair.value.size());
    return !pair.value.empty();
}

}  // namespace

void ConfFile::read_line(std::string_view line) {
    if (is_include(line)) {
        x_includes = true;
        return;
    }
    Pair pair;
    std::string_view rest = line;
    while (take_pair(rest, pair)) {
        x_pairs.emplace_back(lower(pair.name), pair.value);
        rest = pair.rest;
    }
    x_understood = x_understood && without_blanks(rest).empty();
}

ConfFile ConfFile::parse(std::string_view text) {
    ConfFile conf;
    std::string whole;
    for (const std::string& line : base::split(text, '\n')) {
        if (line.find('\0') != std::string::npos) conf.x_understood = false;
        const std::string_view said = without_comment(line);
        const std::size_t continued = continued_at(said);
        whole += said.substr(0, continued);
        if (continued != std::string_view::npos) continue;
        conf.read_line(without_escapes(whole));
        whole.clear();
    }
    conf.read_line(without_escapes(whole));
    return conf;
}

std::string ConfFile::value(std::string_view name) const {
    const std::string wanted = lower(name);
    const auto found = std::find_if(x_pairs.rbegin(), x_pairs.rend(),
                                    [&](const auto& pair) { return pair.first == wanted; });
    return found == x_pairs.rend() ? "" : found->second;
}

std::string conf_value(std::string_view conf, std::string_view name) {
    return ConfFile::parse(conf).value(name);
}

Result<std::string> conf_line(std::string_view name, std::string_view value) {
    const bool blanks = std::ranges::any_of(value, is_blank);
    const bool quoted = blanks || value.starts_with('"');
    if (value.empty() || std::ranges::any_of(value, is_control) ||
        (quoted && value.find('"') != std::string_view::npos))
        return fail(Code::refused, "the value of {} cannot be written on one line", name);
    std::string line = std::string(name) + (quoted ? "=\"" : "=");
    for (const char c : value) {
        if (c == '\\' || c == '#') line += '\\';
        line += c;
    }
    return line + (quoted ? "\"\n" : "\n");
}

}  // namespace sf::deploy
