// SPDX-License-Identifier: Apache-2.0
// One package of a mirror, brought whole: run, dev and dbg, as a build would have left it. What is
// signed of it was judged before (MirrorReader::offer); here each archive is compared with the
// digest and the length that were signed, and not a byte is unpacked before they fit. Any thread,
// several at once.
#pragma once

#include <filesystem>

#include "cache/cached_package.hpp"
#include "install/mirror_reader.hpp"

namespace sf::install {

// Into the empty private folder `into`. Code::corrupt: other bytes than were signed, or an archive
// that the mirror names and does not have.
[[nodiscard]] base::Result<cache::CachedPackage> fetch_offer(cache::Backend& mirror,
                                                             const PackageOffer& offer,
                                                             const std::filesystem::path& into);

// Bytes that fetch_offer() asks for.
[[nodiscard]] std::uint64_t size_of(const PackageOffer& offer);

}  // namespace sf::install
