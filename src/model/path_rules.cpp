// SPDX-License-Identifier: Apache-2.0
#include "model/path_rules.hpp"

#include <algorithm>
#include <cstdint>

#include "base/text.hpp"

namespace sf::model {

namespace {

constexpr std::size_t max_path = 1024;
constexpr std::size_t max_component = 255;
constexpr std::size_t max_depth = 64;

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        std::size_t length = 1;
        std::uint32_t point = lead;
        if (lead >= 0xf0 && lead < 0xf5) {
            length = 4;
            point = lead & 0x07U;
        } else if (lead >= 0xe0 && lead < 0xf0) {
            length = 3;
            point = lead & 0x0fU;
        } else if (lead >= 0xc2 && lead < 0xe0) {
            length = 2;
            point = lead & 0x1fU;
        } else if (lead >= 0x80) {
            return false;
        }
        if (text.size() - i < length) return false;
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0U) != 0x80U) return false;
            point = (point << 6U) | (next & 0x3fU);
        }
        constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        if (length > 1 && point < smallest[length]) return false;
        if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
        i += length;
    }
    return true;
}

// Controls of both sets (C0 and DEL, C1 as U+0080..U+009F).
bool has_control(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x20 || c == 0x7f) return true;
        if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
            return true;
        }
    }
    return false;
}

std::string characters_violation(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return "NUL in a name";
    if (has_control(text)) return "control character in a name";
    if (!is_utf8(text)) return "name is not UTF-8";
    return {};
}

}  // namespace

std::string path_violation(std::string_view path) {
    if (path.empty()) return "empty name";
    if (path.size() > max_path) return "path longer than 1024 bytes";
    if (auto rule = characters_violation(path); !rule.empty()) return rule;
    if (path.front() == '/') return "absolute path";
    const auto components = base::split(path, '/');
    if (components.size() > max_depth) return "more than 64 folders deep";
    for (const auto& component : components) {
        if (component == "..") return "'..' in a path";
        if (component.empty() || component == ".") return "path is not normalised";
        if (component.size() > max_component) return "name longer than 255 bytes";
        if (component.starts_with(".sf-") || component.starts_with(".spack")) {
            return "reserved name";
        }
    }
    return {};
}

// The folder of `path` is a real folder, so leading '..' go up real folders; and no '..' may stand
// behind a name, so whatever links a target passes through, each has been held to this rule itself.
std::string link_violation(std::string_view path, std::string_view target,
                           const std::vector<std::string>& roots) {
    if (target.empty()) return "symlink without a target";
    if (target.size() > max_path) return "symlink target longer than 1024 bytes";
    if (auto rule = characters_violation(target); !rule.empty()) {
        return rule + " (symlink target)";
    }
    if (target.front() == '/') return "symlink to an absolute path";

    auto at = base::split(path, '/');
    at.pop_back();
    if (target != ".") {
        bool down = false;
        for (auto& component : base::split(target, '/')) {
            if (component.empty() || component == "." || (component == ".." && down)) {
                return "symlink target is not normalised";
            }
            if (component.size() > max_component) return "name longer than 255 bytes";
            if (component != "..") {
                down = true;
                at.push_back(std::move(component));
                continue;
            }
            if (at.empty()) return "symlink points outside";
            at.pop_back();
        }
    }
    const bool inside = std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
        return root.empty() || (!at.empty() && at.front() == root);
    });
    if (!inside) return "symlink points outside";
    return {};
}

}  // namespace sf::model
