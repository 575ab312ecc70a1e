// SPDX-License-Identifier: Apache-2.0
// The module files of a bundle: the plain one, and with --enable-hierarchy those that Lmod shows
// compiler first: Core/gcc/<version>, then gcc/<version>/slurm/<exact>-<toolchain>. They find their
// tree from their own place. The compiler is the toolchain's. Pure but for reading templates.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/toolchain.hpp"
#include "publish/bundle.hpp"

namespace sf::cli {

struct ModuleNames {
    std::string version;  // of Slurm, exact
    const model::Toolchain& toolchain;
};

// `templates`: templates/slurm_assets.
[[nodiscard]] base::Result<std::vector<publish::BundleAsset>> module_files(
    const std::filesystem::path& templates, const ModuleNames& names);

// `compiler`: of the root's record, "gcc 12.2.0-14+deb12u1".
[[nodiscard]] base::Result<std::vector<publish::BundleAsset>> module_hierarchy(
    const std::filesystem::path& templates, const ModuleNames& names, const std::string& compiler);

}  // namespace sf::cli
