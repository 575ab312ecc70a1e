// SPDX-License-Identifier: Apache-2.0
// What a process that is traced has in its memory (process_vm_readv(2)). Safe from any thread.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace sf::test {

// A text of up to 255 bytes, as a path that is an argument of a call; "?": it cannot be read.
inline std::string text_at(pid_t thread, std::uint64_t address) {
    char text[256] = {};
    const iovec here{text, sizeof text - 1};
    // Up to the end of the page only, which is there.
    const std::size_t length = std::min<std::size_t>(sizeof text - 1, 4096 - address % 4096);
    const iovec there{reinterpret_cast<void*>(address), length};  // NOLINT: it is a number to us
    if (::process_vm_readv(thread, &here, 1, &there, 1, 0) <= 0) return "?";
    return text;
}

}  // namespace sf::test
