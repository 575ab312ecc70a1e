// SPDX-License-Identifier: Apache-2.0
// A database server elsewhere, asked before anything is changed here. The only client of databases
// that a bundle brings is slurmdbd: it comes in with what its configuration says of the database
// and nothing else of it, from a private folder, and ends before it makes or converts a table. A
// slurmdbd.conf that is there belongs to user slurm: nothing that it names is run or loaded, and
// slurmdbd is started as that user. One thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/result.hpp"
#include "deploy/facts.hpp"
#include "deploy/host.hpp"
#include "deploy/options.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

struct DatabaseQuestion {
    std::string slurmdbd;  // the program
    std::string version;   // of it, exact
    std::string conf;      // slurmdbd.conf, whole, with the password
    // Where people mend the password: for the hint.
    std::string password_place;
    // Whether the user is let in, and no more. Else the database itself is opened, as slurmdbd
    // opens it: made, if it is absent.
    bool only_login = false;
    std::optional<Ids> slurm;  // as that user; else as ourselves
};

// Whether a plan by these answers may have one asked: known before the machine is looked at.
[[nodiscard]] bool may_be_asked(const Answers& answers);

// Why it cannot be asked with this slurmdbd.conf, for people; empty: it can.
[[nodiscard]] std::string why_not_asked(std::string_view slurmdbd_conf);

// A name or an address that never leaves this machine.
[[nodiscard]] bool is_loopback(const std::string& server);

// Whether what slurmdbd.conf says is on another machine: not by the socket or a loopback address,
// nor by a name or an address of this one.
[[nodiscard]] bool is_elsewhere(std::string_view slurmdbd_conf, const Facts& facts);

// What the installer knows when it asks.
struct DatabaseAsker {
    const Plan& plan;
    const Facts& facts;
    fs::path view;         // of the bundle's Slurm
    std::string password;  // of a slurmdbd.conf that is made now
    std::string password_file;
    bool only_start = false;  // maybe after a boot: what was configured is started
    bool only_login = false;
};
// The question; none where nobody is to be asked, or cannot be, which is told.
[[nodiscard]] base::Result<std::optional<DatabaseQuestion>> database_question(
    const DatabaseAsker& asker, Host& host, base::Reporter& reporter);

// Within some 20 seconds. The error names the server, what it says, and what to do.
[[nodiscard]] base::Status ask_database(const DatabaseQuestion& question, Host& host);

}  // namespace sf::deploy
