// SPDX-License-Identifier: Apache-2.0
// Puts a package from a cache into a prefix with all it needs, or changes nothing that anybody can
// see. Only what the prefix lacks is fetched, several at once: each archive goes whole into a
// private file, is compared with the digest that the signed manifest names, and is unpacked from
// that file; then as tree/tree_install.hpp says. One thread; it starts others and joins them.
#pragma once

#include <filesystem>

#include "install/bundle_install.hpp"
#include "install/mirror_reader.hpp"

namespace sf::install {

struct CacheMirrors {
    cache::Backend* main = nullptr;  // where the package itself is
    cache::Backend* dependencies = nullptr;
    unsigned connections = 8;  // at once
};

struct FetchReport {
    std::uint64_t bytes = 0;
    std::size_t archives = 0;
};

[[nodiscard]] base::Result<InstallReport> install_from_cache(const Resolved& resolved,
                                                             const CacheMirrors& mirrors,
                                                             const std::filesystem::path& prefix,
                                                             const InstallOptions& options,
                                                             FetchReport& fetched);

}  // namespace sf::install
