// SPDX-License-Identifier: Apache-2.0
// Puts a verified bundle into a prefix, or changes nothing that anybody can see: unpacked from the
// descriptor that was verified, then as tree/tree_install.hpp says. One thread.
#pragma once

#include <filesystem>

#include "install/bundle_verify.hpp"
#include "tree/tree_install.hpp"

namespace sf::install {

using tree::InstallOptions;
using tree::InstallReport;

// The tree alone, into an empty folder, from the descriptor that was verified; what it made, with
// each file's digest. Nothing is synced; after an error the caller deletes what is there.
[[nodiscard]] base::Result<std::vector<model::FileEntry>> unpack_bundle(
    const VerifiedBundle& verified, const std::filesystem::path& folder);

[[nodiscard]] base::Result<InstallReport> install_bundle(const VerifiedBundle& verified,
                                                         const std::filesystem::path& prefix,
                                                         const InstallOptions& options = {});

}  // namespace sf::install
