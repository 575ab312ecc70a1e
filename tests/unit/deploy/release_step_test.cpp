// SPDX-License-Identifier: Apache-2.0
// Which Slurm can take over from which.
#include "deploy/release_step.hpp"

#include <gtest/gtest.h>

namespace sf::deploy {
namespace {

TEST(ReleaseStep, FollowsSlurmsRule) {
    EXPECT_EQ(step_between("25.11.2", "25.11.7"), ReleaseStep::same_series);
    EXPECT_EQ(step_between("25.11.7", "25.11.2"), ReleaseStep::same_series);
    EXPECT_EQ(step_between("25.05.1", "25.11.2"), ReleaseStep::upgrade);
    EXPECT_EQ(step_between("24.05.0", "25.11.2"), ReleaseStep::upgrade);
    EXPECT_EQ(step_between("23.11.4", "25.11.2"), ReleaseStep::too_far);
    EXPECT_EQ(step_between("23.02.9", "24.11.5"), ReleaseStep::upgrade);
    EXPECT_EQ(step_between("23.02.9", "24.05.1"), ReleaseStep::upgrade);
    EXPECT_EQ(step_between("25.11.2", "25.05.9"), ReleaseStep::downgrade);
    EXPECT_EQ(step_between("25.11.2", "24.11.7"), ReleaseStep::downgrade);
}

TEST(ReleaseStep, KnowsTheSeriesOfAProtocol) {
    for (const auto& [number, series] : {std::pair<unsigned, const char*>{0x2800, "23.11"},
                                         {0x2900, "24.05"},
                                         {0x2a00, "24.11"},
                                         {0x2c00, "25.11"},
                                         {0x2d00, "26.05"},
                                         {0x2d05, "26.05"},
                                         {0x2700, ""},
                                         {0, ""},
                                         {0xffff, ""},
                                         {0xffffffff, ""}})
        EXPECT_EQ(series_of_protocol(number), series) << number;
    EXPECT_EQ(step_between(series_of_protocol(0x2a00), "25.11.2"), ReleaseStep::upgrade);
}

}  // namespace
}  // namespace sf::deploy
