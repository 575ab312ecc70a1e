// SPDX-License-Identifier: Apache-2.0
// Which of the x86-64 levels a processor has, by what Linux says of it. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace sf::model {

// The highest level of x86-64 that all of `flags` of /proc/cpuinfo allow: "x86_64", "x86_64_v2",
// "x86_64_v3", "x86_64_v4"; empty for other processors. `lzcnt_works`: found by trying, because
// some hypervisors hide this one feature (abm) of a processor that has it.
[[nodiscard]] std::string cpu_level(std::string_view cpuinfo, bool lzcnt_works = false);

// True if a processor of level `have` runs what was compiled for `wanted`.
[[nodiscard]] bool cpu_runs(std::string_view have, std::string_view wanted);

}  // namespace sf::model
