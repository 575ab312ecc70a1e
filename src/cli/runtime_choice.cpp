// SPDX-License-Identifier: Apache-2.0
#include "cli/runtime_choice.hpp"

#include <CLI/CLI.hpp>

#include <ctime>
#include <unistd.h>

#include "base/text.hpp"
#include "sandbox/bwrap_runner.hpp"
#include "sandbox/docker_runner.hpp"

namespace sf::cli {

void add_runtime_option(CLI::App& app, std::string& runtime) {
    app.add_option("--runtime", runtime, "What isolates the builds; the result is the same")
        ->capture_default_str()
        ->envname("SLURM_FACTORY_RUNTIME")
        ->check(CLI::IsMember({"bwrap", "docker"}))
        ->type_name("RUNTIME");
}

std::unique_ptr<sandbox::Runner> make_runner(const std::string& runtime) {
    if (runtime == "docker") return std::make_unique<sandbox::DockerRunner>();
    return std::make_unique<sandbox::BwrapRunner>();
}

std::string run_id() {
    return fmt::format("{}-{}", base::utc_stamp(std::time(nullptr)), ::getpid());
}

}  // namespace sf::cli
