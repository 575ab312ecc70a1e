// SPDX-License-Identifier: Apache-2.0
// The files of ours in a bundle: the installer with its helper and templates, and the modulefile.
#pragma once

#include <filesystem>
#include <vector>

#include "cli/session.hpp"
#include "model/toolchain.hpp"
#include "publish/bundle.hpp"

namespace sf::cli {

// From templates/slurm_assets of the data folder and slurm-setup beside this program.
// `hierarchy_compiler`: that of the root's record, if a module hierarchy is wanted; else empty.
[[nodiscard]] base::Result<std::vector<publish::BundleAsset>> bundle_assets(
    const Session& session, const std::string& version, const model::Toolchain& toolchain,
    const std::string& hierarchy_compiler = {});

// slurm-setup, the static helper beside this program.
[[nodiscard]] base::Result<std::filesystem::path> helper_path();

}  // namespace sf::cli
