// SPDX-License-Identifier: Apache-2.0
// Who listens, from the kernel's own tables (/proc/net): asking a daemon by connecting to it would
// leave a line in its log. The parsers are total and pure.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "deploy/host.hpp"

namespace sf::deploy {

// Of /proc/net/tcp or tcp6.
[[nodiscard]] std::set<std::uint16_t> listening_ports(std::string_view table);
// Of /proc/net/unix; names as they were bound.
[[nodiscard]] std::set<std::string> listening_sockets(std::string_view table);

struct Listeners {
    std::set<std::uint16_t> ports;
    std::set<std::string> sockets;
};
[[nodiscard]] base::Result<Listeners> find_listeners(Host& host);

}  // namespace sf::deploy
