// SPDX-License-Identifier: Apache-2.0
// Which versions are built: the newest pinned ones whose source can be had, and when an older one
// will do. Decides only; whether bytes can be had is asked through a callback. Pure, any thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "recipe/availability.hpp"
#include "recipe/catalog.hpp"

namespace sf::recipe {

// Asked newest first and only as far as needed; from several threads by choose_packages.
using AvailabilityCheck = std::function<base::Result<Availability>(const model::SourceFile&)>;

struct ChooseOptions {
    bool publishing = false;          // the newest only, and never a vulnerable one
    bool allow_older = false;         // publish an older one
    bool publish_vulnerable = false;  // for a cache of the own site
    bool allow_vulnerable = false;    // build a version with a known advisory
    // Slurm itself is not built: its release only says which stack is meant, so it need not be had,
    // and what is known against it does not matter.
    bool without_slurm = false;
    std::string today{};  // ISO date: a series whose support has ended by then gets a notice
    unsigned jobs = 4;
};

struct Choice {
    std::string name;
    std::string version;
    std::vector<Attempt> tried;        // for the newer ones that could not be had
    std::vector<Advisory> advisories;  // the version is open to these (allow_vulnerable)
    std::vector<std::string> notices;  // for people: what was chosen instead of what, and why
};

struct SlurmChoice : Choice {
    std::string series;
    std::string end_of_life;  // ISO date
    bool exact = false;       // asked for by its exact version
};

// `wanted`: "25.11" (the newest pinned release that can be had) or "25.11.7" (exactly that).
[[nodiscard]] base::Result<SlurmChoice> choose_slurm(const Catalog& catalog,
                                                     std::string_view wanted,
                                                     const AvailabilityCheck& can_be_had,
                                                     const ChooseOptions& options = {});

// The newest that can be had of each package of `names`, by name.
[[nodiscard]] base::Result<std::map<std::string, Choice>> choose_packages(
    const Catalog& catalog, const Stack& stack, const std::vector<std::string>& names,
    const AvailabilityCheck& can_be_had, const ChooseOptions& options = {});

// Everything that building `names` needs (build and link), themselves included: dependencies before
// dependants, by name where order is free.
[[nodiscard]] base::Result<std::vector<std::string>> closure(const Catalog& catalog,
                                                             const std::vector<std::string>& names);

// Is the series' upstream support over on `today` (ISO date)?
[[nodiscard]] bool support_ended(const Stack& stack, std::string_view today);

struct ToolchainGuess {
    std::string name;
    std::string reason;  // "this machine is AlmaLinux 9.4, which is built for as rockylinux9"
};

// The toolchain for a machine, from the text of its os-release; "noble" where nothing fits.
[[nodiscard]] ToolchainGuess default_toolchain(std::string_view os_release, const Catalog& catalog);

}  // namespace sf::recipe
