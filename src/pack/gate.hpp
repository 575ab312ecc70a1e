// SPDX-License-Identifier: Apache-2.0
// The artefact gate: what stands between an installed prefix and an archive that may be signed. It
// normalises the tree in place (modes, absolute links into the prefix, RUNPATHs, the links that
// those go through), divides it into
// run, dev and dbg, and refuses what a package must not hold. Every finding of a tree is reported
// in one error, not only the first. Knows nothing of recipes: the engine hands over what they say.
// No process of the build may be alive. One thread for each tree.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::pack {

struct GateDependency {
    std::string name;  // of its link below dependency_links
    std::string store_name;
    std::filesystem::path path;  // its installed, gated tree on this machine
    bool direct = true;          // the recipe names it: libraries of others may not be asked for
};

struct GateDlopen {
    std::string files;  // glob below the prefix
    std::vector<std::string> sonames;
};

struct GateRequest {
    std::filesystem::path prefix;  // the installed tree on this machine
    std::string store_name;        // it was installed at <placeholder_root>/<store_name>
    std::vector<GateDependency> dependencies;  // runtime closure of the link dependencies
    std::filesystem::path root;                // the toolchain's, for the host's libraries
    std::vector<std::string>
        host_sonames;  // may come from the host, besides standard_host_sonames()
    std::vector<std::string> public_sonames;  // keep upstream's soname
    std::vector<GateDlopen> dlopens;
    std::vector<std::string> expected;                // paths or globs that must exist
    std::vector<std::string> placeholder_exceptions;  // files of the run part that may keep it
    std::uint16_t machine = 62;                       // EM_X86_64
    std::string interpreter = "/lib64/ld-linux-x86-64.so.2";
};

struct TextOffsets {  // a text file that names the build prefix, for the installer to rewrite
    std::string path;
    std::vector<std::uint64_t> offsets;  // of the placeholder root's first byte
};

struct GateReport {
    std::vector<model::FileEntry> run;  // each sorted by path, folders included
    std::vector<model::FileEntry> dev;
    std::vector<model::FileEntry> dbg;
    std::vector<std::string> sonames;  // provided by the run part, sorted
    std::vector<model::HostRequirement> host_requirements;
    std::vector<TextOffsets> dev_placeholders;
    std::vector<std::string> kept_placeholders;  // files let through by an exception
    std::vector<std::string> rewritten;          // ELF files whose RUNPATH was set, "path: runpath"

    // Fills files, sonames and host_requirements.
    void fill(model::Package& package) const;
};

// glibc and the compiler's runtime libraries: the distribution's by design.
[[nodiscard]] const std::vector<std::string>& standard_host_sonames();

[[nodiscard]] base::Result<GateReport> run_gate(const GateRequest& request);

}  // namespace sf::pack
