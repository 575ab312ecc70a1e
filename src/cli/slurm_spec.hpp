// SPDX-License-Identifier: Apache-2.0
// "slurm@25.11", as commands take it that read a cache: a series or an exact version. Any thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "install/mirror_reader.hpp"

namespace sf::cli {

// Name and version of the query; Code::usage for anything else.
[[nodiscard]] base::Result<install::Query> slurm_spec(const std::string& text);

}  // namespace sf::cli
