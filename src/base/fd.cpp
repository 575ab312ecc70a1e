// SPDX-License-Identifier: Apache-2.0
#include "base/fd.hpp"

#include <unistd.h>

namespace sf::base {

void Fd::reset() {
    if (x_descriptor >= 0) ::close(std::exchange(x_descriptor, -1));
}

}  // namespace sf::base
