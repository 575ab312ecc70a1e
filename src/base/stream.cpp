// SPDX-License-Identifier: Apache-2.0
#include "base/stream.hpp"

#include <vector>

namespace sf::base {

Result<std::size_t> copy(Source& from, Sink& to) {
    std::vector<std::byte> buffer(std::size_t{256} << 10);
    std::size_t total = 0;
    for (;;) {
        SF_TRY(const std::size_t got, from.read(buffer));
        if (got == 0) return total;
        SF_CHECK(to.write(Bytes(buffer.data(), got)));
        total += got;
    }
}

}  // namespace sf::base
