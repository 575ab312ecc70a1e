// SPDX-License-Identifier: Apache-2.0
// Reading one map of a YAML tree strictly: each key is asked for once, and whatever was not asked
// for is reported, with what may have been meant. Problems are collected, not returned, so that
// lint shows all of them at once. Knows YAML nodes, not recipes. Not thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "recipe/catalog.hpp"
#include "recipe/yaml_reader.hpp"

namespace sf::recipe {

// All findings about one file.
class Findings {
public:
    explicit Findings(std::filesystem::path file) : x_file(std::move(file)) {}
    void add(int line, std::string message) {
        x_list.push_back({x_file, line, std::move(message)});
    }
    [[nodiscard]] const std::filesystem::path& file() const { return x_file; }
    [[nodiscard]] const std::vector<Finding>& list() const { return x_list; }

private:
    std::filesystem::path x_file;
    std::vector<Finding> x_list;
};

class MapReader {
public:
    // `what`: "the recipe", "version 0.5.16", … for messages. A node that is no map is a finding.
    MapReader(const YamlNode& node, Findings& findings, std::string what);

    [[nodiscard]] bool ok() const { return x_node != nullptr; }
    [[nodiscard]] int line() const { return x_line; }
    [[nodiscard]] bool has(std::string_view key) const;

    // The member's value, nullptr if absent; `need` makes that a finding.
    const YamlNode* find(std::string_view key);
    const YamlNode* need(std::string_view key);

    // Empty text counts as missing. One line, no white space at its ends.
    std::string text(std::string_view key);  // optional: ""
    std::string need_text(std::string_view key);
    std::vector<std::string> texts(std::string_view key);       // optional list
    std::vector<std::string> need_texts(std::string_view key);  // at least one
    std::map<std::string, std::string> text_map(std::string_view key);
    bool flag(std::string_view key, bool otherwise);
    std::uint64_t need_number(std::string_view key);
    base::Digest need_digest(std::string_view key);
    // The index of the value in `choices`; `otherwise` if absent, -1: then it is needed.
    int choice(std::string_view key, std::initializer_list<const char*> choices,
               int otherwise = -1);

    // Reports keys nobody asked for. Call last.
    void finish();

    // Of a node that must be text, likewise reported.
    static std::string text_of(const YamlNode& node, Findings& findings, const std::string& what);
    static std::vector<std::string> texts_of(const YamlNode& node, Findings& findings,
                                             const std::string& what);

private:
    const YamlNode* x_node = nullptr;
    Findings& x_findings;
    std::string x_what;
    int x_line = 0;
    std::set<std::string, std::less<>> x_asked;
};

// ", did you mean "x"?" or "".
[[nodiscard]] std::string meant(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace sf::recipe
