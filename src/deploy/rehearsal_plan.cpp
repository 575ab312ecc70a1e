// SPDX-License-Identifier: Apache-2.0
#include "deploy/rehearsal_plan.hpp"

#include "base/text.hpp"
#include "deploy/names.hpp"
#include "model/bundle_layout.hpp"
#include "model/names.hpp"

namespace sf::deploy {

using base::Result;

namespace {

constexpr std::uint16_t controller_port = 6817;
constexpr std::uint16_t node_port = 6818;
constexpr std::size_t key_size = 1024;

// EnableIPv6 is not about IPv6: asked for IPv4 alone, with AI_ADDRCONFIG as Slurm does, the C
// library finds no name on a machine that has a loopback address and no other.
std::string slurm_conf(const RehearsalRequest& request, const std::string& munge_socket,
                       std::string_view slurm_user) {
    const std::string& at = request.folder;
    std::string text = fmt::format(
        "ClusterName=rehearsal\n"
        "SlurmctldHost={0}(localhost)\n"
        "SlurmUser={1}\n"
        "SlurmdUser={1}\n"
        "AuthType=auth/munge\n"
        "AuthInfo=socket={2}\n"
        "CredType=cred/munge\n"
        "CommunicationParameters=EnableIPv6\n"
        "SlurmctldPort={3}\n"
        "SlurmdPort={4}\n"
        "ProctrackType=proctrack/linuxproc\n"
        "TaskPlugin=task/none\n"
        "JobAcctGatherType=jobacct_gather/linux\n"
        "SelectType=select/cons_tres\n"
        "SelectTypeParameters=CR_Core\n"
        "MpiDefault=none\n"
        "MailProg=/bin/true\n"
        "ReturnToService=2\n"
        "SlurmdParameters=config_overrides\n"
        "StateSaveLocation={5}/state\n"
        "SlurmdSpoolDir={5}/spool\n"
        "SlurmctldPidFile={5}/run/slurmctld.pid\n"
        "SlurmdPidFile={5}/run/slurmd.pid\n",
        request.host, slurm_user, munge_socket, controller_port, node_port, at);
    if (request.gpu) text += "GresTypes=gpu\n";
    text += fmt::format(
        "NodeName={} NodeAddr=localhost CPUs=2 State=UNKNOWN\n"
        "PartitionName=all Nodes=ALL Default=YES MaxTime=10 State=UP\n",
        request.host);
    return text;
}

Service& add(RehearsalPlan& plan, const RehearsalRequest& request, const std::string& name,
             std::vector<std::string> arguments) {
    Service service;
    service.name = name;
    service.argv = {plan.view + "/sbin/" + name};
    service.argv.insert(service.argv.end(), arguments.begin(), arguments.end());
    service.environment = plan.environment;
    service.owner = {request.user, request.user};
    service.log = request.folder + "/log/" + name + ".log";
    plan.services.push_back(std::move(service));
    return plan.services.back();
}

void add_services(RehearsalPlan& plan, const RehearsalRequest& request) {
    const std::string run = request.folder + "/run/";
    add(plan, request, "munged",
        {"--foreground", "--key-file=" + plan.munge_key.path, "--socket=" + plan.munge_socket,
         "--pid-file=" + run + "munged.pid", "--seed-file=" + request.folder + "/state/seed"})
        .ready_socket = plan.munge_socket;
    add(plan, request, "slurmctld", {"-D"}).ready_port = controller_port;
    add(plan, request, "slurmd", {"-D"}).ready_port = node_port;
    if (!request.rest) return;
    plan.rest_socket = run + "slurmrestd.socket";
    Service& rest =
        add(plan, request, "slurmrestd", {"-a", "rest_auth/local", "unix:" + plan.rest_socket});
    rest.ready_socket = plan.rest_socket;
    // It refuses the uid of SlurmUser, and there is no other user here: its own configuration names
    // root. So it is asked what it serves, and not for the cluster's state. What it would unshare
    // the sandbox does not allow.
    rest.environment["SLURM_CONF"] = request.folder + "/etc/slurmrestd.conf";
    const std::string plugins = rest_plugins(request.version, false);
    if (!plugins.empty()) rest.environment["SLURMRESTD_OPENAPI_PLUGINS"] = plugins;
    rest.environment["SLURMRESTD_SECURITY"] = "disable_unshare_sysv,disable_unshare_files";
}

}  // namespace

Result<RehearsalPlan> plan_rehearsal(const RehearsalRequest& request) {
    SF_CHECK(check_host_name(request.host, "the host's name"));
    SF_CHECK(check_plain_path(request.folder));
    SF_CHECK(model::check_version(request.version));
    RehearsalPlan plan;
    const Owner owner{request.user, request.user};
    plan.view = request.tree + '/' + model::bundle_view_path(request.version);
    plan.munge_socket = request.folder + "/run/munge.socket";
    plan.munge_key = {request.folder + "/etc/munge.key", owner, 0400, key_size};
    plan.environment = {{"PATH", plan.view + "/bin:" + plan.view + "/sbin:/usr/bin:/bin"},
                        {"LC_ALL", "C.UTF-8"},
                        {"HOME", request.folder},
                        {"SLURM_CONF", request.folder + "/etc/slurm.conf"}};
    for (const char* name : {"etc", "log", "out", "run", "spool"})
        plan.folders.push_back({request.folder + '/' + name, owner, 0755});
    plan.folders.push_back({request.folder + "/state", owner, 0700});
    const auto file = [&](const char* name, std::string content) {
        plan.files.push_back(
            {request.folder + "/etc/" + name, owner, 0644, std::move(content), false});
    };
    file("slurm.conf", slurm_conf(request, plan.munge_socket, request.user));
    file("cgroup.conf", "CgroupPlugin=" + idle_cgroup_plugin(request.version) + '\n');
    if (request.gpu) file("gres.conf", "AutoDetect=nvml\n");
    if (request.rest) file("slurmrestd.conf", slurm_conf(request, plan.munge_socket, "root"));
    add_services(plan, request);
    return plan;
}

bool tells_of_missing_nvml(std::string_view slurmd_log) {
    return slurmd_log.find("configured with nvml functionality, but that lib wasn't found") !=
           std::string_view::npos;
}

}  // namespace sf::deploy
