// SPDX-License-Identifier: Apache-2.0
// The levels of x86-64 that are compiled for (x86-64 psABI, "Micro-Architecture Levels"), as flags
// of a compiler. Pure, any thread.
#pragma once

#include <string>

#include "base/result.hpp"

namespace sf::build {

// Code::usage for a target that is not known, with a list of those that are.
[[nodiscard]] base::Status check_target(const std::string& target);

// The flags of a known target. `compiler`: of the root's record, "gcc 12.2.0-14+deb12u1". GCC knows
// the levels by name since 11; one that is older is told their instructions one by one. Empty:
// the root is not made yet, the plan is only to be shown.
[[nodiscard]] base::Result<std::string> target_flags(const std::string& target,
                                                     const std::string& compiler);

}  // namespace sf::build
