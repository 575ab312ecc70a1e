// SPDX-License-Identifier: Apache-2.0
#include "deploy/services.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "deploy/database.hpp"
#include "deploy/supervisor.hpp"

namespace sf::deploy {

using base::Code;
using base::Result;
using base::Status;

namespace {

class Systemd {
public:
    explicit Systemd(Host& host) : x_host(host) {}

    Result<base::Finished> call(std::vector<std::string> words) const {
        base::Command command;
        command.argv = {"systemctl"};
        command.argv.insert(command.argv.end(), words.begin(), words.end());
        command.environment = {
            {"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C"}, {"SYSTEMD_PAGER", "cat"}};
        command.deadline = std::chrono::seconds(180);
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
    SF_TRY(const bool enabled, systemd.is("is-enabled", unit));
    if (!enabled) {
        SF_CHECK(systemd.must({"enable", unit}));
        context.record.units.insert(unit);
        SF_CHECK(context.save());
        context.changed("unit " + unit + " enabled");
    }
    if (!plan.start) return {};
    SF_TRY(const bool active, systemd.is("is-active", unit));
    const bool ours = unit.starts_with("slurm") || unit.starts_with("sackd");
    if (active && !(context.restart && ours)) return {};
    SF_CHECK(systemd.must({active ? "restart" : "start", unit}));
    context.changed(unit + (active ? " restarted" : " started"));
    return {};
}

Status with_systemd(const Plan& plan, Context& context) {
    const Systemd systemd(context.host);
    if (context.restart) SF_CHECK(systemd.must({"daemon-reload"}));
    for (const std::string& unit : plan.units) {
        // Everything up to the server runs by now; the database must be there before slurmdbd.
        if (unit == "slurmdbd.service" && plan.database)
            SF_CHECK(make_database(*plan.database, context));
        SF_CHECK(base::during(start_unit(systemd, unit, plan, context), "starting " + unit));
    }
    return {};
}

Status with_supervisor(const Plan& plan, Context& context, const std::string& helper) {
    const std::string pid_file(supervisor_pid);
    if (std::ranges::any_of(plan.services,
                            [](const Service& each) { return each.name == "mariadbd"; })) {
        context.record.own_mariadb = true;
    }
    if (std::ranges::any_of(plan.services,
                            [](const Service& each) { return each.name == "munged"; })) {
        context.record.own_munge = true;
    }
    SF_CHECK(context.save());
    SF_TRY(const auto running, running_supervisor(pid_file));
    if (running && !context.restart) return {};
    if (running) {
        SF_CHECK(stop_supervisor(context.host, pid_file));
        context.reporter.info("stopped the daemons: what they read has changed");
    }
    if (plan.database) SF_CHECK(make_database(*plan.database, context));
    if (!plan.start) return {};
    SF_CHECK(start_supervisor(helper));
    std::vector<std::string> names;
    for (const Service& service : plan.services) names.push_back(service.name);
    context.changed("daemons started: " + base::join(names, ", "));
    return {};
}

}  // namespace

Status bring_up(const Plan& plan, Context& context, const std::string& helper) {
    if (plan.systemd) return with_systemd(plan, context);
    return with_supervisor(plan, context, helper);
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
    // The last started first; the distribution's own units stay as they are.
    std::vector<std::string> units(context.record.units.begin(), context.record.units.end());
    std::ranges::sort(units, [](const std::string& left, const std::string& right) {
        const auto rank = [](const std::string& unit) {
            if (unit.starts_with("slurmd.")) return 0;
            if (unit.starts_with("slurmctld")) return 1;
            if (unit.starts_with("slurmdbd")) return 3;
            if (unit.starts_with("munge")) return 4;
            return 2;
        };
        return rank(left) < rank(right);
    });
    for (const std::string& unit : units) {
        if (!context.record.files.contains("/etc/systemd/system/" + unit)) continue;
        SF_CHECK(systemd.must({"disable", "--now", unit}));
        context.reporter.info("stopped and disabled {}", unit);
        any = true;
    }
    return any;
}

}  // namespace sf::deploy
