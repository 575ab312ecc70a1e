// SPDX-License-Identifier: Apache-2.0
// What a failed step left that tells why: config.log and the like, copied from the build folder to
// the run's logs before that folder is deleted. Knows nothing of packages. Safe against what
// upstream code may have planted there: links are not followed, only plain files are read, sizes
// and counts are capped. Nothing of the sandbox may be alive any more. One thread for each folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "base/result.hpp"

namespace sf::build {

struct EvidenceLimits {
    std::size_t files = 32;
    std::uint64_t file_bytes = std::uint64_t{8} << 20;  // the rest of a longer one is left out
};

// Copies to `logs`/found/<path below build_folder, '/' as '_'>; returns how many files. A build
// folder that is not there has none.
[[nodiscard]] base::Result<std::size_t> gather_evidence(const std::filesystem::path& build_folder,
                                                        const std::filesystem::path& logs,
                                                        const EvidenceLimits& limits = {});

}  // namespace sf::build
