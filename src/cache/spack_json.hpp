// SPDX-License-Identifier: Apache-2.0
// A node as ordered JSON, for the files that hold nodes (the spec blob, the index). Apart from
// spack_node.hpp because of its heavy header; for .cpp files. Any thread.
#pragma once

#include "cache/json_text.hpp"
#include "cache/spack_node.hpp"

namespace sf::cache {

// With its hash, which has to be the right one.
[[nodiscard]] base::Result<OrderedJson> node_json(const SpackNode& node);

}  // namespace sf::cache
