// SPDX-License-Identifier: Apache-2.0
// A repository of Spack recipes of ours, for `spack repo add`: one package, slurm-factory, whose
// versions are the releases that our stacks pin, and each needs exactly that Slurm. Builtin's
// recipe has no such version, so Spack takes it from a cache or says that it cannot, where the bare
// name slurm may lead it to build another. It names nothing that builtin has: a repository that
// names slurm makes Spack ignore our binaries (ADR 0012). The same texts for Spack 1.0 and 1.1.
// Pure, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::cache {

// Of the folder that is given to `spack repo add`, below the one that is written.
inline constexpr std::string_view spack_repository_folder = "spack_repo/slurm_factory";
inline constexpr std::string_view spack_repository_package = "slurm-factory";

struct SpackRepositoryFile {
    std::filesystem::path path;  // below the folder that is written
    std::string text;
};

// `versions`: exact releases of Slurm, newest first. Code::refused for what is none.
[[nodiscard]] base::Result<std::vector<SpackRepositoryFile>> spack_repository(
    const std::vector<std::string>& versions);

}  // namespace sf::cache
