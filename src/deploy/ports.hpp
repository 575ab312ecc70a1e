// SPDX-License-Identifier: Apache-2.0
// TCP ports of Slurm's daemons: their defaults, or what the configuration says that is there. An
// administrator's files are kept, and his ports with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "deploy/host.hpp"

namespace sf::deploy {

inline constexpr std::uint16_t slurmctld_port = 6817;
inline constexpr std::uint16_t slurmd_port = 6818;  // sackd's as well
inline constexpr std::uint16_t slurmdbd_port = 6819;

inline constexpr std::string_view slurmctld_port_name = "SlurmctldPort";
inline constexpr std::string_view slurmd_port_name = "SlurmdPort";
inline constexpr std::string_view slurmdbd_port_name = "DbdPort";

// Which value of which file names a port.
struct PortSource {
    std::string file;  // of the form of slurm.conf; empty: none does
    std::string name;  // "SlurmctldPort"
};

// The value in `conf`, of a range ("6817-6820") the first; `otherwise` where it has none that is a
// port. nullopt: it cannot be told, because other files are included, or because nodes have a Port
// of their own in place of SlurmdPort. Pure, any thread.
[[nodiscard]] std::optional<std::uint16_t> port_in(std::string_view conf, std::string_view name,
                                                   std::uint16_t otherwise);
// The same of a file that may not be there, or not yet; nor can it be told of one that is not read.
[[nodiscard]] std::optional<std::uint16_t> configured_port(Host& host, const PortSource& source,
                                                           std::uint16_t otherwise);

// The refusal of a port that somebody else has.
[[nodiscard]] base::Error port_in_use(std::uint16_t port, std::string_view daemon);

}  // namespace sf::deploy
