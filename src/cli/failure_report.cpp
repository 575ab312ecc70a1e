// SPDX-License-Identifier: Apache-2.0
#include "cli/failure_report.hpp"

#include <sys/utsname.h>

#include "base/text.hpp"
#include "build/debug_bundle.hpp"
#include "cli/machine.hpp"

namespace sf::cli {

using base::Json;

namespace {

const char* word_of(build::NodeState state) {
    switch (state) {
        case build::NodeState::reused: return "in the store";
        case build::NodeState::built: return "built";
        case build::NodeState::unneeded: return "left out";
        case build::NodeState::failed: return "failed";
        case build::NodeState::skipped: return "not begun";
    }
    return "";
}

Json plan_of(const FailedRun& run) {
    Json packages = Json::array();
    for (const model::NodeId id : run.plan.dag.nodes()) {
        const model::Spec& spec = run.plan.dag.at(id);
        const build::NodeOutcome& outcome = run.report.nodes.at(model::index(id));
        Json dependencies = Json::array();
        for (const model::NodeId each : run.plan.dag.dependencies(id))
            dependencies.push_back(run.plan.dag.at(each).store_name());
        Json package{{"package", spec.store_name()},        {"identity", spec.identity.hex()},
                     {"identity_text", spec.identity_text}, {"dependencies", dependencies},
                     {"state", word_of(outcome.state)},     {"reason", outcome.reason}};
        if (outcome.state == build::NodeState::failed) package["error"] = outcome.error.text();
        packages.push_back(std::move(package));
    }
    return {{"toolchain", run.plan.toolchain},
            {"target", run.plan.target},
            {"jobs", run.jobs},
            {"packages", packages}};
}

Json machine_of(const FailedRun& run) {
    utsname kernel{};
    const bool known = ::uname(&kernel) == 0;
    const auto release = base::read_file_if_exists("/etc/os-release");
    const auto cpu = base::read_file_if_exists("/proc/cpuinfo");
    return {{"program", std::string("slurm-factory ") + program_version()},
            {"kernel", known ? std::string(kernel.release) : ""},
            {"os_release", release && *release ? **release : ""},
            {"cpu_level", cpu && *cpu ? cpu_level(**cpu) : ""},
            {"as_root", ::geteuid() == 0},
            {"root_digest", run.root.record.digest.hex()},
            {"root_made", run.root.made}};
}

}  // namespace

void report_failure(Session& session, const FailedRun& run) {
    const auto path = build::write_debug_bundle(session.state(), run.run_id,
                                                {{"plan.json", plan_of(run).dump(2) + "\n"},
                                                 {"machine.json", machine_of(run).dump(2) + "\n"}});
    if (!path) {
        session.voice.notice("the debug bundle could not be written: {}", path.error().text());
        return;
    }
    session.voice.info("debug bundle: {} (plan, step logs, config.log; for whoever helps you)",
                       base::escape_untrusted(path->string()));
    session.voice.event("debug_bundle", {{"path", path->string()}});
}

}  // namespace sf::cli
