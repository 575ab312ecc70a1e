// SPDX-License-Identifier: Apache-2.0
// Where this machine's archives of distributions are, as the command line, the environment,
// prepared roots and the catalog's toolchains tell: what net::ArchiveFinder starts from.
#pragma once

#include <string>
#include <vector>

#include "cli/session.hpp"
#include "net/archives.hpp"

namespace sf::cli {

// Given by a person for one family; tried before everything else.
struct GivenMirrors {
    std::string family;  // "debian" | "ubuntu"
    std::vector<std::string> archive;
    std::vector<std::string> security;
};

// The environment is read too: SLURM_FACTORY_DEBIAN_MIRROR, SLURM_FACTORY_DEBIAN_SECURITY_MIRROR
// and the same for UBUNTU, each a list of addresses separated by spaces.
[[nodiscard]] net::ArchiveOptions archive_options(Session& session, const recipe::Catalog& catalog,
                                                  const GivenMirrors& given = {});

}  // namespace sf::cli
