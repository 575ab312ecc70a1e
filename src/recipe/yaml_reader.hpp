// SPDX-License-Identifier: Apache-2.0
// YAML text to a small tree in which every node knows its line. Works on parser events, because
// yaml-cpp's own tree forgets positions of what is missing and lets duplicate keys pass. Narrower
// than YAML on purpose: one document, no anchors, no aliases, no tags, no merge keys, scalar keys.
// Total: any bytes give a tree or problems, never a crash. Knows nothing of recipes. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sf::recipe {

struct YamlProblem {
    int line = 0;  // 1-based; 0: the file as a whole
    std::string message;
};

struct YamlMember;

struct YamlNode {
    enum class Kind { null, scalar, list, map };
    Kind kind = Kind::null;
    int line = 0;    // 1-based
    int column = 0;  // 1-based
    std::string scalar;
    std::vector<YamlNode> items;
    std::vector<YamlMember> members;  // in the order of the file

    [[nodiscard]] bool is_scalar() const { return kind == Kind::scalar; }
    [[nodiscard]] bool is_list() const { return kind == Kind::list; }
    [[nodiscard]] bool is_map() const { return kind == Kind::map; }
    // "a list", for messages.
    [[nodiscard]] std::string_view kind_name() const;
};

struct YamlMember {
    std::string key;
    int line = 0;
    YamlNode value;
};

struct YamlDocument {
    YamlNode root;
    std::vector<YamlProblem> problems;  // duplicate keys among them: the first value is kept
};

// At most `limit` bytes and 64 levels; more is a problem.
[[nodiscard]] YamlDocument read_yaml(std::string_view text,
                                     std::size_t limit = std::size_t{1} << 20);

}  // namespace sf::recipe
