// SPDX-License-Identifier: Apache-2.0
// Which toolchain a machine is: the nearest of its kin.
#include "model/os_release.hpp"
#include "recipe/choose.hpp"

namespace sf::recipe {

namespace {

using model::Kinship;

std::string why(Kinship kinship, const std::string& machine, const std::string& toolchain) {
    if (kinship == Kinship::rebuild)
        return fmt::format("this machine is {}, which runs what is built for {}", machine,
                           toolchain);
    if (kinship == Kinship::derived)
        return fmt::format("this machine is {}, which is derived from {}", machine, toolchain);
    return fmt::format("this machine is {}", machine);
}

}  // namespace

ToolchainGuess default_toolchain(std::string_view os_release, const Catalog& catalog) {
    const model::RunningOs system = model::parse_os_release(os_release);
    const std::string machine = model::title_of(system);
    Kinship nearest = Kinship::none;
    ToolchainGuess guess{"noble",
                         fmt::format("this machine is {}, which is no toolchain", machine)};
    for (const auto& [name, toolchain] : catalog.toolchains) {
        const Kinship found =
            model::kinship(system, toolchain.os_release, toolchain.family, toolchain.name);
        if (found <= nearest) continue;
        nearest = found;
        guess = {name, why(found, machine, toolchain.title)};
    }
    return guess;
}

}  // namespace sf::recipe
