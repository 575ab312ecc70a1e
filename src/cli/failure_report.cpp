// SPDX-License-Identifier: Apache-2.0
#include "cli/failure_report.hpp"

#include <sys/utsname.h>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "build/debug_bundle.hpp"
#include "cli/machine.hpp"
#include "cli/runtime_choice.hpp"

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
    Json plan{
        {"toolchain", run.plan.toolchain}, {"target", run.plan.target}, {"packages", packages}};
    if (run.jobs > 0) plan["jobs"] = run.jobs;
    return plan;
}

Json failure_of(const base::Error& error) {
    return {{"error", error.text()}, {"hint", error.hint}};
}

Json machine() {
    utsname kernel{};
    const bool known = ::uname(&kernel) == 0;
    const auto release = base::read_file_if_exists("/etc/os-release");
    const auto cpu = base::read_file_if_exists("/proc/cpuinfo");
    return {{"program", std::string("slurm-factory ") + program_version()},
            {"kernel", known ? std::string(kernel.release) : ""},
            {"os_release", release && *release ? **release : ""},
            {"cpu_level", cpu && *cpu ? cpu_level(**cpu) : ""},
            {"as_root", ::geteuid() == 0}};
}

// A log may hold any bytes; what is no UTF-8 is replaced, not a reason to fail again.
std::string text_of(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_and_say(Session& session, const std::string& run_id,
                   const std::map<std::string, std::string>& texts, const char* what) {
    const auto path = build::write_debug_bundle(session.state(), run_id, texts);
    if (!path) {
        session.voice.notice("the debug bundle could not be written: {}", path.error().text());
        return;
    }
    session.voice.info("debug bundle: {} ({}; for whoever helps you)",
                       base::escape_untrusted(path->string()), what);
    session.voice.event("debug_bundle", {{"path", path->string()}});
}

}  // namespace

void report_failure(Session& session, const FailedRun& run) {
    Json here = machine();
    here["root_digest"] = run.root.record.digest.hex();
    here["root_made"] = run.root.made;
    std::map<std::string, std::string> texts{{"plan.json", text_of(plan_of(run))},
                                             {"machine.json", text_of(here)}};
    if (run.error != nullptr) texts["failure.json"] = text_of(failure_of(*run.error));
    write_and_say(
        session, run.run_id, texts,
        run.error == nullptr ? "plan, step logs, config.log" : "plan, logs of the daemons");
}

LogWatch::LogWatch(std::filesystem::path log) : x_log(std::move(log)), x_before(time()) {}

std::optional<LogWatch::Time> LogWatch::time() const {
    std::error_code error;
    const Time time = std::filesystem::last_write_time(x_log, error);
    return error ? std::nullopt : std::optional(time);
}

bool LogWatch::written() const {
    const std::optional<Time> now = time();
    return now && now != x_before;
}

void report_failed_root(Session& session, const std::string& toolchain, const LogWatch& watch,
                        const base::Error& error) {
    // A person who stopped it knows why.
    if (!watch.written() || base::stop_requested()) return;
    const base::Result<std::string> log = base::read_file(watch.log());
    if (!log) return;
    Json failure = failure_of(error);
    failure["toolchain"] = toolchain;
    write_and_say(session, run_id(),
                  {{"failure.json", text_of(failure)},
                   {"machine.json", text_of(machine())},
                   {watch.log().filename().string(), *log}},
                  "the log of the root's making");
}

}  // namespace sf::cli
