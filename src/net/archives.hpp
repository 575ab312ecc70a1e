// SPDX-License-Identifier: Apache-2.0
// Where distributions keep their packages and source, found on this machine at run time: no address
// of an archive is ever written down in the program. Looked for in this order: what the caller
// gives, apt's configuration, that of prepared roots, debootstrap's scripts, mmdebstrap. Reads
// files and runs apt-get, once, when first asked; thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/synced.hpp"
#include "net/apt_sources.hpp"

namespace sf::net {

struct ArchiveOptions {
    using ByFamily = std::map<std::string, std::vector<std::string>>;  // "debian", "ubuntu"
    // Tried first: a site's own mirrors. The caller reads them from the environment.
    ByFamily given;
    ByFamily given_security;
    std::vector<std::filesystem::path> roots;  // prepared roots, unpacked
    // Releases of each family: addresses that carry one of them are of that family, whatever their
    // path; and debootstrap's scripts for them are asked.
    ByFamily releases;
    std::filesystem::path machine = "/";  // tests point elsewhere; elsewhere apt-get is not run
};

class ArchiveFinder {
public:
    explicit ArchiveFinder(ArchiveOptions options) : x_options(std::move(options)) {}

    // Addresses without trailing "/", without duplicates, best first; below each are "pool/" and
    // "dists/". Empty: none is known on this machine.
    [[nodiscard]] std::vector<std::string> archive_addresses(const std::string& family);
    [[nodiscard]] std::vector<std::string> security_addresses(const std::string& family);

private:
    struct Known {
        bool asked = false;
        ArchiveOptions::ByFamily archive;
        ArchiveOptions::ByFamily security;
    };
    void find(Known& known) const;
    void add(Known& known, const AptSource& source) const;
    void add_debootstrap(Known& known) const;

    ArchiveOptions x_options;
    base::Synced<Known> x_known;
};

}  // namespace sf::net
