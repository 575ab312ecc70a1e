// SPDX-License-Identifier: Apache-2.0
// From packages of ours to nodes of Spack's: names, edges, variants with their true values, and
// which packages lie inside another's prefix because builtin's Slurm may not depend on them
// (ADR 0012). Everything is taken from the packages' manifests. Pure, any thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cache/spack_spec.hpp"
#include "model/manifest.hpp"

namespace sf::cache {

struct SpackPackage {
    std::string store_name;  // of our package
    SpackNode node;
    // In namespace slurm_factory: nothing of builtin's depends on it, and it stays out of the
    // index. It has a node so that it has a signed manifest, for our own client.
    bool kept_private = false;
    // Store names of the private packages it needs, at any depth; sorted. They lie in its prefix.
    std::vector<std::string> bundled;
};

struct SpackMapping {
    SpackNode libc;                      // the one external node
    std::vector<SpackPackage> packages;  // dependencies first
    // The spec of one of them. Code::absent: there is none of this store name.
    [[nodiscard]] base::Result<SpackSpec> spec_of(const std::string& store_name) const;
};

// `closure`: packages of one toolchain and target, dependencies first, everything they need among
// them. `libc`: the root's record ("glibc 2.36-9+deb12u10"). Code::refused for a package that
// builtin's Slurm may not depend on and that is not known to be kept private.
[[nodiscard]] base::Result<SpackMapping> map_to_spack(std::span<const model::Package> closure,
                                                      const std::string& libc);

// "glibc 2.36-9+deb12u10" -> "2.36"
[[nodiscard]] base::Result<std::string> libc_version(const std::string& libc);

}  // namespace sf::cache
