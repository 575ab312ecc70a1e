// SPDX-License-Identifier: Apache-2.0
// Objects of a cache in one tar file (docs/formats/offline.md), both ways. It has one form: ustar,
// regular files alone, one mode, no times, a fixed first name, then the names of objects in their
// order, each once, zeros up to a whole record. So a reader accounts for every byte that is no
// content by making the headers again, needs no policy about links, modes and paths, and unpacks
// nothing. Does not know what objects mean. One thread for each object.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/stream.hpp"

namespace sf::cache {

// What a file begins with: by this name it is known.
inline constexpr std::string_view object_tar_first = "offline.json";

class ObjectTarWriter {
public:
    // `sink` is borrowed.
    explicit ObjectTarWriter(base::Sink& sink) : x_sink(sink) {}

    // The first is object_tar_first, the others come in the order of bytes.
    base::Status add(const std::string& key, std::string_view content);
    // Exactly `size` bytes from where `descriptor` stands.
    base::Status add(const std::string& key, std::uint64_t size, int descriptor);
    base::Status finish();

private:
    base::Status begin(const std::string& key, std::uint64_t size);
    base::Status pad(std::uint64_t to);
    base::Status write(base::Bytes bytes);
    base::Sink& x_sink;
    std::string x_last;
    std::uint64_t x_written = 0;
};

struct TarredObject {
    std::uint64_t offset = 0;  // of its content
    std::uint64_t size = 0;
};

using TarredObjects = std::map<std::string, TarredObject>;

// Where what lies in a file, the first included. `descriptor`: a regular file; its offset does not
// matter. Code::corrupt: it is cut short, or longer than it should be; Code::refused: it is not as
// written above. `name` is for messages.
[[nodiscard]] base::Result<TarredObjects> read_object_tar(int descriptor, const std::string& name);

// Does it begin as such a file does? Whatever else it is.
[[nodiscard]] base::Result<bool> is_object_tar(int descriptor);

// Exactly these bytes; fewer are Code::corrupt.
[[nodiscard]] base::Status read_at(int descriptor, std::uint64_t offset, std::span<std::byte> room,
                                   const std::string& name);

}  // namespace sf::cache
