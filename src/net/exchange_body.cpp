// SPDX-License-Identifier: Apache-2.0
#include "net/exchange_body.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace sf::net {

base::Result<std::size_t> TextBody::read(std::uint64_t offset, std::span<std::byte> room) {
    const std::string_view part = std::string_view(x_text).substr(offset, room.size());
    std::memcpy(room.data(), part.data(), part.size());
    return part.size();
}

base::Result<std::size_t> FileBody::read(std::uint64_t offset, std::span<std::byte> room) {
    const std::size_t wanted = std::min<std::uint64_t>(room.size(), x_size - offset);
    while (true) {
        const ssize_t count =
            ::pread(x_descriptor, room.data(), wanted, static_cast<off_t>(x_begin + offset));
        if (count > 0) return static_cast<std::size_t>(count);
        if (count == 0) {
            return base::fail(base::Code::corrupt, "the file to send became shorter meanwhile");
        }
        if (errno != EINTR) return base::fail_errno(errno, "read the file to send");
    }
}

}  // namespace sf::net
