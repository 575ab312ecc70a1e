// SPDX-License-Identifier: Apache-2.0
// Whoever replaces what others replace as well does it on the condition that nobody has changed it
// meanwhile. Some S3 servers take conditions and write all the same: nothing is written there
// (docs/adr/0024-buckets-without-conditions.md).
#pragma once

#include "base/result.hpp"
#include "cache/backend.hpp"

namespace sf::publish {

// Code::refused: it writes without the conditions that it was asked to write on. Asked before
// anything is sent; found out by trying, once for a backend.
[[nodiscard]] base::Status check_conditions(cache::Backend& place);

}  // namespace sf::publish
