// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <random>

#include "model/names.hpp"
#include "pack/placeholder.hpp"
#include "unit/pack/tar_builder.hpp"

namespace {

using sf::model::placeholder_root;
using sf::pack::PlaceholderHit;
using sf::pack::PlaceholderScanner;

std::vector<PlaceholderHit> scan(std::string_view text, std::size_t piece = std::string::npos) {
    PlaceholderScanner scanner;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        scanner.scan(text.substr(at, piece));
        if (piece == std::string::npos) break;
    }
    return scanner.finish();
}

bool same(const std::vector<PlaceholderHit>& a, const std::vector<PlaceholderHit>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.offset == y.offset && x.length == y.length && x.whole == y.whole;
    });
}

TEST(Placeholder, WholeRoot) {
    const auto text = "prefix=" + std::string(placeholder_root) + "/munge-1\n";
    const auto hits = scan(text);
    ASSERT_EQ(hits.size(), 1U);
    EXPECT_EQ(hits[0].offset, 7U);
    EXPECT_EQ(hits[0].length, placeholder_root.size());
    EXPECT_TRUE(hits[0].whole);
}

TEST(Placeholder, EveryFragmentAtEveryPlace) {
    for (std::size_t length = 1; length <= placeholder_root.size(); ++length) {
        for (std::size_t start = 0; start + length <= placeholder_root.size(); ++start) {
            const auto fragment = std::string(placeholder_root.substr(start, length));
            for (const std::size_t before : {0U, 1U, 7U, 8U, 9U, 100U}) {
                for (const std::size_t after : {0U, 1U, 7U, 40U}) {
                    const auto text =
                        std::string(before, '\0') + fragment + std::string(after, '!');
                    const auto hits = scan(text);
                    ASSERT_EQ(hits.size(), length >= 8 ? 1U : 0U) << fragment << before << after;
                    if (length < 8) continue;
                    EXPECT_EQ(hits[0].offset, before);
                    EXPECT_GE(hits[0].length, length);
                    EXPECT_EQ(hits[0].whole, length == placeholder_root.size());
                }
            }
        }
    }
}

TEST(Placeholder, PiecesMakeNoDifference) {
    std::mt19937 random(7);
    std::string text;
    for (int i = 0; i < 400; ++i) {
        const auto start = random() % placeholder_root.size();
        text += placeholder_root.substr(start, 1 + random() % placeholder_root.size());
        if (random() % 3 == 0) text += std::string(random() % 30, static_cast<char>(random()));
    }
    const auto whole = scan(text);
    EXPECT_GT(whole.size(), 50U);
    for (std::size_t piece = 1; piece < 70; ++piece) {
        EXPECT_TRUE(same(scan(text, piece), whole)) << piece;
    }
}

TEST(Placeholder, BackToBackAndOverlapping) {
    const std::string root(placeholder_root);
    const auto twice = scan(root + root);
    ASSERT_EQ(twice.size(), 2U);
    EXPECT_EQ(twice[1].offset, root.size());
    EXPECT_TRUE(twice[1].whole);
    EXPECT_TRUE(scan(root.substr(0, 7) + root.substr(0, 7)).empty());
    EXPECT_TRUE(scan("").empty());
}

class PlaceholderFile : public sf::test::PackTest {};

TEST_F(PlaceholderFile, AcrossReadBuffers) {
    const std::string root(placeholder_root);
    std::string text(3U << 18U, 'x');
    const std::vector<std::size_t> places{0, (1U << 18U) - 10, (1U << 19U) - 20,
                                          text.size() - root.size()};
    for (const auto at : places) text.replace(at, root.size(), root);
    put("f", text);
    const auto hits = sf::pack::scan_placeholder(temp() / "f");
    ASSERT_TRUE(hits.has_value());
    ASSERT_EQ(hits->size(), places.size());
    for (std::size_t i = 0; i < places.size(); ++i) EXPECT_EQ((*hits)[i].offset, places[i]);
    EXPECT_FALSE(sf::pack::scan_placeholder(temp() / "absent").has_value());
}

}  // namespace
