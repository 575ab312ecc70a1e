// SPDX-License-Identifier: Apache-2.0
#include "deploy/rehearsal.hpp"

#include <chrono>
#include <unistd.h>

#include "base/text.hpp"
#include "deploy/accounts.hpp"
#include "deploy/await.hpp"
#include "deploy/local_http.hpp"
#include "deploy/rehearsal_plan.hpp"
#include "deploy/smoke.hpp"
#include "deploy/supervisor.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::chrono::seconds patience{10};
constexpr std::string_view served = "/openapi/v3";

class Rehearsal {
public:
    Rehearsal(RehearsalOptions options, Host& host, base::Reporter& reporter)
        : x_options(std::move(options)), x_host(host), x_reporter(reporter) {}

    Status run() {
        step("prepare");
        SF_CHECK(base::during(prepare(), "preparing"));
        step("start");
        SF_TRY(Daemons daemons, Daemons::start(x_plan.services, x_host, x_reporter));
        proved(fmt::format("{} run", names()));
        SmokeSubject jobs = subject();
        SF_TRY(const std::vector<std::string> lines, smoke_test(jobs, x_host, x_reporter));
        for (const std::string& line : lines) proved(line);
        SF_CHECK(base::during(daemons.check(), "running jobs"));
        step("plugins");
        SF_CHECK(base::during(own_plugins(), "asking slurmctld where its plugins are"));
        if (!x_plan.rest_socket.empty()) {
            step("slurmrestd");
            SF_CHECK(base::during(ask_rest(), "asking slurmrestd what it serves"));
        }
        if (x_options.gpu) {
            step("gpu");
            SF_CHECK(base::during(no_driver(), "looking for NVIDIA devices"));
        }
        step("end");
        SF_CHECK(base::during(daemons.end(), "ending the daemons"));
        return base::during(nothing_left(), "ending the daemons");
    }

private:
    void step(std::string_view name) { x_reporter.info("step: {}", name); }
    void proved(const std::string& text) {
        x_reporter.info("proved: {}", base::escape_untrusted(text));
    }
    [[nodiscard]] std::string names() const {
        std::vector<std::string> all;
        for (const Service& service : x_plan.services) all.push_back(service.name);
        return base::join(all, ", ");
    }

    Status prepare() {
        if (x_host.is_root()) {
            return base::fail_hint(Code::refused, "a rehearsal never runs as root",
                                   "let build-slurm --verify run it, in a sandbox");
        }
        Accounts accounts;
        SF_TRY(const std::string passwd, x_host.read("/etc/passwd"));
        SF_TRY(const std::string groups, x_host.read("/etc/group"));
        add_local(accounts, passwd, groups);
        const User* user = accounts.user_of(::geteuid());
        if (user == nullptr)
            return fail(Code::failed, "uid {} has no name in /etc/passwd", ::geteuid());
        x_user = *user;
        x_user.gid = ::getegid();
        RehearsalRequest request{x_options.tree,     x_options.version, x_options.folder,
                                 x_host.host_name(), x_user.name,       false,
                                 x_options.gpu};
        SF_TRY(const PathInfo rest,
               x_host.look(x_options.tree + "/views/" + x_options.version + "/sbin/slurmrestd"));
        request.rest = rest.type != PathInfo::Type::absent;
        SF_TRY(x_plan, plan_rehearsal(request));
        const Ids us{x_user.uid, x_user.gid};
        for (const PlannedFolder& folder : x_plan.folders)
            SF_CHECK(x_host.make_folder(folder.path, folder.mode, us));
        for (const PlannedFile& file : x_plan.files)
            SF_CHECK(x_host.write_file(file.path, file.content, file.mode, us));
        SF_TRY(const std::string key, x_host.random(x_plan.munge_key.size));
        return x_host.write_new(x_plan.munge_key.path, key, x_plan.munge_key.mode, us);
    }

    [[nodiscard]] SmokeSubject subject() {
        SmokeSubject subject;
        subject.view = x_plan.view;
        subject.node = x_host.host_name();
        subject.controller = true;
        subject.compute = true;
        subject.user = {x_user.uid, x_user.gid};
        subject.user_name = x_user.name;
        subject.become_user = false;
        subject.munge_socket = x_plan.munge_socket;
        subject.scratch = x_options.folder + "/out";
        subject.environment = {{"SLURM_CONF", x_plan.environment.at("SLURM_CONF")}};
        subject.logs = x_options.folder + "/log";
        subject.begins = [this](std::string_view name) { step(name); };
        return subject;
    }

