// SPDX-License-Identifier: Apache-2.0
#include "deploy/smoke.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::milliseconds pause{250};
constexpr int array_tasks = 3;

// Runs as nobody: root's jobs are refused (DisableRootJobs), and users are who it is for.
class Smoke {
public:
    Smoke(const Plan& plan, Context& context) : x_plan(plan), x(context) {
        if (const User* nobody = context.accounts.user("nobody"))
            x_nobody = base::Identity{nobody->uid, nobody->gid};
    }

    Result<std::vector<std::string>> run() {
        SF_CHECK(base::during(munge(), "testing MUNGE"));
        if (x_plan.runs_controller) SF_CHECK(base::during(controller(), "testing slurmctld"));
        if (x_plan.runs_compute) {
            SF_CHECK(base::during(node(), "testing the node"));
            SF_CHECK(base::during(interactive(), "testing srun"));
            const Status batched = batch();
            if (!batched) cancel();
            clean_up();
            SF_CHECK(base::during(batched, "testing sbatch"));
            if (x_plan.accounting && x_plan.runs_controller)
                SF_CHECK(base::during(accounting(), "testing accounting"));
        }
        return std::move(x_proved);
    }

private:
    Result<base::Finished> call(std::vector<std::string> argv, bool as_nobody,
                                std::string_view input = {}) {
        base::Command command;
        const std::string view = x_plan.tree + "/current";
        argv[0] = view + "/bin/" + argv[0];
        command.argv = std::move(argv);
        command.environment = {
            {"PATH", view + "/bin:/usr/bin:/bin"}, {"LC_ALL", "C.UTF-8"}, {"HOME", "/"}};
        command.directory = "/";
        command.deadline = std::chrono::seconds(90);
        command.limits.no_core = false;
        if (as_nobody) command.identity = x_nobody;
        return x.host.run(command, input);
    }
    Result<std::string> must(std::vector<std::string> argv, bool as_nobody,
                             std::string_view input = {}) {
        const std::string name = argv[0];
        SF_TRY(const base::Finished done, call(std::move(argv), as_nobody, input));
        if (done.exit.ok()) return std::string(base::trim(done.out));
        return base::fail_hint(done.timed_out ? Code::exhausted : Code::failed,
                               fmt::format("{}: {}: {}", name,
                                           done.timed_out ? "no end within 90 s" : done.exit.text(),
                                           base::escape_untrusted(base::trim(done.err))),
                               "see the logs in /var/log/slurm and /var/log/slurmd");
    }
    // Until it prints what is wanted.
    Status await(int seconds, const std::vector<std::string>& argv, std::string_view wanted) {
        std::string said;
        for (int turns = seconds * 4; turns > 0; --turns) {
            SF_TRY(const base::Finished done, call(argv, false));
            said = std::string(base::trim(done.exit.ok() ? done.out : done.err));
            if (done.exit.ok() && said.find(wanted) != std::string::npos) return {};
            x.host.sleep(pause);
        }
        return base::fail_hint(
            Code::exhausted,
            fmt::format("after {} s '{}' still says '{}', not '{}'", seconds,
                        base::shell_join(argv), base::escape_untrusted(said), wanted),
            "see the logs in /var/log/slurm and /var/log/slurmd");
    }

    Status await_end() {
        for (int turns = 60 * 4; turns > 0; --turns) {
            SF_TRY(const std::string waiting,
                   must({"squeue", "-h", "-j", x_job, "-o", "%T"}, false));
            const bool at_work = waiting.find("RUNNING") != std::string::npos ||
                                 waiting.find("PENDING") != std::string::npos ||
                                 waiting.find("COMPLETING") != std::string::npos ||
                                 waiting.find("CONFIGURING") != std::string::npos;
            if (!at_work) return {};
            x.host.sleep(pause);
        }
        return base::fail_hint(Code::exhausted, "job " + x_job + " does not end",
                               "see the logs in /var/log/slurm and /var/log/slurmd");
    }

