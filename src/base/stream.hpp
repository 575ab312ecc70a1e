// SPDX-License-Identifier: Apache-2.0
// Bytes in flight: a Sink takes them, a Source gives them. Large data passes through these in
// pieces; nothing in the program holds a whole archive in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.hpp"

namespace sf::base {

using Bytes = std::span<const std::byte>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

class Sink {
public:
    virtual ~Sink() = default;
    // Takes all of `bytes` or fails; after a failure the sink is not used again.
    virtual Status write(Bytes bytes) = 0;
};

class Source {
public:
    virtual ~Source() = default;
    // Fills at most `room`; 0 means the end.
    virtual Result<std::size_t> read(std::span<std::byte> room) = 0;
};

// Copies to the end. Returns the number of bytes.
[[nodiscard]] Result<std::size_t> copy(Source& from, Sink& to);

}  // namespace sf::base
