// SPDX-License-Identifier: Apache-2.0
// A root as a tar: from what mmdebstrap wrote to the small, plain, reproducible archive that is
// kept, and from that to a tree. Only files, folders and links; no devices, no set-id bits, no
// attributes, all owned by root in the archive and by us on disk. Knows nothing of where roots are
// kept. No global state; one object's calls belong to one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace sf::sandbox {

struct RootContents {
    std::vector<std::string> packages;  // "name=version", sorted
    std::string compiler;               // "gcc 12.2.0-14+deb12u1"; empty if there is none
    std::string libc;                   // "glibc 2.36-9+deb12u13"
    std::uint64_t tree_bytes = 0;
};

// What of a path of the tar stays ("usr/bin/gcc", without "./"). Pure.
[[nodiscard]] bool root_keeps(std::string_view path);

// From dpkg's status file. Pure and total.
[[nodiscard]] RootContents contents_from_status(std::string_view status);

// Reads the tar open as `tar_fd`, writes the archive to `to`.
[[nodiscard]] base::Result<RootContents> pack_root(int tar_fd, const base::fs::path& to);

// Unpacks such an archive into `tree`, a new folder.
[[nodiscard]] base::Status unpack_root(const base::fs::path& archive, const base::fs::path& tree);

}  // namespace sf::sandbox
