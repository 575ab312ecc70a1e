// SPDX-License-Identifier: Apache-2.0
#include "deploy/ports.hpp"

#include <charconv>

#include "deploy/conf_file.hpp"

namespace sf::deploy {

std::optional<std::uint16_t> port_in(std::string_view conf, std::string_view name,
                                     std::uint16_t otherwise) {
    const ConfFile file = ConfFile::parse(conf);
    if (file.includes() || (name == slurmd_port_name && !file.value("Port").empty()))
        return std::nullopt;
    const std::string value = file.value(name);
    const std::string first = value.substr(0, value.find('-'));
    std::uint16_t port = 0;
    const char* end = first.data() + first.size();
    const auto [at, error] = std::from_chars(first.data(), end, port);
    return error == std::errc() && at == end && port != 0 ? port : otherwise;
}

std::optional<std::uint16_t> configured_port(Host& host, const PortSource& source,
                                             std::uint16_t otherwise) {
    if (source.file.empty()) return otherwise;
    const auto conf = host.read(source.file);
    if (conf) return port_in(*conf, source.name, otherwise);
    if (conf.error().code == base::Code::absent) return otherwise;
    return std::nullopt;
}

base::Error port_in_use(std::uint16_t port, std::string_view daemon) {
    return {base::Code::refused,
            fmt::format("port {}, which {} needs, is in use", port, daemon),
            {},
            fmt::format("see who it is: ss -ltnp 'sport = :{}'", port)};
}

}  // namespace sf::deploy
