// SPDX-License-Identifier: Apache-2.0
#include "base/stream.hpp"

#include <array>

namespace sf::base {

Result<std::size_t> copy(Source& from, Sink& to) {
    // On the stack: one from the heap is cleared, and most files are smaller than that takes.
    std::array<std::byte, 65536> buffer;
    std::size_t total = 0;
    for (;;) {
        SF_TRY(const std::size_t got, from.read(buffer));
        if (got == 0) return total;
        SF_CHECK(to.write(Bytes(buffer).first(got)));
        total += got;
    }
}

}  // namespace sf::base
