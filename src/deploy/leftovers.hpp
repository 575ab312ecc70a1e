// SPDX-License-Identifier: Apache-2.0
// What a call that was killed has left in /run: private files and folders of questions to the
// database, with its password, whole or not yet. Whoever makes one holds the installer's lock; so,
// with the lock held, all that is there is of the dead. One thread.
#pragma once

#include "base/log.hpp"
#include "deploy/host.hpp"

namespace sf::deploy {

// What cannot be removed is told, and is no reason not to go on.
void remove_leftovers(Host& host, base::Reporter& reporter);

}  // namespace sf::deploy
