// SPDX-License-Identifier: Apache-2.0
// What an installation will do, as a value: who, which folders, secrets, files and services, with
// every owner and mode. Printed by --dry-run, carried out by the engine, compared in tests. Holds
// no secret: those are made while it is carried out. Plain values, any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"
#include "deploy/ports.hpp"

namespace sf::deploy {

struct Owner {
    std::string user = "root";
    std::string group = "root";
};

struct PlannedUser {  // with a group of the same name
    std::string name;
    std::string comment;
    std::optional<std::uint32_t> id;
    bool exists = false;
    bool group_exists = false;
};

struct PlannedFolder {
    std::string path;
    Owner owner;
    unsigned mode = 0755;
};

struct PlannedSecret {  // made once, from random bytes, if nothing is there
    std::string path;
    Owner owner;
    unsigned mode = 0400;
    std::size_t size = 0;  // 0: brought by the administrator, and only handed to its owner
};

struct PlannedFile {
    std::string path;
    Owner owner;
    unsigned mode = 0644;
    std::string content;
    bool has_password = false;  // "@db_password@" in it; made once, never written again
    bool has_ids = false;       // "@slurm_uid@" and the like: known once the users are there
};

// A daemon, for the supervisor of machines without systemd.
struct Service {
    std::string name;
    std::vector<std::string> argv;
    base::Environment environment;
    Owner owner;
    std::string ready_socket;      // listening: the next one may start
    std::uint16_t ready_port = 0;  // likewise, unless `port` names another
    PortSource port;
    std::string log;  // what it prints
    // How long it may take to begin to listen, and to end: only then it counts as stuck. Ending a
    // database server or a conversion of its tables by force is no way to end them.
    std::chrono::seconds patience{60};
    // To begin to listen after a boot, where that is longer: what it needs may come up with this
    // host, on another.
    std::chrono::seconds boot_patience{0};
};

// For what is on another machine, after a boot.
inline constexpr std::chrono::seconds default_boot_patience{60};

struct PlannedDatabase {
    bool local = true;          // over the socket, as root: made where absent
    bool start_server = false;  // nobody listens, and there is no systemd: ours to run
    std::string socket;
    std::string server;  // mariadbd
    std::string client;  // mariadb
    std::string user = "slurm";
    std::string password_file;  // the administrator's; empty: generated
    std::string log = "/var/log/slurmd/mariadbd.console.log";  // of a server run to make it
};

// What an upgrade to another series would convert for ever, saved before anything is changed.
struct PlannedBackup {
    std::string from;    // exact version
    std::string folder;  // 0700, root's; numbered if it is there
    std::string state;   // the folder of slurmctld's state; empty: not here
    std::string dump;    // mariadb-dump, for the database; empty: not here
};

struct Plan {
    std::string tree;     // where the software will be
    std::string version;  // exact
    bool copy = false;    // from where it was unpacked to `tree`
    bool systemd = false;
    bool start = false;
    bool after_boot = false;  // maybe: what was configured before is started, and no more
    std::vector<PlannedUser> users;
    std::vector<PlannedFolder> folders;
    std::vector<PlannedSecret> secrets;
    std::vector<PlannedFile> files;
    std::vector<std::string> units;  // systemd: to enable and start, in this order
    std::vector<Service> services;   // else: to supervise, in this order
    std::optional<PlannedDatabase> database;
    std::optional<PlannedBackup> backup;
    bool own_munge = false;  // munged is ours, not the distribution's
    bool runs_controller = false;
    bool runs_compute = false;
    bool runs_dbd = false;
    bool runs_sackd = false;  // which fetches the configuration for the commands here
    std::string rest_socket;  // of slurmrestd; empty: it does not run here
    bool accounting = false;
    bool leased = false;             // the tree is shared: this host says what it runs from it
    std::string node;                // this machine's name in Slurm
    std::vector<std::string> notes;  // what people should know
};

// What cgroup.conf names where jobs are not confined. Before 24.05 slurmd wants a plugin in any
// case: that of version 1 touches nothing until one that confines jobs asks it to, whatever the
// machine has.
[[nodiscard]] std::string idle_cgroup_plugin(std::string_view version);

// What slurmrestd is told to serve (SLURMRESTD_OPENAPI_PLUGINS); empty: what it chooses itself.
// Before 25.11 it chooses slurmdbd's part too, and ends where there is no accounting.
[[nodiscard]] std::string rest_plugins(std::string_view version, bool accounting);

// For --dry-run: every user, folder, secret, file and service on a line of its own.
[[nodiscard]] std::string to_text(const Plan& plan);

// The supervisor's list, /etc/slurm/supervisor.json, both ways.
[[nodiscard]] base::Result<std::string> services_to_json(const std::vector<Service>& services);
[[nodiscard]] base::Result<std::vector<Service>> services_from_json(std::string_view text);

}  // namespace sf::deploy
