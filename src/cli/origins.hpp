// SPDX-License-Identifier: Apache-2.0
// From a plan to what its packages were made from, file by file, by digest: recipes and patches of
// the data folder, archives of the folder of sources, the wrappers, the toolchain and its root. One
// thread.
#pragma once

#include "build/planner.hpp"
#include "cli/session.hpp"
#include "model/toolchain.hpp"
#include "publish/origin.hpp"

namespace sf::cli {

[[nodiscard]] base::Result<publish::Origins> origins_of(const Session& session,
                                                        const build::Plan& plan,
                                                        const model::RootRecord& root);

}  // namespace sf::cli
