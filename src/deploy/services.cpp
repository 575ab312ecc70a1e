// SPDX-License-Identifier: Apache-2.0
#include "deploy/services.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "deploy/await.hpp"
#include "deploy/controller_state.hpp"
#include "deploy/database.hpp"
#include "deploy/facts.hpp"
#include "deploy/host_lease.hpp"
#include "deploy/listening.hpp"
#include "deploy/ports.hpp"
#include "deploy/supervisor.hpp"

namespace sf::deploy {

using base::Code;
using base::fail_hint;
using base::Result;
using base::Status;

namespace {

constexpr std::string_view unit_folder = "/etc/systemd/system/";
constexpr std::chrono::minutes listen_patience{1};

class Systemd {
public:
    explicit Systemd(Host& host) : x_host(host) {}

    Result<base::Finished> call(std::vector<std::string> words) const {
        // TimeoutStopSec of slurmdbd.service and mariadb.service is 900.
        const bool stops = words.front() == "stop" || words.front() == "restart";
        base::Command command;
        command.argv = {"systemctl"};
        command.argv.insert(command.argv.end(), words.begin(), words.end());
        command.environment = {
            {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C"}, {"SYSTEMD_PAGER", "cat"}};
        command.deadline = std::chrono::seconds(stops ? 1000 : 180);
        return x_host.run(command);
    }
    Status must(const std::vector<std::string>& words) const {
        SF_TRY(const base::Finished done, call(words));
        if (done.exit.ok()) return {};
        const std::string& unit = words.back();
        return base::fail_hint(Code::failed,
                               fmt::format("systemctl {}: {}", base::shell_join(words),
                                           base::escape_untrusted(base::trim(done.err))),
                               "see: journalctl -u " + unit + " -n 20, and /var/log/slurm");
    }
    Result<bool> is(const char* what, const std::string& unit) const {
        SF_TRY(const base::Finished done, call({what, "--quiet", unit}));
        return done.exit.ok();
    }

private:
    Host& x_host;
};

Status start_unit(const Systemd& systemd, const std::string& unit, const Plan& plan,
                  Context& context) {
    // Its files are no reason to restart daemons; what is in them now is to count all the same.
    if (unit == lease_timer && !context.record.restart_due)
        SF_CHECK(systemd.must({"daemon-reload"}));
    SF_TRY(const bool enabled, systemd.is("is-enabled", unit));
    if (!enabled) {
        SF_CHECK(systemd.must({"enable", unit}));
        context.record.units.insert(unit);
        SF_CHECK(context.save());
        context.changed("unit " + unit + " enabled");
    }
    if (!plan.start) return {};
    SF_TRY(const bool active, systemd.is("is-active", unit));
    const bool ours = context.record.files.contains(std::string(unit_folder) + unit);
    if (active && !(context.record.restart_due && ours)) return {};
    SF_CHECK(systemd.must({active ? "restart" : "start", unit}));
    context.changed(unit + (active ? " restarted" : " started"));
    return {};
}

// munged and slurmdbd do not tell systemd when they are ready, and what is started next needs them.
Status wait_until_listening(const Systemd& systemd, const std::string& unit, Context& context) {
    const bool munge = unit == "munge.service" && context.record.own_munge;
    if (!munge && unit != "slurmdbd.service") return {};
    const auto dbd_port = configured_port(
        context.host, {std::string(slurmdbd_conf_path), std::string(slurmdbd_port_name)},
        slurmdbd_port);
    // Whoever needs it asks again; the smoke test as well.
    if (!munge && !dbd_port) return {};
    SF_TRY(const bool listens,
           await(context.host, listen_patience, [&](std::chrono::milliseconds) -> Result<bool> {
               SF_TRY(const Listeners listeners, find_listeners(context.host));
               return munge ? listeners.sockets.contains(std::string(munge_socket_path))
                            : listeners.ports.contains(*dbd_port);
           }));
    if (listens) return {};
    SF_TRY(const bool active, systemd.is("is-active", unit));
    const std::string see = "journalctl -u " + unit + " -n 20, and /var/log/slurm";
    if (!active) return fail_hint(Code::failed, unit + " ended by itself", "see: " + see);
    return fail_hint(Code::exhausted, unit + " runs, but does not listen yet",
                     munge ? "see: " + see
                           : "slurmdbd waits for its database, or converts one of an older Slurm, "
                             "which takes its time and must not be stopped: see " +
                                 see + "; then run this again");
}

// Under systemd the database server is the distribution's unit: a second one of ours beside it
// would be one too many.
Status database_before_dbd(const Plan& plan, Context& context) {
    if (!plan.database || !plan.database->local) return {};
    SF_TRY(const Listeners listeners, find_listeners(context.host));
    if (!listening_mariadb(listeners).empty()) return make_database(*plan.database, context);
    if (!plan.start) {
        context.reporter.notice(
            "MariaDB does not run: the database is made by --start-services, before slurmdbd");
        return {};
    }
    return fail_hint(
        Code::failed,
        "MariaDB was started, but listens on none of the sockets known: " +
            base::join(std::vector<std::string>(mariadb_sockets.begin(), mariadb_sockets.end()),
                       ", "),
        "see: systemctl status mariadb.service");
}

Status with_systemd(const Plan& plan, Context& context) {
    const Systemd systemd(context.host);
    if (context.record.restart_due) SF_CHECK(systemd.must({"daemon-reload"}));
    for (const std::string& unit : plan.units) {
        // Everything up to the server runs by now; the database must be there before slurmdbd.
        if (unit == "slurmdbd.service") SF_CHECK(database_before_dbd(plan, context));
        SF_CHECK(base::during(start_unit(systemd, unit, plan, context), "starting " + unit));
        if (!plan.start) continue;
        SF_CHECK(wait_until_listening(systemd, unit, context));
        if (unit != "slurmctld.service") continue;
        SF_TRY(const bool owed, usage_is_owed(plan, context.host));
        if (owed) SF_CHECK(systemd.must({"restart", unit}));
    }
    return {};
}

// What a new slurmctld owes; also where an earlier run was interrupted before.
Status settle(const Plan& plan, Context& context) {
    SF_TRY(const bool owed, usage_is_owed(plan, context.host));
    if (!owed) return {};
    return base::during(save_usage(plan, context), "making slurmctld write its state down");
}

Status with_supervisor(const Plan& plan, Context& context, const std::string& helper) {
    const std::string pid_file(supervisor_pid);
    if (std::ranges::any_of(plan.services,
                            [](const Service& each) { return each.name == "mariadbd"; })) {
        context.record.own_mariadb = true;
    }
    SF_CHECK(context.save());
    SF_TRY(const auto running, running_supervisor(pid_file));
    if (running && !context.record.restart_due)
        return plan.start ? settle(plan, context) : Status();
    if (running && !plan.start) {
        context.reporter.notice(
            "the daemons run on as they were; what has changed counts from the next "
            "--full-init or --start-services");
        return {};
    }
    // Before anything is stopped: without its database slurmdbd would not come back.
    if (plan.database) SF_CHECK(make_database(*plan.database, context));
    if (!plan.start) return {};
    if (running) {
        SF_CHECK(stop_supervisor(context.host, pid_file));
        context.reporter.info("stopped the daemons: what they read has changed");
    }
    SF_CHECK(start_supervisor(helper, context.reporter, plan.after_boot));
    std::vector<std::string> names;
    for (const Service& service : plan.services) names.push_back(service.name);
    context.changed("daemons started: " + base::join(names, ", "));
    return settle(plan, context);
}

}  // namespace

Status bring_up(const Plan& plan, Context& context, const std::string& helper) {
    SF_CHECK(plan.systemd ? with_systemd(plan, context) : with_supervisor(plan, context, helper));
    if (!plan.start) return {};
    context.record.restart_due = false;
    return context.save();
}

std::vector<std::string> own_units(const Record& record) {
    std::vector<std::string> units;
    for (const auto& [path, digests] : record.files) {
        if (path.starts_with(unit_folder) &&
            (path.ends_with(".service") || path.ends_with(".timer")))
            units.push_back(path.substr(unit_folder.size()));
    }
    // The last started first.
    std::ranges::stable_sort(units, [](const std::string& left, const std::string& right) {
        const auto rank = [](const std::string& unit) {
            if (unit.ends_with(".timer")) return -1;  // or it starts its service again
            if (unit.starts_with("slurmd.")) return 0;
            if (unit.starts_with("slurmctld")) return 1;
            if (unit.starts_with("slurmdbd")) return 3;
            if (unit.starts_with("munge")) return 4;
            return 2;
        };
        return rank(left) < rank(right);
    });
    return units;
}

Status stop_writers(Context& context) {
    SF_TRY(const auto running, running_supervisor(std::string(supervisor_pid)));
    if (running) {
        SF_CHECK(stop_supervisor(context.host, std::string(supervisor_pid)));
        context.reporter.info("stopped the daemons");
    }
    const Systemd systemd(context.host);
    for (const std::string& unit : own_units(context.record)) {
        if (unit != "slurmctld.service" && unit != "slurmdbd.service") continue;
        SF_TRY(const PathInfo info, context.host.look(std::string(unit_folder) + unit));
        if (info.type == PathInfo::Type::absent) continue;
        // Whatever it is doing: it may be about to start.
        SF_CHECK(systemd.must({"stop", unit}));
        context.reporter.info("stopped {}", unit);
    }
    return {};
}

Result<bool> bring_down(Context& context) {
    bool any = false;
    SF_TRY(const auto running, running_supervisor(std::string(supervisor_pid)));
    if (running) {
        SF_CHECK(stop_supervisor(context.host, std::string(supervisor_pid)));
        context.reporter.info("stopped the daemons");
        any = true;
    }
    const Systemd systemd(context.host);
    for (const std::string& unit : own_units(context.record)) {
        SF_TRY(const PathInfo info, context.host.look(std::string(unit_folder) + unit));
        // Never written, or taken back before an interruption.
        if (info.type == PathInfo::Type::absent) continue;
        SF_CHECK(systemd.must({"disable", "--now", unit}));
        context.reporter.info("stopped and disabled {}", unit);
        any = true;
    }
    return any;
}

}  // namespace sf::deploy
