// SPDX-License-Identifier: Apache-2.0
#include "deploy/controller_state.hpp"

#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::milliseconds turn{250};
constexpr int turns = 60 * 4;

Result<bool> is_there(Host& host, const char* name) {
    SF_TRY(const PathInfo info, host.look(fs::path(controller_state_folder) / name));
    return info.type != PathInfo::Type::absent;
}

}  // namespace

Result<bool> usage_is_owed(const Plan& plan, Host& host) {
    if (!plan.runs_controller || !plan.accounting) return false;
    // The first that slurmctld writes, and what it knows a state by.
    SF_TRY(const bool begun, is_there(host, "clustername"));
    if (!begun) return false;
    SF_TRY(const bool written, is_there(host, "assoc_usage"));
    return !written;
}

Status save_usage(const Plan& plan, Context& context) {
    base::Command command;
    // Not by the number in its pid file: that is written by the user slurm, and we are root.
    command.argv = {plan.tree + "/current/bin/scontrol", "shutdown", "slurmctld"};
    command.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    command.directory = "/";
    command.deadline = std::chrono::seconds(90);
    command.limits.no_core = false;
    SF_TRY(const base::Finished done, context.host.run(command));
    if (!done.exit.ok()) {
        return fail_hint(
            Code::failed,
            "scontrol shutdown slurmctld: " + base::escape_untrusted(base::trim(done.err)),
            "see /var/log/slurm/slurmctld.log. If it ends with 'No Assoc usage file' "
            "slurmctld was killed before it wrote that: start it once by hand, as the "
            "user slurm, with 'slurmctld -i'; nothing was in it yet");
    }
    for (int i = 0; i < turns; ++i) {
        SF_CHECK(base::check_stop());
        SF_TRY(const bool owed, usage_is_owed(plan, context.host));
        if (!owed) return {};
        context.host.sleep(turn);
    }
    return fail_hint(Code::exhausted, "slurmctld ended, but wrote no usage of accounts down",
                     "see /var/log/slurm/slurmctld.log, and whether the file system is full; then "
                     "run this again");
}

}  // namespace sf::deploy
