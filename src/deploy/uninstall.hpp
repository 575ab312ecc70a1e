// SPDX-License-Identifier: Apache-2.0
// Takes back what the installer did, by its record: daemons stopped, units and files removed that
// nobody changed, the link to the version. Never secrets, state, databases, logs, users or the
// software: it says where they are. One thread.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"
#include "deploy/engine.hpp"

namespace sf::deploy {

// Of a tree that other hosts may run from as well.
struct SharedTree {
    // Why they may; empty: none is known of. If it is not empty the link is left: it is theirs.
    std::string why;
    // Takes this host's lease back, once its daemons have ended; empty: it keeps none.
    std::function<base::Status()> end_lease;
};

[[nodiscard]] base::Status uninstall(Context& context, bool dry_run, const SharedTree& shared = {});

}  // namespace sf::deploy
