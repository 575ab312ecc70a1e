// SPDX-License-Identifier: Apache-2.0
#include "deploy/template.hpp"

#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view name_letters = "abcdefghijklmnopqrstuvwxyz_";

// The name at `text`, which begins behind a '@'; empty if that is an ordinary '@'.
std::string_view name_at(std::string_view text) {
    const std::size_t end = text.find_first_not_of(name_letters);
    if (end == std::string_view::npos || end == 0 || text[end] != '@') return {};
    return text.substr(0, end);
}

Result<std::string> value_of(std::string_view name, const Values& values) {
    const auto found = values.find(name);
    if (found != values.end()) return found->second;
    return fail(Code::corrupt, "a template asks for '{}', which nobody knows", name);
}

Result<std::string> render_line(std::string_view line, const Values& values) {
    std::string out;
    while (!line.empty()) {
        const std::size_t at = line.find('@');
        out += line.substr(0, at);
        if (at == std::string_view::npos) break;
        line.remove_prefix(at + 1);
        const std::string_view name = name_at(line);
        if (name.empty()) {
            out += '@';
            continue;
        }
        SF_TRY(const std::string value, value_of(name, values));
        out += value;
        line.remove_prefix(name.size() + 1);
    }
    return out;
}

}  // namespace

Result<std::string> render(std::string_view text, const Values& values) {
    std::string out;
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (line.find("SPDX-License-Identifier") != std::string_view::npos) continue;
        if (line.starts_with("@?")) {
            const std::string_view name = name_at(line.substr(2));
            if (name.empty()) return fail(Code::corrupt, "a template has an odd line: {}", line);
            SF_TRY(const std::string value, value_of(name, values));
            if (value.empty()) continue;
            line.remove_prefix(name.size() + 3);
        }
        SF_TRY(const std::string rendered, render_line(line, values));
        out += rendered + '\n';
    }
    return out;
}

}  // namespace sf::deploy