    Status munge() {
        SF_TRY(const std::string credential, must({"munge", "-n"}, true));
        SF_TRY(const std::string decoded, must({"unmunge"}, true, credential + "\n"));
        if (decoded.find("Success") == std::string::npos)
            return fail(Code::failed, "unmunge says {}", base::escape_untrusted(decoded));
        x_proved.emplace_back("munge: a credential was made and read back");
        return {};
    }

    Status controller() {
        SF_CHECK(await(30, {"scontrol", "ping"}, "is UP"));
        x_proved.emplace_back("slurmctld answers");
        return {};
    }

    Status node() {
        SF_CHECK(await(60, {"sinfo", "-h", "-o", "%T", "-n", x_plan.node}, "idle"));
        x_proved.push_back("sinfo: node " + x_plan.node + " is idle");
        return {};
    }

    Status interactive() {
        SF_TRY(const std::string said, must({"srun", "-w", x_plan.node, "hostname"}, true));
        const std::string name = said.substr(0, said.find('.'));
        if (name != x_plan.node)
            return fail(Code::failed, "srun hostname prints '{}', not '{}'",
                        base::escape_untrusted(said), x_plan.node);
        x_proved.push_back("srun hostname, as nobody: " + name);
        return {};
    }

    Status batch() {
        SF_TRY(const std::string nonce, make_password(x.host));
        x_folder = "/var/tmp/slurm-setup-" + nonce.substr(0, 12);
        SF_CHECK(x.host.make_folder(x_folder, 0700, {x_nobody.uid, x_nobody.gid}));
        SF_TRY(const std::string said,
               must({"sbatch", "--parsable", "-w", x_plan.node,
                     fmt::format("--array=1-{}", array_tasks), "--chdir=/",
                     "--output=" + x_folder + "/%a.out"},
                    true, "#!/bin/sh\necho \"$SLURM_ARRAY_TASK_ID $(srun hostname)\"\n"));
        x_job = said.substr(0, said.find(';'));
        // sbatch --wait asks at growing intervals, up to half a minute.
        SF_CHECK(await_end());
        for (int task = 1; task <= array_tasks; ++task) {
            const std::string path = fmt::format("{}/{}.out", x_folder, task);
            SF_TRY(const std::string text, x.host.read(path));
            if (!text.starts_with(fmt::format("{} {}", task, x_plan.node)))
                return fail(Code::failed, "task {} of job {} wrote '{}'", task, x_job,
                            base::escape_untrusted(base::trim(text)));
        }
        x_proved.push_back(
            fmt::format("sbatch --array=1-{}, as nobody: job {}, {} tasks, each with "
                        "a step by srun",
                        array_tasks, x_job, array_tasks));
        return {};
    }

    Status accounting() {
        const std::vector<std::string> sacct{"sacct", "-n",         "-P", "-X",
                                             "-j",    x_job + "_1", "-o", "State"};
        SF_CHECK(await(30, sacct, "COMPLETED"));
        x_proved.push_back("sacct, through slurmdbd and its database: job " + x_job + " COMPLETED");
        return {};
    }

    // What failed is not to wait in the queue for ever.
    void cancel() {
        if (x_job.empty()) return;
        const auto done = call({"scancel", x_job}, true);
        if (!done || !done->exit.ok()) x.reporter.warning("job {} could not be cancelled", x_job);
    }

    void clean_up() {
        if (x_folder.empty()) return;
        const auto names = x.host.list(x_folder);
        bool gone = names.has_value();
        for (std::size_t i = 0; gone && i < names->size(); ++i)
            gone = x.host.remove(x_folder + '/' + (*names)[i]).has_value();
        gone = gone && x.host.remove(x_folder).has_value();
        if (!gone) x.reporter.warning("{} could not be removed", x_folder);
    }

    const Plan& x_plan;
    Context& x;
    base::Identity x_nobody{65534, 65534};
    std::string x_folder;
    std::string x_job;
    std::vector<std::string> x_proved;
};

}  // namespace

Result<std::vector<std::string>> smoke_test(const Plan& plan, Context& context) {
    return Smoke(plan, context).run();
}

}  // namespace sf::deploy
