// SPDX-License-Identifier: Apache-2.0
// What a sandbox plan means to Docker: the words of `docker create`, and the little shell program
// that holds the plan's command inside the container. Pure: starts nothing. Plain values, any
// thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/sandbox_plan.hpp"

namespace sf::sandbox {

// Every container of ours carries it.
inline constexpr const char* docker_label = "slurm-factory.build";

struct DockerContainer {
    std::string name;
    std::string image;
    base::Identity user;  // never uid 0
};

// Everything after "docker": "create", options, image, command. Each bind's source is taken as it
// stands. The environment inside is the plan's alone: Docker's own additions are dropped.
[[nodiscard]] std::vector<std::string> docker_create_words(const SandboxPlan& plan,
                                                           const DockerContainer& container);

// The parts of a root that a sandbox sees, as names below it, sorted: "bin", "etc", "usr", …
[[nodiscard]] std::vector<std::string> visible_parts(const RootLayout& layout);

}  // namespace sf::sandbox
