// SPDX-License-Identifier: Apache-2.0
// A database server elsewhere, asked before anything is changed here. The only client of databases
// that a bundle brings is slurmdbd: it comes in by the configuration it is to have, from a private
// folder, and ends before it makes or converts a table. One thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "deploy/host.hpp"

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
};

// Whether what slurmdbd.conf says is on another machine.
[[nodiscard]] bool is_elsewhere(std::string_view slurmdbd_conf);

// Within some 20 seconds. The error names the server, what it says, and what to do.
[[nodiscard]] base::Status ask_database(const DatabaseQuestion& question, Host& host);

}  // namespace sf::deploy
