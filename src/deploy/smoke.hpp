// SPDX-License-Identifier: Apache-2.0
// Does what was started work? A credential goes through munged and back; slurmctld answers, also
// by what sackd has fetched of it; slurmdbd reads its database; the node is idle, jobs of an
// ordinary user run, accounting knows them. Says what was proved, and only that. One thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/process.hpp"
#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/host.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

struct SmokeSubject {
    std::string view;  // what runs: its bin
    std::string node;
    bool controller = false;
    bool compute = false;
    bool dbd = false;
    bool sackd = false;  // the commands have their configuration by it
    bool accounting = false;
    base::Identity user{65534, 65534};  // whose jobs
    std::string user_name = "nobody";
    bool become_user = true;           // false: this process is that user already
    std::string munge_socket;          // empty: the default one
    std::string rest_socket;           // of slurmrestd with JSON Web Tokens; empty: not here
    std::string scratch = "/var/tmp";  // where that user may make a folder
    base::Environment environment;     // more than a clean one
    std::string logs = "/var/log/slurm and /var/log/slurmd";
    std::function<void(std::string_view)> begins;  // told of each step, if there is somebody
};

// One line for each thing proved.
[[nodiscard]] base::Result<std::vector<std::string>> smoke_test(const SmokeSubject& subject,
                                                                Host& host,
                                                                base::Reporter& reporter);
// Of an installation, by jobs of nobody.
[[nodiscard]] base::Result<std::vector<std::string>> smoke_test(const Plan& plan, Context& context);

}  // namespace sf::deploy
