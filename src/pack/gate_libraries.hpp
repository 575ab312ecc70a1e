// SPDX-License-Identifier: Apache-2.0
// The second half of the gate: where each library that a package's ELF files ask for comes from,
// answered from the trees themselves and never by ld.so, and the RUNPATH that follows. Reads, and
// changes nothing. One thread for each package.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "pack/gate.hpp"
#include "pack/gate_layout.hpp"

namespace sf::pack {

// The shared libraries of one tree by the name they are opened by: the folders that hold it. Names
// that are links count only if the file is in the same folder: $ORIGIN is that of the name opened.
using LibraryNames = std::map<std::string, std::set<std::string>, std::less<>>;

[[nodiscard]] LibraryNames library_names(const Tree& tree);
[[nodiscard]] base::Result<LibraryNames> library_names(const std::filesystem::path& prefix);

// Libraries of the toolchain's root, found as the distribution's loader would.
class HostLibraries {
public:
    HostLibraries(std::filesystem::path root, std::uint16_t machine);
    [[nodiscard]] std::optional<std::filesystem::path> find(std::string_view soname) const;

private:
    std::filesystem::path x_root;
    std::vector<std::string> x_folders;
};

// Below a package's prefix: a link to the folder of each dependency whose libraries its files load,
// by name. RUNPATHs go through them, so that ELF files are the same wherever dependencies lie
// (docs/formats/package.md).
inline constexpr std::string_view dependency_links = ".sf/deps";

enum class Origin { own, dependency, host };

struct Provider {
    Origin origin = Origin::host;
    std::size_t dependency = 0;  // index into the request's
    std::string folder;          // below the prefix
    std::filesystem::path file;
};

class Resolver {
public:
    [[nodiscard]] static base::Result<Resolver> create(const GateRequest& request,
                                                       const Tree& tree);

    // Who provides `soname`, or the finding in words.
    [[nodiscard]] tl::expected<Provider, std::string> find(const std::string& soname) const;

    // The shortest RUNPATH by which a file in `folder` (below the prefix) finds these.
    [[nodiscard]] std::string runpath(const std::string& folder,
                                      const std::vector<Provider>& providers) const;

    // Everything the package's files load, theirs and so on: no soname may come both from a package
    // of ours and, for a host library's sake, from the host.
    [[nodiscard]] base::Status check_overlap(const std::vector<std::string>& needed,
                                             Findings& findings) const;

    [[nodiscard]] const HostLibraries& host() const { return x_host; }

private:
    Resolver(const GateRequest& request, const Tree& tree);
    const GateRequest& x_request;
    LibraryNames x_own;
    std::vector<LibraryNames> x_dependencies;
    std::set<std::string, std::less<>> x_host_sonames;
    HostLibraries x_host;
};

}  // namespace sf::pack
