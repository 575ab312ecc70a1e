// SPDX-License-Identifier: Apache-2.0
// The verbs of `cache`, one function and one file each: it adds its subcommand to the group.
#pragma once

#include "cli/session.hpp"

namespace sf::cli {

void add_cache_verify(CLI::App& group, Session& session);
void add_cache_refresh(CLI::App& group, Session& session);
void add_cache_mirror(CLI::App& group, Session& session);
void add_cache_index(CLI::App& group, Session& session);
void add_cache_push(CLI::App& group, Session& session);
void add_cache_prune(CLI::App& group, Session& session);

}  // namespace sf::cli
