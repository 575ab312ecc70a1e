// SPDX-License-Identifier: Apache-2.0
// The folder of slurmctld's state, and the one file of it that the installer cares for: the usage
// of accounts. slurmctld writes that file down every five minutes and when it ends; without it, and
// with accounting, it does not start again once there is a state ("No Assoc usage file to recover":
// load_assoc_usage in Slurm's src/common/assoc_mgr.c). Killed in its first minutes, by a power cut
// say, a new cluster would stay down; so a new slurmctld is made to write it at once. One thread.
#pragma once

#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

inline constexpr const char* controller_state_folder = "/var/lib/slurm/slurmctld";

// slurmctld runs, keeps accounts in that folder, but has not written their usage down yet. Waits
// until it answers, a minute at most: it listens before it makes its state. One that does not
// answer owes nothing, here: the smoke test tells of it. Nor does a site whose slurm.conf names
// another folder.
[[nodiscard]] base::Result<bool> usage_is_owed(const Plan& plan, Host& host);

// By the supervisor, who starts again what ends: asks slurmctld to end, and waits, a minute at
// most, until the file is there. Code::exhausted: it is not.
[[nodiscard]] base::Status save_usage(const Plan& plan, Context& context);

}  // namespace sf::deploy
