// SPDX-License-Identifier: Apache-2.0
#include "recipe/yaml_reader.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sf::recipe {
namespace {

using testing::HasSubstr;

std::string first_problem(std::string_view text) {
    const YamlDocument document = read_yaml(text);
    if (document.problems.empty()) return "";
    return fmt::format("{}: {}", document.problems[0].line, document.problems[0].message);
}

TEST(ReadYaml, KeepsLinesAndTexts) {
    const auto document = read_yaml("# comment\na: 25.10\n\nb:\n  - x\n  - {c: 'y', d: ~}\n");
    ASSERT_TRUE(document.problems.empty());
    ASSERT_EQ(document.root.members.size(), 2U);
    EXPECT_EQ(document.root.members[0].key, "a");
    EXPECT_EQ(document.root.members[0].line, 2);
    EXPECT_EQ(document.root.members[0].value.scalar, "25.10");
    EXPECT_EQ(document.root.members[0].value.column, 4);
    const YamlNode& list = document.root.members[1].value;
    ASSERT_EQ(list.items.size(), 2U);
    EXPECT_EQ(list.items[0].line, 5);
    EXPECT_EQ(list.items[1].line, 6);
    EXPECT_EQ(list.items[1].members[0].value.scalar, "y");
    EXPECT_EQ(list.items[1].members[1].value.kind, YamlNode::Kind::null);
}

TEST(ReadYaml, DuplicateKeysAreProblemsAndTheFirstIsKept) {
    const auto document = read_yaml("a: 1\nb: 2\na: {x: 3}\n");
    ASSERT_EQ(document.problems.size(), 1U);
    EXPECT_EQ(document.problems[0].line, 3);
    EXPECT_EQ(document.problems[0].message, "key \"a\" stands here twice: first in line 1");
    ASSERT_EQ(document.root.members.size(), 2U);
    EXPECT_EQ(document.root.members[0].value.scalar, "1");
}

TEST(ReadYaml, RefusesWhatRecipesNeedNot) {
    EXPECT_THAT(first_problem("a: &x 1\nb: *x\n"), HasSubstr("1: anchors"));
    EXPECT_THAT(first_problem("a: !!binary aGk=\n"), HasSubstr("tags"));
    EXPECT_THAT(first_problem("<<: {a: 1}\n"), HasSubstr("merge keys"));
    EXPECT_THAT(first_problem("[a]: 1\n"), HasSubstr("key must be plain text"));
    EXPECT_THAT(first_problem("a: 1\n---\nb: 2\n"), HasSubstr("more than one document"));
    EXPECT_THAT(first_problem(""), HasSubstr("empty"));
    EXPECT_THAT(first_problem("# only a comment\n"), HasSubstr("empty"));
    EXPECT_THAT(first_problem("a: \"\\e[31m\"\n"), HasSubstr("control characters"));
    EXPECT_THAT(first_problem("a: \xff\xfe\n"), HasSubstr("broken UTF-8"));
    EXPECT_THAT(first_problem(std::string_view("a\0b", 3)), HasSubstr("NUL"));
    EXPECT_THAT(first_problem(std::string(200, '[') + std::string(200, ']')),
                HasSubstr("nested deeper"));
    EXPECT_THAT(first_problem(std::string(2 << 20, 'x')), HasSubstr("larger than"));
}

TEST(ReadYaml, SyntaxErrorsNameTheLine) {
    EXPECT_THAT(first_problem("a: 1\nb: [1, 2\nc: }\n"), testing::StartsWith("3: "));
    EXPECT_THAT(first_problem("a: 1\n\tb: 2\n"), testing::StartsWith("2: "));
}

}  // namespace
}  // namespace sf::recipe
