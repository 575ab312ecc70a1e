// SPDX-License-Identifier: Apache-2.0
// The part of `doctor` that is about running, not building: what the distribution must bring for
// what is installed here, and for what was built here for machines like this one. Looks only, but
// for asking the Perl of this machine for a module.
#pragma once

#include <string>
#include <vector>

#include "cli/machine.hpp"
#include "tree/host_libraries.hpp"

namespace sf::cli {

// `prefix`: what --prefix said; empty: the default one, if there is anything.
[[nodiscard]] std::vector<Check> check_libraries(Session& session, const recipe::Catalog& catalog,
                                                 const std::string& prefix,
                                                 tree::LibraryFiles& files, PackageManager manager,
                                                 bool as_root);

}  // namespace sf::cli
