// SPDX-License-Identifier: Apache-2.0
// From a finished build to the bundle people carry: closure, archive, signatures, the seed's names.
#pragma once

#include "build/engine.hpp"
#include "cli/session.hpp"
#include "trust/signer.hpp"

namespace sf::cli {

// Writes builds/<toolchain>/<series>/slurm-<exact>-….tar.gz with .asc and .sha256, and the alias
// builds/slurm-<series>-<toolchain>-software.tar.gz. If the bundle of these very packages is there
// and signed by this key, nothing is done.
[[nodiscard]] base::Status make_signed_bundle(Session& session, const build::Plan& plan,
                                              const build::BuildReport& report,
                                              const model::Toolchain& toolchain,
                                              const trust::Signer& signer);

}  // namespace sf::cli
