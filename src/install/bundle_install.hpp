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

[[nodiscard]] base::Result<InstallReport> install_bundle(const VerifiedBundle& verified,
                                                         const std::filesystem::path& prefix,
                                                         const InstallOptions& options = {});

}  // namespace sf::install
