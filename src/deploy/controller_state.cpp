// SPDX-License-Identifier: Apache-2.0
#include "deploy/controller_state.hpp"

#include "base/text.hpp"
#include "deploy/await.hpp"

namespace sf::deploy {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::minutes patience{1};

Result<bool> is_there(Host& host, const char* name) {
    SF_TRY(const PathInfo info, host.look(fs::path(controller_state_folder) / name));
    return info.type != PathInfo::Type::absent;
}

Result<base::Finished> scontrol(const Plan& plan, Host& host, std::vector<std::string> words,
                                std::chrono::milliseconds deadline) {
    base::Command command;
    command.argv = {plan.tree + "/current/bin/scontrol"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    command.directory = "/";
    command.deadline = deadline;
    command.limits.no_core = false;
    return host.run(command);
}

Result<bool> answers(const Plan& plan, Host& host) {
    return await(host, patience, [&](std::chrono::milliseconds left) -> Result<bool> {
        SF_TRY(const base::Finished done, scontrol(plan, host, {"ping"}, left));
        return done.out.find("is UP") != std::string::npos;
    });
}

}  // namespace

Result<bool> usage_is_owed(const Plan& plan, Host& host) {
    if (!plan.runs_controller || !plan.accounting) return false;
    SF_TRY(const bool written, is_there(host, "assoc_usage"));
    if (written) return false;
    SF_TRY(const bool up, answers(plan, host));
    if (!up) return false;
    // What slurmctld knows a state by.
    return is_there(host, "clustername");
}

Status save_usage(const Plan& plan, Context& context) {
    // Not by the number in its pid file: that is written by the user slurm, and we are root.
    SF_TRY(const base::Finished done,
           scontrol(plan, context.host, {"shutdown", "slurmctld"}, patience));
    if (!done.exit.ok()) {
        return fail_hint(
            Code::failed,
            "scontrol shutdown slurmctld: " + base::escape_untrusted(base::trim(done.err)),
            "see /var/log/slurm/slurmctld.log");
    }
    SF_TRY(const bool written, await(context.host, patience, [&](std::chrono::milliseconds) {
               return is_there(context.host, "assoc_usage");
           }));
    if (written) return {};
    return fail_hint(Code::exhausted, "slurmctld ended, but wrote no usage of accounts down",
                     "see /var/log/slurm/slurmctld.log, and whether the file system is full; then "
                     "run this again");
}

}  // namespace sf::deploy
