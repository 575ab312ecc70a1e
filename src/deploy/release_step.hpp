// SPDX-License-Identifier: Apache-2.0
// Which Slurm can take over from which. A daemon reads the state, and slurmdbd converts the tables,
// of a limited number of earlier series; never those of a later one. Source: Slurm's Upgrade Guide
// (https://slurm.schedmd.com/upgrades.html): three series back since 24.11, two before. Pure, any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace sf::deploy {

enum class ReleaseStep {
    same_series,  // state and tables have one form
    upgrade,      // converted when the daemons start; there is no way back but a copy
    too_far,      // a series in between has to be run first
    downgrade,    // to an earlier series
};

// Each an exact version or a series: "25.11.2", "24.11".
[[nodiscard]] ReleaseStep step_between(std::string_view from, std::string_view to);

// The series that a message of Slurm's is of, by the number at its head, whose high byte counts the
// series (src/common/slurm_protocol_common.h): 0x2a00 is "24.11". Empty: none since 23.11.
[[nodiscard]] std::string series_of_protocol(unsigned number);

}  // namespace sf::deploy
