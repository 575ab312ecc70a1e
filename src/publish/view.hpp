// SPDX-License-Identifier: Apache-2.0
// What the view of a bundle holds: programs by a link to each file, data likewise, and the
// libraries of the main package as one whole folder. A shared object is never reached through a
// link to the file itself: $ORIGIN follows the name it was opened by, so it would not find its
// neighbours. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::publish {

// `packages`: those whose programs appear, the main one first. Two packages with a program of one
// name are an error; of data at one path the first package's is taken. Paths are relative to
// views/<exact>, sorted.
[[nodiscard]] base::Result<std::vector<model::FileEntry>> plan_view(
    const std::vector<const model::Package*>& packages);

}  // namespace sf::publish
