// SPDX-License-Identifier: Apache-2.0
// Slurm in small whose munge no other version needs. Header only, as packages.hpp.
#pragma once

#include "support/packages.hpp"

namespace sf::test {

// As make_slurm(): zlib, munge 0.5.1<salt>, slurm; zlib is everybody's.
inline std::vector<BuiltPackage> make_slurm_with_own_munge(const std::filesystem::path& packages,
                                                           const std::string& version,
                                                           const std::string& salt) {
    std::vector<BuiltPackage> built = make_slurm(packages, version, salt);
    const std::string zlib = built[0].package.store_name();
    built[1] = make_package(packages, "munge", "0.5.1" + salt,
                            {{"lib/libmunge.so.2", "munge code " + salt}}, {zlib}, salt);
    const std::string munge = built[1].package.store_name();
    built[2] = make_package(
        packages, "slurm", version,
        {{"bin/srun", "srun " + version, true},
         {"lib/slurm/libmunge.so.2", "../../../" + munge + "/lib/libmunge.so.2", false, true}},
        {munge, zlib}, salt);
    return built;
}

}  // namespace sf::test
