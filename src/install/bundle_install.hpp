// SPDX-License-Identifier: Apache-2.0
// Puts a verified bundle into a prefix, or changes nothing that anybody can see: unpacked into
// <prefix>/.sf-stage/<random>, every file compared with the signed manifest, made durable, then
// renamed into place: packages, view, manifest, and the link to the view last. Packages that are
// there already are kept; other versions are not touched. One thread; processes installing to one
// prefix wait for each other, but correctness rests on renames.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "install/bundle_verify.hpp"

namespace sf::install {

struct InstallOptions {
    bool switch_view = true;        // point <prefix>/view to this version
    std::function<void()> waiting;  // another installation is at work in this prefix
    std::function<base::Status(std::string_view step)> on_step;  // before each; an error stops
};

struct InstallReport {
    std::filesystem::path prefix;        // resolved
    std::vector<std::string> installed;  // store names
    std::vector<std::string> kept;
    bool changed = false;  // false: everything was there already
};

[[nodiscard]] base::Result<InstallReport> install_bundle(const VerifiedBundle& verified,
                                                         const std::filesystem::path& prefix,
                                                         const InstallOptions& options = {});

}  // namespace sf::install
