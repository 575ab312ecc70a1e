// SPDX-License-Identifier: Apache-2.0
#include "cache/source_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;

SourceList list() {
    SourceList list{"munge", "0.5.16", base::sha256("identity"), {}};
    list.files = {{"recipes/munge/recipe.yaml", false, base::sha256("recipe"), 6},
                  {"sources/sha256/00/munge.tar.gz", false, base::sha256("archive"), 7},
                  {"templates/sandbox/bin/gcc", true, base::sha256("wrapper"), 8}};
    return list;
}

TEST(SourceLists, ComeBack) {
    const std::string text = to_json(list()).value();
    const SourceList again = source_list_from_json(text).value();
    EXPECT_EQ(again.name, "munge");
    EXPECT_EQ(again.version, "0.5.16");
    EXPECT_EQ(again.identity, base::sha256("identity"));
    EXPECT_EQ(again.files, list().files);
}

// Files are laid out at these paths: none may leave the folder.
TEST(SourceLists, NoPathLeavesTheFolder) {
    for (const char* path : {"../x", "/etc/passwd", "a/../b", "", "a//b", "-x", "a/./b", "a b"}) {
        SourceList bad = list();
        bad.files = {{path, false, base::sha256("x"), 1}};
        EXPECT_FALSE(to_json(bad)) << path;
        const std::string text =
            base::replace_all(to_json(list()).value(), "recipes/munge/recipe.yaml", path);
        EXPECT_FALSE(source_list_from_json(text)) << path;
    }
}

TEST(SourceLists, HaveOneText) {
    const std::string good = to_json(list()).value();
    for (const auto& [from, to] : {std::pair{"\"schema\":1", "\"schema\":2"},
                                   {"\"schema\":1", "\"schema\": 1"},
                                   {"\"size\":6", "\"size\":-6"},
                                   {"\"name\":\"munge\"", "\"more\":1,\"name\":\"munge\""},
                                   {"\"executable\":true", "\"executable\":1"},
                                   {"recipes/munge/recipe.yaml", "zz"}}) {
        const std::string bad = base::replace_all(good, from, to);
        ASSERT_NE(bad, good) << from;
        EXPECT_FALSE(source_list_from_json(bad)) << to;
    }
    EXPECT_FALSE(source_list_from_json(good + "\n"));
    EXPECT_FALSE(source_list_from_json(""));
    SourceList twice = list();
    twice.files.push_back(twice.files.back());
    EXPECT_THAT(to_json(twice).error().text(), HasSubstr("not in order"));
}

}  // namespace
}  // namespace sf::cache
