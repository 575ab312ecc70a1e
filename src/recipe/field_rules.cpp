// SPDX-License-Identifier: Apache-2.0
#include "recipe/field_rules.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::recipe {

using base::escape_untrusted;

bool is_inner_path(std::string_view path) {
    if (path.empty() || path.size() > 1024 || path.front() == '/' || path.back() == '/')
        return false;
    if (base::escape_untrusted(path) != path || path.find('\\') != std::string_view::npos)
        return false;
    for (const std::string& part : base::split(path, '/')) {
        if (part.empty() || part == "." || part == "..") return false;
    }
    return true;
}

void check_inner(const std::string& path, int line, const char* what, Findings& findings) {
    if (is_inner_path(path)) return;
    findings.add(line, fmt::format("{} \"{}\" must be a path below its folder, without \"..\"",
                                   what, escape_untrusted(path)));
}

bool is_plain_file_name(std::string_view name) {
    if (name.empty() || name.size() > 200 || name.front() == '.' || name.front() == '-')
        return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '+' || c == '-' || c == '~';
    });
}

void check_soname(const std::string& name, int line, Findings& findings) {
    if (is_plain_file_name(name) && name.find(".so") != std::string::npos) return;
    findings.add(line, fmt::format("\"{}\" is not a soname", escape_untrusted(name)));
}

void read_pairs(const YamlNode& node, const char* what, const char* key, Findings& findings,
                const std::function<void(std::string, std::string, int)>& take) {
    if (!node.is_list()) {
        findings.add(node.line,
                     fmt::format("{} stands in a list, not in {}", what, node.kind_name()));
        return;
    }
    for (const YamlNode& item : node.items) {
        MapReader map(item, findings, what);
        if (!map.ok()) continue;
        std::string name = map.need_text(key);
        std::string reason = map.need_text("reason");
        map.finish();
        if (!name.empty()) take(std::move(name), std::move(reason), item.line);
    }
}

}  // namespace sf::recipe
