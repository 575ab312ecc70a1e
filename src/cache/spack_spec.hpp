// SPDX-License-Identifier: Apache-2.0
// A concrete spec as Spack has it: the root and all it depends on, and the spec blob's text
// (`.spack/spec.json` in an archive is the same text). The reader is total and strict: it computes
// every hash again, and takes only what would be written the same. Plain values, any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cache/spack_node.hpp"

namespace sf::cache {

struct SpackSpec {
    std::vector<SpackNode> nodes;  // the root, then its dependencies in preorder, each once
    [[nodiscard]] const SpackNode& root() const { return nodes.front(); }
    bool operator==(const SpackSpec&) const = default;
};

// `root` and what it reaches of `pool`; Code::failed for a dependency that the pool lacks.
[[nodiscard]] base::Result<SpackSpec> spec_of(const SpackNode& root,
                                              std::span<const SpackNode> pool);

[[nodiscard]] base::Result<std::string> to_json(const SpackSpec& spec);
// Code::corrupt for another text than to_json() makes: hashes that do not fit, nodes missing,
// twice, in another order or not of this spec, cycles, members not known.
[[nodiscard]] base::Result<SpackSpec> spack_spec_from_json(std::string_view text);

}  // namespace sf::cache
