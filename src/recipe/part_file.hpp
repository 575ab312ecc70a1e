// SPDX-License-Identifier: Apache-2.0
// A file on its way: bytes go to <name>.part and through SHA-256 at once; what an earlier run left
// is hashed again from byte 0, so that the digest at the end is that of the whole file, whoever
// wrote its parts. Becomes visible under its own name by commit() only. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/digest.hpp"
#include "base/fd.hpp"
#include "net/http.hpp"

namespace sf::recipe {

class PartFile : public net::Receiver {
public:
    // Opens or creates `path`. More than `size` bytes (0: not known) are thrown away: all of them.
    [[nodiscard]] static base::Result<PartFile> open(const std::filesystem::path& path,
                                                     std::uint64_t size);

    base::Status begin(std::uint64_t offset) override;
    base::Status write(base::Bytes bytes) override;

    [[nodiscard]] std::uint64_t size() const { return x_size; }
    // Of everything in the file; after it only begin(0) makes sense.
    [[nodiscard]] base::Digest digest() { return x_hash.finish(); }
    [[nodiscard]] base::Status clear() { return begin(0); }
    // Durable under `path`.
    [[nodiscard]] base::Status commit(const std::filesystem::path& path);
    [[nodiscard]] base::Status remove();

    // Told of the size so far, now and then.
    void on_progress(std::function<void(std::uint64_t)> tell) { x_tell = std::move(tell); }

private:
    PartFile(base::Fd fd, std::filesystem::path path)
        : x_fd(std::move(fd)), x_path(std::move(path)) {}
    base::Status hash_again(std::uint64_t bytes);

    base::Fd x_fd;
    std::filesystem::path x_path;
    base::Sha256 x_hash;
    std::uint64_t x_size = 0;
    std::uint64_t x_told = 0;
    std::function<void(std::uint64_t)> x_tell;
};

}  // namespace sf::recipe
