// SPDX-License-Identifier: Apache-2.0
// plan: what build-slurm would do, without doing it.
#include <CLI/CLI.hpp>

#include "build/engine.hpp"
#include "cli/build_inputs.hpp"
#include "cli/buildcache.hpp"
#include "cli/commands.hpp"
#include "cli/taken_trust.hpp"
#include "sandbox/rootfs.hpp"

namespace sf::cli {

using base::Status;

namespace {

struct Options {
    BuildRequest request;
    BuildcacheRequest buildcache;
};

Status run_plan(Session& session, const Options& options) {
    const BuildRequest& request = options.request;
    SF_CHECK(check_buildcache_request(options.buildcache, false));
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

    const build::PackageStore store = store_of(session);
    build::History history(session.state().logs() / "times.json");
    const std::vector<double> seconds = build::estimate(plan, history);
    session.voice.line(fmt::format("Slurm {} for {} ({}), target {}", choices.slurm.version,
                                   toolchain->name, toolchain->title, plan.target));
    session.voice.line(prepared ? "root     " + prepared->record.digest.short_hex(12)
                                : std::string("root     not prepared yet: build-slurm makes it"));
    std::vector<Decision> decisions;
    if (options.buildcache.wanted() && prepared) {
        SF_TRY(const auto buildcache, Buildcache::open(session, options.buildcache, plan,
                                                       goals(plan, request), request.offline));
        SF_TRY(decisions, buildcache->decide());
    }
    double left = 0;
    for (const model::NodeId id : plan.dag.nodes()) {
        const model::Spec& spec = plan.dag.at(id);
        Decision decision{Decision::Way::build, "the root comes first"};
        if (!decisions.empty()) {
            decision = decisions[model::index(id)];
        } else if (prepared) {
            SF_TRY(decision.reason, build::reason_to_build(store, spec, false));
            if (decision.reason.empty()) decision.way = Decision::Way::have;
        }
        const bool build = decision.way == Decision::Way::build;
        if (build) left += seconds[model::index(id)];
        const std::string name = prepared ? spec.store_name() : spec.name + "-" + spec.version;
        session.voice.line(
            fmt::format("{:<9} {:<34} {}", way_text(decision.way), name, decision.reason));
        base::Json dependencies = base::Json::array();
        for (const model::NodeId each : plan.dag.dependencies(id))
            dependencies.push_back(plan.dag.at(each).name);
        session.voice.event("planned", {{"package", spec.name},
                                        {"version", spec.version},
                                        {"identity", prepared ? spec.identity.hex() : ""},
                                        {"build", build},
                                        {"way", way_text(decision.way)},
                                        {"reason", decision.reason},
                                        {"dependencies", dependencies}});
    }
    session.voice.line(fmt::format("about {:.0f} s of CPU time", left));
    return {};
}

}  // namespace

void add_plan(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand("plan", "Show what build-slurm would build, and why");
    const auto options = std::make_shared<Options>();
    add_build_options(*command, options->request);
    add_buildcache_options(*command, options->buildcache);
    command->fallthrough();
    command->footer(
        "Where a known advisory is open, add --allow-vulnerable.\n"
        "Examples:\n"
        "  slurm-factory plan --slurm-version 25.11 --toolchain bookworm\n"
        "  slurm-factory plan --buildcache deps --cache https://cache.example.org\n"
        "  slurm-factory plan --json | jq .");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_plan(session, *options); };
    });
}

}  // namespace sf::cli
