// SPDX-License-Identifier: Apache-2.0
// What the manifest of a bundle may not say, signed or not. Pure, any thread.
#pragma once

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::model {

// What a signed manifest may still not say: names outside, links to other packages than those a
// package depends on, dependencies that are not there, links in a view to anything but the store.
[[nodiscard]] base::Status check_bundle(const Bundle& bundle);

}  // namespace sf::model
