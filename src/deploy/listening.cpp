// SPDX-License-Identifier: Apache-2.0
#include "deploy/listening.hpp"

#include <charconv>

#include "base/text.hpp"

namespace sf::deploy {

namespace {

constexpr std::string_view tcp_listen = "0A";
constexpr std::string_view unix_flags_listening = "00010000";  // __SO_ACCEPTCON

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields;
    for (std::string& word : base::split(line, ' ')) {
        if (!word.empty()) fields.push_back(std::move(word));
    }
    return fields;
}

}  // namespace

std::set<std::uint16_t> listening_ports(std::string_view table) {
    std::set<std::uint16_t> ports;
    for (const std::string& line : base::split(table, '\n')) {
        const std::vector<std::string> fields = fields_of(line);
        if (fields.size() < 4 || fields[3] != tcp_listen) continue;
        const std::size_t colon = fields[1].rfind(':');
        if (colon == std::string::npos) continue;
        std::uint16_t port = 0;
        const char* end = fields[1].data() + fields[1].size();
        const auto [at, error] = std::from_chars(fields[1].data() + colon + 1, end, port, 16);
        if (error == std::errc() && at == end) ports.insert(port);
    }
    return ports;
}

std::set<std::string> listening_sockets(std::string_view table) {
    std::set<std::string> sockets;
    for (const std::string& line : base::split(table, '\n')) {
        const std::vector<std::string> fields = fields_of(line);
        if (fields.size() < 8 || fields[3] != unix_flags_listening) continue;
        sockets.insert(line.substr(line.find(' ' + fields[7]) + 1));
    }
    return sockets;
}

base::Result<Listeners> find_listeners(Host& host) {
    Listeners listeners;
    SF_TRY(const std::string four, host.read("/proc/self/net/tcp"));
    listeners.ports = listening_ports(four);
    // A kernel without IPv6 has no such file.
    if (const auto six = host.read("/proc/self/net/tcp6")) {
        listeners.ports.merge(listening_ports(*six));
    }
    SF_TRY(const std::string unix_table, host.read("/proc/self/net/unix"));
    listeners.sockets = listening_sockets(unix_table);
    return listeners;
}

}  // namespace sf::deploy
