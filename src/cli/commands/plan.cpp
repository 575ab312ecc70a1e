// SPDX-License-Identifier: Apache-2.0
// plan: what build-slurm would do, without doing it.
#include <CLI/CLI.hpp>

#include "build/engine.hpp"
#include "cli/build_inputs.hpp"
#include "cli/commands.hpp"
#include "sandbox/rootfs.hpp"

namespace sf::cli {

using base::Status;

namespace {

Status run_plan(Session& session, const BuildRequest& request) {
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, request));
    Sources sources(session, catalog, request);
    SF_TRY(const Choices choices, choose_versions(session, catalog, request, sources));

    sandbox::RootStore roots(session.state().roots(), session.voice);
    SF_TRY(const auto prepared, roots.current(toolchain->name));
    model::RootRecord root;
    root.toolchain = toolchain->name;
    if (prepared) root = prepared->record;
    SF_TRY(const build::Plan plan, plan_build(session, catalog, request, choices, root));

    const build::PackageStore store(session.state());
    build::History history(session.state().logs() / "times.json");
    const std::vector<double> seconds = build::estimate(plan, history);
    session.voice.line(fmt::format("Slurm {} for {} ({}), target {}", choices.slurm.version,
                                   toolchain->name, toolchain->title, plan.target));
    session.voice.line(prepared ? "root     " + prepared->record.digest.short_hex(12)
                                : std::string("root     not prepared yet: build-slurm makes it"));
    double left = 0;
    for (const model::NodeId id : plan.dag.nodes()) {
        const model::Spec& spec = plan.dag.at(id);
        std::string reason = "the root comes first";
        if (prepared) {
            SF_TRY(reason, build::reason_to_build(store, spec, false));
        }
        if (!reason.empty()) left += seconds[model::index(id)];
        const std::string name = prepared ? spec.store_name() : spec.name + "-" + spec.version;
        session.voice.line(fmt::format("{:<8} {:<34} {}", reason.empty() ? "have" : "build", name,
                                       reason.empty() ? "" : reason));
        base::Json dependencies = base::Json::array();
        for (const model::NodeId each : plan.dag.dependencies(id))
            dependencies.push_back(plan.dag.at(each).name);
        session.voice.event("planned", {{"package", spec.name},
                                        {"version", spec.version},
                                        {"identity", prepared ? spec.identity.hex() : ""},
                                        {"build", !reason.empty()},
                                        {"reason", reason},
                                        {"dependencies", dependencies}});
    }
    session.voice.line(fmt::format("about {:.0f} s of CPU time", left));
    return {};
}

}  // namespace

void add_plan(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand("plan", "Show what build-slurm would build, and why");
    const auto request = std::make_shared<BuildRequest>();
    add_build_options(*command, *request);
    command->fallthrough();
    command->footer(
        "Examples:\n"
        "  slurm-factory plan --slurm-version 25.11 --toolchain bookworm\n"
        "  slurm-factory plan --json | jq .");
    command->callback([&session, request] {
        session.action = [&session, request] { return run_plan(session, *request); };
    });
}

}  // namespace sf::cli
