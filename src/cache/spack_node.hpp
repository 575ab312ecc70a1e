// SPDX-License-Identifier: Apache-2.0
// One node of a Spack spec (specfile version 5) and the hashes Spack names it by. What a node must
// be like to be taken by a stock Spack is in docs/spack-interop.md; which of our packages become
// which nodes, spack_mapping.hpp knows. Plain values, any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace sf::cache {

struct SpackDependency {
    std::string name;
    std::string hash;
    std::vector<std::string> deptypes;  // of build, link, run, test, in this order
    std::vector<std::string> virtuals;  // what it provides to the dependant: "libc"
    bool operator==(const SpackDependency&) const = default;
};

using SpackParameter = std::variant<bool, std::string, std::vector<std::string>>;

struct SpackNode {
    std::string name;
    std::string version;
    std::string platform_os;  // "debian12"
    std::string target;       // "x86_64_v3"
    std::string space = "builtin";
    // Variants, `build_system` among them. The six lists of compiler flags are always empty and
    // not held.
    std::map<std::string, SpackParameter> parameters;
    std::string external_path;                  // "/usr"; empty: not external
    std::optional<base::Digest> identity;       // as package_hash; what is not external has one
    std::vector<SpackDependency> dependencies;  // sorted by name
    std::string hash;                           // what seal() computes
    bool operator==(const SpackNode&) const = default;
};

// Checks every field and sets `hash` from the others.
[[nodiscard]] base::Result<SpackNode> seal(SpackNode node);

// The node's compact JSON, with its hash.
[[nodiscard]] base::Result<std::string> node_text(const SpackNode& node);
// A parsed node; refused unless its fields are sound and its hash is the right one. Members that a
// SpackNode does not hold are passed over here: whoever reads a file compares texts.
[[nodiscard]] base::Result<SpackNode> node_from_json(const base::Json& json);

// Our identity as Spack's package_hash, "<52 characters>====", and back.
[[nodiscard]] std::string package_hash(const base::Digest& identity);
[[nodiscard]] base::Result<base::Digest> identity_of(std::string_view package_hash);

}  // namespace sf::cache
