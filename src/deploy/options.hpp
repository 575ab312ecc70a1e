// SPDX-License-Identifier: Apache-2.0
// The command line of slurm_install.sh as a value. What describes the cluster is kept apart
// (Answers): it is recorded on the machine, so that a later call need not say it again. Pure, any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace sf::deploy {

enum class Role { controller, dbd, compute, login, rest };

[[nodiscard]] std::string_view role_name(Role role);
// "controller,dbd" or "all": everything but rest.
[[nodiscard]] base::Result<std::set<Role>> parse_roles(std::string_view text);

struct Answers {  // unset: not said
    std::optional<std::set<Role>> roles;
    std::optional<std::string> cluster;
    std::optional<std::string> controller;  // host name
    std::optional<std::string> address;     // this machine's, for the others
    std::optional<std::string> nodes;
    std::optional<std::string> node_parameters;
    std::optional<std::string> dbd_host;
    std::optional<std::string> db_host;
    std::optional<std::uint16_t> db_port;
    std::optional<std::string> db_user;
    std::optional<bool> accounting;
    std::optional<bool> jwt;
    std::optional<std::uint32_t> slurm_uid;
    std::optional<std::uint32_t> munge_uid;

    // Those of `later` where they are said, else ours.
    [[nodiscard]] Answers overridden_by(const Answers& later) const;
};

enum class Action { help, full_init, init_only, start_services, uninstall };

struct Options {
    Action action = Action::help;
    bool dry_run = false;
    bool no_start = false;
    bool without_backup = false;
    std::string prefix;  // empty: where the tree lies
    std::string key;     // fingerprint as people paste it; empty: not given
    std::string key_file;
    std::string db_password_file;
    Answers answers;
};

// `words` without the program's name. Everything wrong is Code::usage.
[[nodiscard]] base::Result<Options> parse_options(const std::vector<std::string>& words);

[[nodiscard]] std::string help_text();

}  // namespace sf::deploy
