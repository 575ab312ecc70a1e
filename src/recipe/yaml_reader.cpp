// SPDX-License-Identifier: Apache-2.0
#include "recipe/yaml_reader.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <utility>

#include "base/text.hpp"

namespace sf::recipe {

namespace {

constexpr std::size_t max_depth = 64;
constexpr std::size_t max_problems = 20;
constexpr std::size_t max_members = 4096;  // of one map: looking for duplicates is quadratic

// Thrown through yaml-cpp to stop it early; never leaves read_yaml.
struct Enough {};

int line_of(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }
int column_of(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.column + 1; }

class TreeBuilder : public YAML::EventHandler {
public:
    explicit TreeBuilder(YamlDocument& document) : x_document(document) {}

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
        place(make(YamlNode::Kind::null, mark));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        problem(line_of(mark), "aliases (*name) are not supported");
        place(make(YamlNode::Kind::null, mark));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  const std::string& value) override {
        check_tag(mark, tag);
        YamlNode node = make(YamlNode::Kind::scalar, mark);
        node.scalar = value;
        check_characters(node);
        place(std::move(node));
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        check_tag(mark, tag);
        open(make(YamlNode::Kind::list, mark));
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        check_tag(mark, tag);
        open(make(YamlNode::Kind::map, mark));
    }
    void OnMapEnd() override { close(); }

    void OnAnchor(const YAML::Mark& mark, const std::string&) override {
        problem(line_of(mark), "anchors (&name) are not supported");
    }

private:
    struct Level {
        YamlNode node;
        bool has_key = false;  // of a map: the next value belongs to `key`
        bool keep = true;      // false for the value of a duplicate or unusable key
        std::string key;
        int key_line = 0;
    };

    static YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
        YamlNode node;
        node.kind = kind;
        node.line = line_of(mark);
        node.column = column_of(mark);
        return node;
    }

    void problem(int line, std::string message) {
        x_document.problems.push_back({line, std::move(message)});
        if (x_document.problems.size() >= max_problems) throw Enough{};
    }

    void check_tag(const YAML::Mark& mark, const std::string& tag) {
        // "?": plain, "!": quoted, "": none; everything else was written by someone.
        if (!tag.empty() && tag != "?" && tag != "!") {
            problem(line_of(mark), "tags (!name) are not supported");
        }
    }

    void check_characters(const YamlNode& node) {
        for (const std::string_view line : split_lines(node.scalar)) {
            if (base::escape_untrusted(line) != line) {
                problem(node.line, fmt::format("control characters or broken UTF-8 in \"{}\"",
                                               base::escape_untrusted(line)));
                return;
            }
        }
    }

    static std::vector<std::string_view> split_lines(std::string_view text) {
        std::vector<std::string_view> lines;
        while (true) {
            const auto end = text.find_first_of("\n\t");  // the two that may stand in a scalar
            lines.push_back(text.substr(0, end));
            if (end == std::string_view::npos) return lines;
            text.remove_prefix(end + 1);
        }
    }

    void open(YamlNode node) {
        if (x_levels.size() >= max_depth) {
            problem(node.line, fmt::format("nested deeper than {} levels", max_depth));
            throw Enough{};
        }
        Level level;
        level.node = std::move(node);
        x_levels.push_back(std::move(level));
    }

    void close() {
        YamlNode node = std::move(x_levels.back().node);
        x_levels.pop_back();
        place(std::move(node));
    }

    // A finished node goes where it belongs: the root, a list, or a map as key or as value.
    void place(YamlNode node) {
        if (x_levels.empty()) {
            x_document.root = std::move(node);
            return;
        }
        Level& level = x_levels.back();
        if (level.node.is_list()) {
            level.node.items.push_back(std::move(node));
        } else if (level.has_key) {
            if (level.keep) {
                level.node.members.push_back({level.key, level.key_line, std::move(node)});
            }
            level.has_key = false;
        } else {
            take_key(level, node);
        }
    }

    void take_key(Level& level, const YamlNode& node) {
        if (level.node.members.size() >= max_members) {
            problem(node.line, fmt::format("a map of more than {} keys", max_members));
            throw Enough{};
        }
        level.has_key = true;
        level.keep = true;
        level.key = node.scalar;
        level.key_line = node.line;
        if (!node.is_scalar()) {
            level.keep = false;
            problem(node.line, "a key must be plain text");
            return;
        }
        if (node.scalar == "<<") {
            level.keep = false;
            problem(node.line, "merge keys (<<) are not supported");
            return;
        }
        for (const YamlMember& member : level.node.members) {
            if (member.key != node.scalar) continue;
            level.keep = false;
            problem(node.line, fmt::format("key \"{}\" stands here twice: first in line {}",
                                           base::escape_untrusted(node.scalar), member.line));
            return;
        }
    }

    YamlDocument& x_document;
    std::vector<Level> x_levels;
};

}  // namespace

std::string_view YamlNode::kind_name() const {
    switch (kind) {
        case Kind::null: return "nothing";
        case Kind::scalar: return "text";
        case Kind::list: return "a list";
        case Kind::map: return "a map";
    }
    return "nothing";
}

YamlDocument read_yaml(std::string_view text, std::size_t limit) {
    YamlDocument document;
    if (text.size() > limit) {
        document.problems.push_back({0, fmt::format("larger than {}", base::human_bytes(limit))});
        return document;
    }
    // yaml-cpp would take the text for UTF-16 or UTF-32, or end at a NUL.
    if (text.find('\0') != std::string_view::npos) {
        document.problems.push_back({0, "holds a NUL byte: not UTF-8 text"});
        return document;
    }
    std::istringstream stream{std::string(text)};
    TreeBuilder builder(document);
    try {
        YAML::Parser parser(stream);
        if (!parser.HandleNextDocument(builder)) {
            document.problems.push_back({0, "is empty"});
            return document;
        }
        TreeBuilder second(document);
        YamlNode root = std::move(document.root);
        document.root = {};
        if (parser.HandleNextDocument(second)) {
            document.problems.push_back({document.root.line, "holds more than one document"});
        }
        document.root = std::move(root);
    } catch (const Enough&) {
        // The problems tell.
    } catch (const YAML::Exception& error) {
        document.problems.push_back({line_of(error.mark), base::escape_untrusted(error.msg)});
    }
    return document;
}

}  // namespace sf::recipe
