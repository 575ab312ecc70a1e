// SPDX-License-Identifier: Apache-2.0
// What the installer needs to know of a machine, gathered once, before anything is decided; the
// decisions (checks.hpp, planner.hpp) are then functions of values. Gathering looks only.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "deploy/accounts.hpp"
#include "deploy/host.hpp"
#include "deploy/listening.hpp"
#include "deploy/ports.hpp"
#include "deploy/record.hpp"
#include "model/manifest.hpp"
#include "model/os_release.hpp"

namespace sf::deploy {

struct Process {
    pid_t pid = 0;
    std::string name;
    std::string program;  // what /proc/<pid>/exe points to; empty if that cannot be read
};

struct Facts {
    Accounts accounts;
    std::string host;                    // this machine's name, short
    std::vector<std::string> addresses;  // of its interfaces, no loopback
    model::RunningOs os;
    std::string cpu_level;
    bool systemd = false;
    bool cgroups = false;  // version 2, with the controllers that Slurm uses
    Listeners listeners;
    // As the files say that are here; nullopt: they do not tell.
    std::optional<std::uint16_t> slurmctld_port;
    std::optional<std::uint16_t> slurmd_port;
    std::optional<std::uint16_t> slurmdbd_port;
    // Of slurmd or sackd by the configuration that came from slurmctld; nullopt: none has come yet.
    std::optional<std::uint16_t> fetched_slurmd_port;
    std::vector<Process> daemons;          // that are called like ours, wherever they are from
    std::vector<std::string> other_slurm;  // programs of the distribution's Slurm
    bool other_munge = false;              // the distribution's munged is installed
    std::string mariadb_server;            // path; empty if not installed
    std::string mariadb_client;
    std::string mariadb_dump;
    std::string mariadb_socket;                       // where the server listens or would
    std::map<std::string, PathInfo> secrets;          // of those that exist or are planted
    std::vector<std::string> missing_host_libraries;  // "libpam.so.0", "libc.so.6 (GLIBC_2.36)"
    bool perl = false;  // the host's, with the modules that Slurm's contributed scripts use

    // Whoever's it is.
    [[nodiscard]] bool runs(std::string_view daemon) const;
};

inline constexpr std::string_view munge_key_path = "/etc/munge/munge.key";
inline constexpr std::string_view jwt_key_path = "/etc/slurm/jwt_hs256.key";
inline constexpr std::string_view slurmdbd_conf_path = "/etc/slurm/slurmdbd.conf";
inline constexpr std::string_view slurm_conf_path = "/etc/slurm/slurm.conf";
// By sackd, from slurmctld, for all commands of its host.
inline constexpr std::string_view fetched_conf_path = "/run/slurm/conf/slurm.conf";
inline constexpr std::string_view munge_socket_path = "/run/munge/munge.socket.2";
inline constexpr std::string_view dbus_socket_path = "/run/dbus/system_bus_socket";

// Where MariaDB listens: by Debian's default, under its older name, by Enterprise Linux's.
inline constexpr std::array<std::string_view, 3> mariadb_sockets{
    "/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock"};

// Processes that are called like a daemon of Slurm's or munged.
[[nodiscard]] base::Result<std::vector<Process>> find_daemons(Host& host);

// The one of these that somebody listens on; empty: none.
[[nodiscard]] std::string listening_mariadb(const Listeners& listeners);

[[nodiscard]] base::Result<Facts> gather_facts(Host& host, std::string_view looked_up,
                                               const model::Bundle& bundle);

}  // namespace sf::deploy
