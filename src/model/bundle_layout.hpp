// SPDX-License-Identifier: Apache-2.0
// Where things are inside a bundle and inside a prefix a bundle was installed to: the one place
// that makes these names (docs/formats/bundle.md). Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::model {

inline constexpr std::string_view bundle_store_folder = "store";
inline constexpr std::string_view bundle_views_folder = "views";
inline constexpr std::string_view bundle_manifests_folder = "manifests";
inline constexpr std::string_view bundle_view_link = "view";  // to the view installed last
inline constexpr std::string_view bundle_assets_folder = "data/slurm_assets";
inline constexpr std::string_view bundle_modules_folder = "modules/slurm";
inline constexpr std::string_view bundle_hierarchy_folder = "lmod";  // module files as a hierarchy
// Among the assets of one version; the links below point to these.
inline constexpr std::string_view installer_name = "slurm_install.sh";
inline constexpr std::string_view helper_name = "slurm-setup";
inline constexpr std::string_view modulerc_name = "modulerc.lua";
inline constexpr std::string_view hierarchy_name = "hierarchy";  // a folder: each file in it is
                                                                 // linked from lmod/

[[nodiscard]] std::string bundle_store_path(std::string_view store_name);  // "store/<store name>"
[[nodiscard]] std::string bundle_view_path(std::string_view version);      // "views/<exact>"
[[nodiscard]] std::string bundle_manifest_path(
    std::string_view version);  // "manifests/<exact>.json"
[[nodiscard]] std::string bundle_manifest_signature_path(std::string_view version);

[[nodiscard]] std::string bundle_assets_path(
    std::string_view version);  // data/slurm_assets/<exact>
[[nodiscard]] std::string bundle_modulefile_path(std::string_view version,
                                                 std::string_view toolchain);

// The links that belong to the version installed last, at paths that all versions share: the
// view's, and those of the installer, of the modules' defaults and of the module hierarchy where
// the bundle brings them. The view's is the last.
[[nodiscard]] std::vector<FileEntry> bundle_links(const Bundle& bundle);

// "" if `path` is where an asset of this bundle may be, else the rule that it breaks.
[[nodiscard]] std::string asset_violation(const Bundle& bundle, std::string_view path);

// Every entry of a bundle except the folder manifests/, sorted by path, folders included. Two
// things at one path, or a thing below a file, are Code::corrupt.
[[nodiscard]] base::Result<std::vector<FileEntry>> bundle_tree(const Bundle& bundle);

// "" if `found` is what `expected` describes, else what is different, for a message.
[[nodiscard]] std::string entry_difference(const FileEntry& expected, const FileEntry& found);

}  // namespace sf::model
