// SPDX-License-Identifier: Apache-2.0
// What is true of Spack's own recipes (`builtin`), as data: which packages its Slurm may depend on,
// by which build systems they are made, and what Spack calls a toolchain's operating system. The
// same for Spack 1.0 and 1.1 (docs/spack-interop.md, section 4). Pure, any thread.
#pragma once

#include <optional>
#include <string_view>

namespace sf::cache {

// The value of `build_system` that builtin's recipe has for a package that its Slurm may depend on,
// for Slurm itself and for glibc; nullopt: a node of this name cannot be below Slurm's.
[[nodiscard]] std::optional<std::string_view> builtin_build_system(std::string_view name);

// Packages of ours that are no possible dependency of builtin's Slurm: in Spack's form they lie
// inside the prefix of what depends on them to run. Whatever is neither here nor known above is
// refused.
[[nodiscard]] bool is_private_to_spack(std::string_view name);

// "bookworm" -> "debian12", as Spack detects it there; nullopt: a toolchain we do not know.
[[nodiscard]] std::optional<std::string_view> spack_platform_os(std::string_view toolchain);

}  // namespace sf::cache
