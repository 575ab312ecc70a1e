// SPDX-License-Identifier: Apache-2.0
// The logs that a sandbox left, copied to where people find them. What is in that folder was made
// by code of upstream: nothing is followed, only plain files are read, counts and sizes are capped.
// Nothing of the sandbox may be alive any more. One thread for each folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace sf::proof {

struct KeptLimits {
    std::size_t files = 32;
    std::uint64_t file_bytes = std::uint64_t{8} << 20;  // the beginning of a longer one is left out
};

// Copies <state>/<folder>/*.log to `to`, which is made; returns how many.
[[nodiscard]] base::Result<std::size_t> keep_logs(const std::filesystem::path& state,
                                                  const std::string& folder,
                                                  const std::filesystem::path& to,
                                                  const KeptLimits& limits = {});

// The last lines of a text file of ours, escaped and indented, for a message; "" if there is none.
[[nodiscard]] std::string last_lines(const std::filesystem::path& file, std::size_t count);

}  // namespace sf::proof
