// SPDX-License-Identifier: Apache-2.0
// After a failed build: the debug bundle, with the plan and the facts of this machine in it. What
// it holds is chosen word by word: no environment, no configuration, no names of people or hosts.
#pragma once

#include <string>

#include "build/engine.hpp"
#include "cli/session.hpp"
#include "sandbox/root_record.hpp"

namespace sf::cli {

struct FailedRun {
    const build::Plan& plan;
    const build::BuildReport& report;
    const sandbox::PreparedRoot& root;
    std::string run_id;
    unsigned jobs = 1;
};

// Writes it and says where it is; that it could not be written is a notice, not another failure.
void report_failure(Session& session, const FailedRun& run);

}  // namespace sf::cli
