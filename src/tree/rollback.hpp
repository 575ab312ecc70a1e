// SPDX-License-Identifier: Apache-2.0
// Back to what was installed before: the same transaction as an installation, filled from what the
// prefix itself keeps. Daemons and jobs that run go on with the files they have open. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "tree/generations.hpp"
#include "tree/tree_install.hpp"

namespace sf::tree {

// The generation before the current one; Code::absent: there is none, or nothing is current.
[[nodiscard]] base::Result<std::uint64_t> generation_before(const std::filesystem::path& prefix);

// Makes `number` the current one. Code::absent: it, or a package of it, is there no more.
[[nodiscard]] base::Result<InstallReport> return_to_generation(const std::filesystem::path& prefix,
                                                               std::uint64_t number,
                                                               InstallOptions options = {});

}  // namespace sf::tree