    // Slurm found itself: its plugins are this tree's.
    Status own_plugins() {
        base::Command command;
        command.argv = {x_plan.view + "/bin/scontrol", "show", "config"};
        command.environment = x_plan.environment;
        command.deadline = std::chrono::seconds(30);
        SF_TRY(const base::Finished done, x_host.run(command));
        if (!done.exit.ok())
            return fail(Code::failed, "scontrol show config: {}: {}", done.exit.text(),
                        base::escape_untrusted(base::trim(done.err)));
        for (const std::string& line : base::split(done.out, '\n')) {
            if (!line.starts_with("PluginDir ")) continue;
            const std::string found(base::trim(line.substr(line.find('=') + 1)));
            if (!found.starts_with(x_options.tree + "/store/"))
                return fail(Code::failed, "PluginDir is '{}', not below '{}'",
                            base::escape_untrusted(found), base::escape_untrusted(x_options.tree));
            proved("plugins are taken from " + found);
            return {};
        }
        return fail(Code::failed, "scontrol show config names no PluginDir");
    }

    Status ask_rest() {
        SF_TRY(const std::string answer, local_http_get(x_plan.rest_socket, std::string(served)));
        // JSON may write a slash as it is or behind a backslash.
        if (base::replace_all(answer, "\\/", "/").find("/slurm/v0.0.") == std::string::npos)
            return fail(Code::failed, "{} names no version of Slurm's interface", served);
        proved("slurmrestd says what it serves");
        return {};
    }

    // Without the driver's library slurmd must run all the same, and say why it finds no device.
    Status no_driver() {
        const std::string log = x_options.folder + "/log/slurmd.log";
        SF_TRY(const std::string text, x_host.read(log));
        if (!tells_of_missing_nvml(text))
            return fail(Code::failed,
                        "slurmd does not say that NVIDIA's driver library is missing; is "
                        "gpu_nvml.so there?");
        proved("slurmd with AutoDetect=nvml runs, and says that the driver's library is missing");
        return {};
    }

    // No process of the tree is alive any more: a daemon that ended may have left others behind.
    Status nothing_left() {
        std::string alive;
        SF_TRY(const bool ended,
               await(x_host, patience, [&](std::chrono::milliseconds) -> Result<bool> {
                   alive.clear();
                   SF_TRY(const std::vector<std::string> processes, x_host.list("/proc"));
                   for (const std::string& process : processes) {
                       if (process.find_first_not_of("0123456789") != std::string::npos) continue;
                       const auto program = x_host.read_link("/proc/" + process + "/exe");
                       if (program && program->starts_with(x_options.tree + '/')) alive = *program;
                   }
                   return alive.empty();
               }));
        if (ended) {
            proved("every daemon has ended");
            return {};
        }
        return fail(Code::failed, "{} still runs", base::escape_untrusted(alive));
    }

    RehearsalOptions x_options;
    Host& x_host;
    base::Reporter& x_reporter;
    User x_user;
    RehearsalPlan x_plan;
};

}  // namespace

Result<RehearsalOptions> parse_rehearsal(const std::vector<std::string>& words) {
    RehearsalOptions options;
    for (const std::string& word : words) {
        const auto value = [&](std::string_view name, std::string& into) {
            if (!word.starts_with(name)) return false;
            into = word.substr(name.size());
            return true;
        };
        if (word == "--gpu") {
            options.gpu = true;
        } else if (!value("--tree=", options.tree) && !value("--version=", options.version) &&
                   !value("--folder=", options.folder)) {
            return fail(Code::usage, "rehearse takes no '{}'", base::escape_untrusted(word));
        }
    }
    if (options.tree.empty() || options.version.empty() || options.folder.empty())
        return fail(Code::usage, "rehearse wants --tree=DIR, --version=EXACT and --folder=DIR");
    return options;
}

Status rehearse(const RehearsalOptions& options, Host& host, base::Reporter& reporter) {
    return Rehearsal(options, host, reporter).run();
}

}  // namespace sf::deploy
