// SPDX-License-Identifier: Apache-2.0
// From a finished build to the bundle people carry: closure, archive, signatures, the seed's names.
#pragma once

#include "build/engine.hpp"
#include "cli/session.hpp"
#include "publish/bundle.hpp"
#include "trust/signer.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct BundleWishes {
    bool gpu = false;        // GPU plugins are a requirement
    bool hierarchy = false;  // module files as a hierarchy, too
};

// --gpu, --enable-hierarchy
void add_bundle_wishes(CLI::App& app, BundleWishes& wishes);

struct MadeBundle {
    std::filesystem::path path;
    std::filesystem::path alias;
    std::string signer;    // fingerprint
    bool written = false;  // false: it was there
    std::string manifest;  // its text
    std::vector<publish::BundleAsset> assets;
    publish::Origins origins;
};

// Writes builds/<toolchain>/<series>/slurm-<exact>-….tar.gz with its papers, and the alias
// builds/slurm-<series>-<toolchain>-software.tar.gz. If the bundle of these very packages is there
// and signed by this key, nothing is done.
[[nodiscard]] base::Result<MadeBundle> make_signed_bundle(Session& session, const build::Plan& plan,
                                                          const build::BuildReport& report,
                                                          const model::Toolchain& toolchain,
                                                          const model::RootRecord& root,
                                                          const trust::Signer& signer,
                                                          const BundleWishes& wishes);

// Where it is and what to do with it.
void say_bundle(Session& session, const MadeBundle& made);

}  // namespace sf::cli
