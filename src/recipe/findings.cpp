// SPDX-License-Identifier: Apache-2.0
#include "recipe/findings.hpp"

#include <charconv>

#include "base/text.hpp"

namespace sf::recipe {

using base::escape_untrusted;

std::string meant(std::string_view word, const std::vector<std::string>& candidates) {
    const auto candidate = base::did_you_mean(word, candidates);
    return candidate ? fmt::format(", did you mean \"{}\"?", *candidate) : std::string();
}

MapReader::MapReader(const YamlNode& node, Findings& findings, std::string what)
    : x_findings(findings), x_what(std::move(what)), x_line(node.line) {
    if (node.is_map()) {
        x_node = &node;
    } else {
        x_findings.add(node.line,
                       fmt::format("{} must be a map, not {}", x_what, node.kind_name()));
    }
}

bool MapReader::has(std::string_view key) const {
    if (x_node == nullptr) return false;
    for (const YamlMember& member : x_node->members) {
        if (member.key == key) return true;
    }
    return false;
}

const YamlNode* MapReader::find(std::string_view key) {
    x_asked.emplace(key);
    if (x_node == nullptr) return nullptr;
    for (const YamlMember& member : x_node->members) {
        if (member.key != key) continue;
        if (member.value.kind == YamlNode::Kind::null) {
            x_findings.add(member.line, fmt::format("{}: \"{}\" has no value", x_what, key));
            return nullptr;
        }
        return &member.value;
    }
    return nullptr;
}

const YamlNode* MapReader::need(std::string_view key) {
    const bool present = has(key);
    const YamlNode* const node = find(key);
    if (x_node != nullptr && !present) {
        x_findings.add(x_line, fmt::format("{}: \"{}\" is missing", x_what, key));
    }
    return node;
}

std::string MapReader::text_of(const YamlNode& node, Findings& findings, const std::string& what) {
    if (!node.is_scalar()) {
        findings.add(node.line, fmt::format("{} must be text, not {}", what, node.kind_name()));
        return {};
    }
    if (base::trim(node.scalar).empty()) {
        findings.add(node.line, fmt::format("{} is empty", what));
        return {};
    }
    return node.scalar;
}

std::vector<std::string> MapReader::texts_of(const YamlNode& node, Findings& findings,
                                             const std::string& what) {
    std::vector<std::string> result;
    if (!node.is_list()) {
        findings.add(node.line, fmt::format("{} must be a list, not {}", what, node.kind_name()));
        return result;
    }
    for (const YamlNode& item : node.items) {
        std::string text = text_of(item, findings, fmt::format("an entry of {}", what));
        if (!text.empty()) result.push_back(std::move(text));
    }
    return result;
}

std::string MapReader::text(std::string_view key) {
    const YamlNode* const node = find(key);
    if (node == nullptr) return {};
    const std::string what = fmt::format("{}: \"{}\"", x_what, key);
    std::string result = text_of(*node, x_findings, what);
    if (result.find('\n') != std::string::npos || base::trim(result) != result) {
        x_findings.add(node->line,
                       fmt::format("{} must be one line without white space at its ends", what));
    }
    return result;
}

std::string MapReader::need_text(std::string_view key) {
    if (!has(key)) {
        need(key);
        return {};
    }
    return text(key);
}

std::vector<std::string> MapReader::texts(std::string_view key) {
    const YamlNode* const node = find(key);
    if (node == nullptr) return {};
    return texts_of(*node, x_findings, fmt::format("{}: \"{}\"", x_what, key));
}

std::vector<std::string> MapReader::need_texts(std::string_view key) {
    const YamlNode* const node = need(key);
    if (node == nullptr) return {};
    auto result = texts_of(*node, x_findings, fmt::format("{}: \"{}\"", x_what, key));
    if (node->is_list() && node->items.empty()) {
        x_findings.add(node->line, fmt::format("{}: \"{}\" is empty", x_what, key));
    }
    return result;
}

std::map<std::string, std::string> MapReader::text_map(std::string_view key) {
    std::map<std::string, std::string> result;
    const YamlNode* const node = find(key);
    if (node == nullptr) return result;
    if (!node->is_map()) {
        x_findings.add(node->line, fmt::format("{}: \"{}\" must be a map, not {}", x_what, key,
                                               node->kind_name()));
        return result;
    }
    for (const YamlMember& member : node->members) {
        if (!member.value.is_scalar()) {
            x_findings.add(member.line,
                           fmt::format("{}: \"{}.{}\" must be text, not {}", x_what, key,
                                       escape_untrusted(member.key), member.value.kind_name()));
            continue;
        }
        result.emplace(member.key, member.value.scalar);
    }
    return result;
}

bool MapReader::flag(std::string_view key, bool otherwise) {
    const YamlNode* const node = find(key);
    if (node == nullptr) return otherwise;
    if (node->is_scalar() && node->scalar == "true") return true;
    if (node->is_scalar() && node->scalar == "false") return false;
    x_findings.add(node->line, fmt::format("{}: \"{}\" must be true or false", x_what, key));
    return otherwise;
}

std::uint64_t MapReader::need_number(std::string_view key) {
    const YamlNode* const node = need(key);
    if (node == nullptr) return 0;
    std::uint64_t value = 0;
    const std::string& text = node->scalar;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (!node->is_scalar() || error != std::errc() || end != text.data() + text.size() ||
        value == 0) {
        x_findings.add(node->line,
                       fmt::format("{}: \"{}\" must be a whole number above 0", x_what, key));
        return 0;
    }
    return value;
}

base::Digest MapReader::need_digest(std::string_view key) {
    const YamlNode* const node = need(key);
    if (node == nullptr) return {};
    if (node->is_scalar()) {
        if (auto digest = base::Digest::parse(node->scalar)) return *digest;
    }
    x_findings.add(node->line,
                   fmt::format("{}: \"{}\" must be 64 lower-case hexadecimal digits", x_what, key));
    return {};
}

int MapReader::choice(std::string_view key, std::initializer_list<const char*> choices,
                      int otherwise) {
    if (otherwise >= 0 && !has(key)) {
        find(key);
        return otherwise;
    }
    const int fallback = otherwise >= 0 ? otherwise : 0;
    const YamlNode* const node = need(key);
    if (node == nullptr) return fallback;
    std::vector<std::string> words(choices.begin(), choices.end());
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (node->is_scalar() && node->scalar == words[i]) return static_cast<int>(i);
    }
    x_findings.add(node->line, fmt::format("{}: \"{}\" must be one of {}{}", x_what, key,
                                           base::join(words, ", "), meant(node->scalar, words)));
    return fallback;
}

void MapReader::finish() {
    if (x_node == nullptr) return;
    const std::vector<std::string> known(x_asked.begin(), x_asked.end());
    for (const YamlMember& member : x_node->members) {
        if (x_asked.contains(member.key)) continue;
        x_findings.add(member.line,
                       fmt::format("{}: unknown key \"{}\"{}", x_what, escape_untrusted(member.key),
                                   meant(member.key, known)));
    }
}

}  // namespace sf::recipe
