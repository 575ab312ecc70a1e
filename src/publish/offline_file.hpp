// SPDX-License-Identifier: Apache-2.0
// One package of a signed cache, with all it is installed with, as one file for machines without a
// network (docs/formats/offline.md): what the cache holds, byte by byte, each object compared with
// its digest on the way, and the publisher's signatures. The same cache gives the same file. Signs
// nothing; does not decide what belongs to it (cache/closure.hpp). One thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/stream.hpp"
#include "cache/backend.hpp"
#include "cache/closure.hpp"
#include "cache/offline_file.hpp"

namespace sf::publish {

struct OfflineContents {
    const cache::Closure* closure = nullptr;  // borrowed
    // Beside it: the list of revocations, public keys; by key.
    std::map<std::string, std::string> texts;
    std::filesystem::path tool;  // an archive; its signature, if there is one, lies beside it
    std::filesystem::path work;  // a private folder for objects on their way
};

struct OfflineReport {
    cache::OfflineRecord record;
    std::size_t objects = 0;
    std::uint64_t bytes = 0;  // of them
};

// `place`: what the closure was read from.
[[nodiscard]] base::Result<OfflineReport> write_offline(cache::Backend& place,
                                                        const OfflineContents& contents,
                                                        base::Sink& sink);

}  // namespace sf::publish
