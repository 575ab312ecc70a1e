// SPDX-License-Identifier: Apache-2.0
// Is a file made of a cache (docs/formats/offline.md) whole, and what somebody trusted signed? Its
// package is looked for as an installation does, then every object is read and compared, and what
// nothing signed names is refused, but for what the format says lies beside: so nothing is taken
// from it unseen. Changes nothing but what this machine remembers of the cache. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cache/backend.hpp"
#include "cache/closure.hpp"
#include "cache/offline_file.hpp"
#include "install/mirror_reader.hpp"

namespace sf::install {

struct OfflineVerified {
    cache::OfflineRecord record;  // compared with what is signed, but for the tool
    Resolved package;
    std::vector<cache::ClosureMirror> mirrors;
    std::vector<std::string> keys;  // fingerprints of public keys that lie beside; not believed
    bool has_revocations = false;
    std::size_t objects = 0;
    std::uint64_t bytes = 0;
};

// `options.mirror` is found out here.
[[nodiscard]] base::Result<OfflineVerified> verify_offline(cache::Backend& file,
                                                           const trust::Verifier& verifier,
                                                           const ReaderOptions& options,
                                                           base::Reporter& reporter);

// What the file says it is of, believed for nothing.
[[nodiscard]] base::Result<cache::OfflineRecord> read_offline_record(cache::Backend& file);

}  // namespace sf::install
