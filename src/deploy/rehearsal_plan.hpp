// SPDX-License-Identifier: Apache-2.0
// A cluster of one node and one user, as data: what is written where and which daemons are started,
// to show that an unpacked tree runs. Everything is below one folder; nothing of /etc, /var or /run
// is used, and no right of root is needed. Knows nothing of where the tree came from. Pure, any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

struct RehearsalRequest {
    std::string tree;     // an unpacked bundle; may hold blanks
    std::string version;  // exact
    std::string folder;   // state, logs, sockets; empty, ours alone, a plain path
    std::string host;     // the machine's name, up to the first dot
    std::string user;     // this process's own
    bool rest = false;    // slurmrestd is in the tree
    bool gpu = false;     // slurmd looks for NVIDIA devices, on a machine without their driver
};

struct RehearsalPlan {
    std::string view;               // <tree>/views/<exact>
    std::string munge_socket;       // listens while it lasts
    std::string rest_socket;        // empty: no slurmrestd
    base::Environment environment;  // of the daemons and of whoever talks to them
    std::vector<PlannedFolder> folders;
    std::vector<PlannedFile> files;
    PlannedSecret munge_key;
    std::vector<Service> services;  // in the order they are started
};

// Code::usage for names that are none.
[[nodiscard]] base::Result<RehearsalPlan> plan_rehearsal(const RehearsalRequest& request);

// What slurmd writes when the library of NVIDIA's driver is not there, whatever the version.
[[nodiscard]] bool tells_of_missing_nvml(std::string_view slurmd_log);

}  // namespace sf::deploy
