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

Result<base::Finished> scontrol(const Plan& plan, Host& host, std::vector<std::string> words) {
    base::Command command;
    command.argv = {plan.tree + "/current/bin/scontrol"};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.environment = {{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}};
    command.directory = "/";
    command.deadline = std::chrono::seconds(90);
    command.limits.no_core = false;
    return host.run(command);
}

Result<bool> answers(const Plan& plan, Host& host) {
    for (int i = 0; i < turns; ++i) {
        SF_CHECK(base::check_stop());
        SF_TRY(const base::Finished done, scontrol(plan, host, {"ping"}));
        if (done.out.find("is UP") != std::string::npos) return true;
        host.sleep(turn);
    }
    return false;
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
    SF_TRY(const base::Finished done, scontrol(plan, context.host, {"shutdown", "slurmctld"}));
    if (!done.exit.ok()) {
        return fail_hint(
            Code::failed,
            "scontrol shutdown slurmctld: " + base::escape_untrusted(base::trim(done.err)),
            "see /var/log/slurm/slurmctld.log");
    }
    for (int i = 0; i < turns; ++i) {
        SF_CHECK(base::check_stop());
        SF_TRY(const bool written, is_there(context.host, "assoc_usage"));
        if (written) return {};
        context.host.sleep(turn);
    }
    return fail_hint(Code::exhausted, "slurmctld ended, but wrote no usage of accounts down",
                     "see /var/log/slurm/slurmctld.log, and whether the file system is full; then "
                     "run this again");
}

}  // namespace sf::deploy
