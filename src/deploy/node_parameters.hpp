// SPDX-License-Identifier: Apache-2.0
// What a node of slurm.conf has: "CPUs=2 Boards=1 ... RealMemory=23000", memory in MiB. Knows
// nothing of plans. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sf::deploy {

// From what `slurmd -C` prints; memory a little less than found, because a node with less than
// configured is drained.
[[nodiscard]] base::Result<std::string> node_parameters_of(std::string_view slurmd_c);

// MiB; empty if the parameters do not say CPUs and RealMemory.
[[nodiscard]] std::string memory_per_cpu(std::string_view parameters);

}  // namespace sf::deploy
