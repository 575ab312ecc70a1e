// SPDX-License-Identifier: Apache-2.0
// Where software goes if nobody says where, and what counts of what was said.
#include "cli/prefix_choice.hpp"

#include <gmock/gmock.h>

#include <unistd.h>

#include "unit/cli/command_line.hpp"

namespace sf::cli::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class PrefixChoice : public CommandLine {};

TEST_F(PrefixChoice, EachKindOfUserHasAPlace) {
    const auto place = [](const PrefixOwner& owner) { return default_prefix(owner).value(); };
    EXPECT_EQ(place({true, "", ""}), "/opt/slurm-factory");
    // Whatever root's shell has.
    EXPECT_EQ(place({true, "/srv/data", "/root"}), "/opt/slurm-factory");
    EXPECT_EQ(place({false, "/srv/data", "/home/anna"}), "/srv/data/slurm-factory");
    EXPECT_EQ(place({false, "/srv/data", ""}), "/srv/data/slurm-factory");
    EXPECT_EQ(place({false, "", "/home/anna"}), "/home/anna/.local/share/slurm-factory");
    // A folder relative to wherever somebody stands is none.
    EXPECT_EQ(place({false, "data", "/home/anna"}), "/home/anna/.local/share/slurm-factory");
    for (const PrefixOwner& nobody : {PrefixOwner{false, "", ""}, PrefixOwner{false, "data", "~"},
                                      PrefixOwner{false, "./x", "home/anna"}}) {
        const auto refused = default_prefix(nobody);
        ASSERT_FALSE(refused) << refused.value();
        EXPECT_EQ(refused.error().code, base::Code::usage);
        EXPECT_THAT(refused.error().text(), HasSubstr("neither HOME nor XDG_DATA_HOME"));
        EXPECT_THAT(refused.error().hint, HasSubstr("--prefix DIR"));
    }
}

TEST_F(PrefixChoice, ThisProcessHasOneByItsUserAndItsEnvironment) {
    const bool root = ::geteuid() == 0;
    for (const char* data : {"", "/srv/data"}) {
        for (const char* home : {"", "/home/anna"}) {
            set("XDG_DATA_HOME", data);
            set("HOME", home);
            const auto wanted = default_prefix({root, data, home});
            const auto chosen = prefix_of("");
            ASSERT_EQ(chosen.has_value(), wanted.has_value());
            if (wanted) {
                EXPECT_EQ(*chosen, *wanted);
            }
        }
    }
    set("XDG_DATA_HOME", std::nullopt);
    set("HOME", std::nullopt);
    EXPECT_EQ(prefix_of("").has_value(), root);
}

TEST_F(PrefixChoice, WhatIsSaidCounts) {
    set("XDG_DATA_HOME", "/srv/data");
    EXPECT_EQ(prefix_of("/srv/slurm").value(), "/srv/slurm");
    EXPECT_EQ(prefix_of("slurm").value(), fs::current_path() / "slurm");
    const std::string none = (folder() / "none").string();
    const auto missing = installed_prefix(none);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, base::Code::absent);
    EXPECT_FALSE(base::exists(none));
}

}  // namespace
}  // namespace sf::cli::test
