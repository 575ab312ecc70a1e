// SPDX-License-Identifier: Apache-2.0
// A gated tree as its archives: run.tar.zst, and dev.tar.zst and dbg.tar.zst where there is
// something to put in them. The top folder in each is the store name, so that all of them unpack
// into one store. Each appears whole or not at all. One thread for each package.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "model/manifest.hpp"
#include "pack/gate.hpp"

namespace sf::pack {

struct PackageArchives {
    model::ArchiveRecord run;
    std::optional<model::ArchiveRecord> dev;
    std::optional<model::ArchiveRecord> dbg;
};

// Fails if a file is not any more what the gate saw: digests are compared while writing. `level` is
// zstd's for the run part; 0: a good middle of time and size.
[[nodiscard]] base::Result<PackageArchives> write_package(const std::filesystem::path& prefix,
                                                          const std::string& store_name,
                                                          const GateReport& report,
                                                          const std::filesystem::path& directory,
                                                          int level = 0, std::int64_t mtime = 0);

}  // namespace sf::pack
