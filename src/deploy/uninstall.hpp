// SPDX-License-Identifier: Apache-2.0
// Takes back what the installer did, by its record: daemons stopped, units and files removed that
// nobody changed, the link to the version. Never secrets, state, databases, logs, users or the
// software: it says where they are. In a tree that other hosts run from (`shared` says why; empty:
// none is known of) the link stays too: it is theirs. One thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "deploy/engine.hpp"

namespace sf::deploy {

[[nodiscard]] base::Status uninstall(Context& context, bool dry_run,
                                     const std::string& shared = {});

}  // namespace sf::deploy
