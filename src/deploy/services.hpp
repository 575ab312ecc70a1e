// SPDX-License-Identifier: Apache-2.0
// Starts and stops what a plan names: by systemd where it runs, else by our supervisor; the
// database in between. What runs already and has not changed is left running. One thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

// Makes systemd know new units; makes the database; enables, and starts if the plan says so.
[[nodiscard]] base::Status bring_up(const Plan& plan, Context& context, const std::string& helper);

// Stops and disables what the record says we started; true if something ran.
[[nodiscard]] base::Result<bool> bring_down(Context& context);

}  // namespace sf::deploy
