// SPDX-License-Identifier: Apache-2.0
// Compressed streams over zstd, gzip, xz and bzip2, so that the rest sees plain bytes. Compressing
// is deterministic: one thread, no names or times in headers. Knows nothing of tar. One thread
// each.
#pragma once

#include <cstdint>
#include <memory>

#include "base/stream.hpp"
#include "pack/archive_reader.hpp"

namespace sf::pack {

class Compressor : public base::Sink {
public:
    // zstd, gzip or none; level 0 is the default of each.
    [[nodiscard]] static base::Result<std::unique_ptr<Compressor>> create(base::Sink& to,
                                                                          Compression compression,
                                                                          int level);
    virtual base::Status finish() = 0;  // writes the end; nothing may follow
};

class Decompressor : public base::Source {
public:
    // Reads with pread from offset 0 and decompresses once: what comes out is not looked into for
    // further compression. More than `ratio` bytes for each byte of the file is refused.
    [[nodiscard]] static base::Result<std::unique_ptr<Decompressor>> open(const ArchiveInput& input,
                                                                          std::uint64_t ratio);
    // After the end was read: nothing may be left in the file behind the compressed stream.
    [[nodiscard]] virtual base::Status check_end() = 0;
};

}  // namespace sf::pack
