// SPDX-License-Identifier: Apache-2.0
// Waiting for what another process is to do, bounded by the host's clock and not by a number of
// turns: a question put to a daemon that hangs takes as long as the asker lets it. One thread.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/result.hpp"
#include "base/stop.hpp"
#include "deploy/host.hpp"

namespace sf::deploy {

// Asks `done` until it says true, or `patience` is over: false then. `done` is told how long it may
// take, never less than a second, and is asked once at least. It returns base::Result<bool>; its
// errors, and a request to stop, end the waiting. Between two questions nothing is done for a
// quarter of a second.
template <class Done>
[[nodiscard]] base::Result<bool> await(Host& host, std::chrono::seconds patience, Done done) {
    constexpr std::chrono::milliseconds pause{250};
    constexpr std::chrono::milliseconds least{1000};
    const auto end = host.now() + patience;
    for (auto now = host.now();; now = host.now()) {
        SF_CHECK(base::check_stop());
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - now);
        SF_TRY(const bool yes, done(std::max(least, left)));
        if (yes) return true;
        if (host.now() >= end) return false;
        host.sleep(pause);
    }
}

}  // namespace sf::deploy
