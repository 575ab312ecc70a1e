// SPDX-License-Identifier: Apache-2.0
// What `doctor` asks of a machine, as a list of answers, each with the command that mends it. Looks
// only; changes nothing but what a trial sandbox does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/session.hpp"
#include "model/cpu_level.hpp"

namespace sf::cli {

enum class Health {
    ok,
    worth_knowing,  // building works all the same, and what is installed runs
    missing,        // one of these does not
};

struct Check {
    std::string name;
    Health health = Health::ok;
    std::string detail;
    std::string mend;  // a command, or what to do; empty if there is nothing to mend
};

// `prefix`: whose libraries are asked for (machine_libraries.hpp).
[[nodiscard]] std::vector<Check> check_machine(Session& session, const recipe::Catalog& catalog,
                                               const std::string& prefix);

using model::cpu_level;

enum class PackageManager { apt, dnf, unknown };

// Of the machine whose os-release this is.
[[nodiscard]] PackageManager package_manager(std::string_view os_release);

// "apt-get install bubblewrap": what brings `tool` ("bwrap", "mmdebstrap", …).
[[nodiscard]] std::string install_command(PackageManager manager, std::string_view tool,
                                          bool as_root);

// What brings a library that stays the distribution's: "libpam0g"; its soname where nobody knows.
[[nodiscard]] std::string library_package(PackageManager manager, std::string_view soname);

}  // namespace sf::cli
