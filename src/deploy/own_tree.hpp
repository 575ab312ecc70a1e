// SPDX-License-Identifier: Apache-2.0
// The unpacked tree that this program lies in, proven to be what its manifest says before anything
// of it is used: first the manifest's signature where a key is named or the site has a trust file,
// then every file, link and folder. Looks only. Reading the real disk, it is not behind the seam.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"
#include "tree/tree_install.hpp"
#include "trust/verdict.hpp"

namespace sf::deploy {

struct OwnTree {
    std::filesystem::path top;
    model::Bundle bundle;
    std::string manifest_text;
    std::string manifest_signature;              // empty: there is none
    std::optional<trust::GoodSignature> signer;  // empty: not judged, see `notice`
    std::string notice;                          // what authenticity rests on
};

struct TrustRequest {
    std::string key;       // fingerprint as people paste it; empty: the site's trust file decides
    std::string key_file;  // its public part; empty: the trust folder's
};

// <top>/data/slurm_assets/<exact>/slurm-setup -> top and <exact>.
[[nodiscard]] base::Result<std::pair<std::filesystem::path, std::string>> locate_tree(
    const std::filesystem::path& helper);

// The manifest, and its signature.
[[nodiscard]] base::Result<OwnTree> open_tree(const std::filesystem::path& top,
                                              const std::string& version,
                                              const TrustRequest& trust);

// Every file below `top` that the manifest names, read; nothing more in the folders that are this
// version's alone. `owned`: what belongs to somebody else than root, or may be written by others,
// is refused too.
[[nodiscard]] base::Status verify_tree(const OwnTree& own, const std::filesystem::path& top,
                                       bool owned);

// Copies it to `prefix` as `bundle install` would.
[[nodiscard]] base::Result<tree::InstallReport> copy_tree(const OwnTree& own,
                                                          const std::filesystem::path& prefix);

}  // namespace sf::deploy
