// SPDX-License-Identifier: Apache-2.0
// Starts and stops what a plan names: by systemd where it runs, else by our supervisor; the
// database in between. What runs already and has not changed is left running. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

// Makes systemd know new units; makes the database; enables, and starts if the plan says so.
[[nodiscard]] base::Status bring_up(const Plan& plan, Context& context, const std::string& helper);

// Before an upgrade: slurmctld and slurmdbd write no more. Without systemd everything ends, jobs
// excepted.
[[nodiscard]] base::Status stop_writers(Context& context);

// The units we wrote, whether enabled yet or not, in the order to stop them; the distribution's own
// stay as they are.
[[nodiscard]] std::vector<std::string> own_units(const Record& record);

// Stops and disables these, and the supervisor; true if there was something.
[[nodiscard]] base::Result<bool> bring_down(Context& context);

}  // namespace sf::deploy
