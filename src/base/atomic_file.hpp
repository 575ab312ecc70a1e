// SPDX-License-Identifier: Apache-2.0
// A file that appears whole and durable under its name, or not at all: random name in the same
// folder (O_EXCL), write, fsync, rename, fsync the folder. commit() is explicit; the destructor
// abandons. One thread.
#pragma once

#include "base/fd.hpp"
#include "base/files.hpp"
#include "base/stream.hpp"

namespace sf::base {

class AtomicFile : public Sink {
public:
    // The final name is replaced on commit if it exists. Mode is exact, whatever the umask.
    [[nodiscard]] static Result<AtomicFile> create(const fs::path& path, unsigned mode = 0644);

    AtomicFile(AtomicFile&& other) noexcept = default;
    AtomicFile& operator=(AtomicFile&&) = delete;
    ~AtomicFile() override;

    Status write(Bytes bytes) override;
    Status write(std::string_view text) { return write(as_bytes(text)); }
    Status commit();
    // Whole, too, but not durable: after a crash the name may hold anything. For what is checked
    // when it is read and can be made again.
    Status commit_unsynced();

    [[nodiscard]] int fd() const { return x_fd.get(); }
    // Where the bytes are until commit (for programs that must be given a name).
    [[nodiscard]] const fs::path& temporary() const { return x_temporary; }

private:
    AtomicFile(Fd fd, fs::path temporary, fs::path path)
        : x_fd(std::move(fd)), x_temporary(std::move(temporary)), x_path(std::move(path)) {}
    Fd x_fd;
    fs::path x_temporary;
    fs::path x_path;
};

}  // namespace sf::base
