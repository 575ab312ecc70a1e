// SPDX-License-Identifier: Apache-2.0
// Does what was started work? A credential goes through munged and back, slurmctld answers, the
// node is idle, jobs of an ordinary user run, accounting knows them. Says what was proved, and only
// that. One thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

// One line for each thing proved.
[[nodiscard]] base::Result<std::vector<std::string>> smoke_test(const Plan& plan, Context& context);

}  // namespace sf::deploy
