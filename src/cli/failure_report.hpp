// SPDX-License-Identifier: Apache-2.0
// After a failed build, proof or preparation of a root: the debug bundle, with the plan and the
// facts of this machine in it. What it holds is chosen word by word: no environment, no
// configuration, no names of people or hosts but those that paths of the state folder tell. A
// source that cannot be had leaves none: its message names every place and what that answered, and
// nobody logs more.
#pragma once

#include <optional>
#include <string>

#include "build/engine.hpp"
#include "cli/session.hpp"
#include "sandbox/root_record.hpp"

namespace sf::cli {

// Borrowed.
struct FailedRun {
    const build::Plan& plan;
    const build::BuildReport& report;
    const sandbox::PreparedRoot& root;
    std::string run_id;
    unsigned jobs = 0;                   // 0: nothing was built any more
    const base::Error* error = nullptr;  // of what is no package's: the proof
};

// Writes it and says where it is; that it could not be written is a notice, not another failure.
void report_failure(Session& session, const FailedRun& run);

// Knows whether a log has been written to since it began to look.
class LogWatch {
public:
    explicit LogWatch(std::filesystem::path log);
    [[nodiscard]] bool written() const;
    [[nodiscard]] const std::filesystem::path& log() const { return x_log; }

private:
    using Time = std::filesystem::file_time_type;
    [[nodiscard]] std::optional<Time> time() const;
    std::filesystem::path x_log;
    std::optional<Time> x_before;
};

// The same for a root: with the log of what made it. Without a log of this time there is nothing to
// send that the message does not say.
void report_failed_root(Session& session, const std::string& toolchain, const LogWatch& watch,
                        const base::Error& error);

}  // namespace sf::cli
