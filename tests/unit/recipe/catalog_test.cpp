// SPDX-License-Identifier: Apache-2.0
#include "recipe/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sf::recipe {
namespace {

bool affected(const char* version, std::vector<std::string> fixed_in) {
    Catalog catalog;
    catalog.advisories["slurm"] = {{"X", "x", std::move(fixed_in)}};
    return !catalog.affecting("slurm", version).empty();
}

TEST(Affecting, AFixInTheOwnSeriesDecides) {
    EXPECT_TRUE(affected("24.11.4", {"23.11.11", "24.05.8", "24.11.5"}));
    EXPECT_FALSE(affected("24.11.5", {"23.11.11", "24.05.8", "24.11.5"}));
    EXPECT_FALSE(affected("24.05.8", {"23.11.11", "24.05.8", "24.11.5"}));
    EXPECT_TRUE(affected("24.11.2", {"24.11.10"}));
    EXPECT_FALSE(affected("24.11.10", {"24.11.2"}));
}

TEST(Affecting, ASeriesOlderThanEveryFixIsOpenANewerOneIsNot) {
    EXPECT_TRUE(affected("23.02.7", {"23.11.11", "24.05.8"}));
    EXPECT_TRUE(affected("24.05.1", {"23.11.11", "24.11.5"}));
    EXPECT_FALSE(affected("25.11.0", {"23.11.11", "24.05.8", "24.11.5"}));
}

TEST(Affecting, WhatIsOlderThanTheMistakeIsNot) {
    Catalog catalog;
    catalog.advisories["slurm"] = {{"X", "x", {"24.05.4"}, "24.05"}};
    EXPECT_TRUE(catalog.affecting("slurm", "23.11.11").empty());
    EXPECT_EQ(catalog.affecting("slurm", "24.05.0").size(), 1U);
    EXPECT_EQ(catalog.affecting("slurm", "24.05.3").size(), 1U);
    EXPECT_TRUE(catalog.affecting("slurm", "24.05.4").empty());
    EXPECT_TRUE(catalog.affecting("slurm", "24.11.0").empty());
}

TEST(Affecting, OtherPackagesHaveTheirOwn) {
    EXPECT_TRUE(Catalog{}.affecting("slurm", "1").empty());
    Catalog catalog;
    catalog.advisories["pmix"] = {{"X", "x", {"5.0.1"}}};
    EXPECT_TRUE(catalog.affecting("slurm", "5.0.0").empty());
    EXPECT_EQ(catalog.affecting("pmix", "5.0.0").size(), 1U);
}

TEST(VersionRange, ComparesNumberByNumber) {
    EXPECT_EQ(version_in_range("25.11.2", ">=25.05").value(), true);
    EXPECT_EQ(version_in_range("24.11.10", ">=24.11.9").value(), true);
    EXPECT_EQ(version_in_range("26.05", "<26.05").value(), false);
    EXPECT_EQ(version_in_range("26.05", "<=26.05").value(), true);
    EXPECT_EQ(version_in_range("25.05", ">=24.11, <26").value(), true);
    EXPECT_EQ(version_in_range("26.05", ">=24.11,<26").value(), false);
    EXPECT_EQ(version_in_range("26.05", "=26.05").value(), true);
    EXPECT_EQ(version_in_range("26.05", ">26.05").value(), false);
    EXPECT_EQ(version_in_range("1", "").value(), true);
}

TEST(VersionRange, RefusesOtherWords) {
    for (const char* range : {"25.05", "newer", ">=", ">=25.05,", ",", "=>25", ">=2 5", "~1"}) {
        const auto result = version_in_range("25.05", range);
        ASSERT_FALSE(result) << range;
        EXPECT_EQ(result.error().code, base::Code::usage);
    }
}

}  // namespace
}  // namespace sf::recipe
