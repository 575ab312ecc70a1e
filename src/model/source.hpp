// SPDX-License-Identifier: Apache-2.0
// Bytes from outside that a build needs, known by digest. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/digest.hpp"

namespace sf::model {

// One place that may hold the bytes: a full URL, or a path in a distribution's archive whose
// address is found at run time.
struct Place {
    std::string url;      // empty if `archive` is set
    std::string archive;  // "debian" | "ubuntu"
    std::string
        pool;  // below <archive>/pool/, for instance "main/m/munge/munge_0.5.16.orig.tar.gz"
};

struct SourceFile {
    std::string file;  // a plain file name; its ending tells the format
    base::Digest sha256;
    std::uint64_t size = 0;  // bytes; 0: not known
    std::vector<Place> places;
};

}  // namespace sf::model
