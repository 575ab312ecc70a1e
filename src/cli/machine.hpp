// SPDX-License-Identifier: Apache-2.0
// What `doctor` asks of a machine, as a list of answers, each with the command that mends it. Looks
// only; changes nothing but what a trial sandbox does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/session.hpp"

namespace sf::cli {

enum class Health {
    ok,
    worth_knowing,  // building works all the same
    missing,        // building does not work
};

struct Check {
    std::string name;
    Health health = Health::ok;
    std::string detail;
    std::string mend;  // a command, or what to do; empty if there is nothing to mend
};

[[nodiscard]] std::vector<Check> check_machine(Session& session, const recipe::Catalog& catalog);

// The highest level of x86-64 that all of `flags` of /proc/cpuinfo allow: "x86_64", "x86_64_v2",
// "x86_64_v3", "x86_64_v4"; empty for other processors.
[[nodiscard]] std::string cpu_level(std::string_view cpuinfo);

enum class PackageManager { apt, dnf, unknown };

// Of the machine whose os-release this is.
[[nodiscard]] PackageManager package_manager(std::string_view os_release);

// "apt-get install bubblewrap": what brings `tool` ("bwrap", "mmdebstrap", …).
[[nodiscard]] std::string install_command(PackageManager manager, std::string_view tool,
                                          bool as_root);

}  // namespace sf::cli
