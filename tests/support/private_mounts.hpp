// SPDX-License-Identifier: Apache-2.0
// Mounts of this process alone, and of what it starts, so that nothing is left of them. Header
// only, because the reliability suites do not link the library. One thread.
#pragma once

#include <sys/mount.h>

#include <sched.h>

namespace sf::test {

// From here on mounts are private. False: this process may not; it needs root.
[[nodiscard]] inline bool make_mounts_private() {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace sf::test
