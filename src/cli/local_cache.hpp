// SPDX-License-Identifier: Apache-2.0
// --local-cache DIR: before a build, packages that the store lacks are taken from a folder that
// machines share, if somebody trusted here signed them; after it, the packages of the build that
// the folder lacks are signed and put there. What is wrong in the folder is said and not used: the
// package is then built. Used by build-slurm.
#pragma once

#include <filesystem>

#include "build/engine.hpp"
#include "cli/session.hpp"
#include "trust/signer.hpp"

namespace sf::cli {

// Checks, before an hour of building, that the folder can be written to, then takes from it, unless
// `take` is false: what is found then is only added to.
[[nodiscard]] base::Status open_local_cache(Session& session, const build::Plan& plan,
                                            const std::filesystem::path& folder, bool take);

[[nodiscard]] base::Status put_into_local_cache(Session& session, const build::BuildReport& report,
                                                const std::filesystem::path& folder,
                                                const trust::Signer& signer);

}  // namespace sf::cli
