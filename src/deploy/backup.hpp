// SPDX-License-Identifier: Apache-2.0
// Before an upgrade to another series: stops the daemons that write, and saves slurmctld's state
// and the database, because the new daemons convert both for ever. Changes nothing else. One
// thread.
#pragma once

#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

// `plan.backup` is set. Durable on return; the folder appears whole or not at all.
[[nodiscard]] base::Status back_up(const Plan& plan, Context& context);

}  // namespace sf::deploy
