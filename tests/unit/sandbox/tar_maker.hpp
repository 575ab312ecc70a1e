// SPDX-License-Identifier: Apache-2.0
// Writes a tar such as mmdebstrap might, for tests: a tiny root with what must be kept, what must
// be dropped and what must be changed.
#pragma once

#include <string>
#include <vector>

#include "base/files.hpp"

namespace sf::sandbox {

struct TarEntry {
    std::string path;
    char type = 'f';      // f file, d folder, l symlink, h hard link, c device, p pipe
    std::string content;  // or target
    unsigned mode = 0644;
    long mtime = 1500000000;
    unsigned uid = 0;
};

void write_tar(const base::fs::path& file, const std::vector<TarEntry>& entries);

[[nodiscard]] std::vector<TarEntry> tiny_root();

}  // namespace sf::sandbox
