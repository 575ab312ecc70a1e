// SPDX-License-Identifier: Apache-2.0
// cache push: what this machine has built goes into a cache, without building; proven and signed as
// by build-slurm --publish.
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "build/engine.hpp"
#include "build/target.hpp"
#include "cli/build_inputs.hpp"
#include "cli/build_signing.hpp"
#include "cli/cache_verbs.hpp"
#include "cli/delivery.hpp"
#include "cli/runtime_choice.hpp"
#include "cli/signing_key.hpp"
#include "cli/taken_trust.hpp"
#include "sandbox/rootfs.hpp"

namespace sf::cli {

namespace {

using base::Code;
using base::Result;
using base::Status;

struct Options {
    BuildRequest request;
    SigningRequest signing;
    PublishRequest publish;
    BundleWishes wishes;
    std::string runtime = "bwrap";
};

// What makes all that is missing.
std::string build_command(const Options& options, const std::string& toolchain,
                          const std::string& version) {
    std::string command = fmt::format("slurm-factory build-slurm --slurm-version {} --toolchain {}",
                                      base::shell_quote(version), toolchain);
    if (options.request.target != BuildRequest().target)
        command += " --target " + options.request.target;
    if (options.publish.vulnerable) command += " --allow-vulnerable";
    return command;
}

Status missing(const std::vector<std::string>& what, const std::string& command) {
    return base::fail_hint(
        Code::absent,
        fmt::format("not all that is to be published is here; missing: {}", base::join(what, ", ")),
        command);
}

// As a build would report it that found everything there; or what is missing.
Result<build::BuildReport> report_of(Session& session, const build::Plan& plan,
                                     std::vector<std::string>& lacking) {
    const build::PackageStore store = store_of(session);
    build::BuildReport report;
    report.nodes.resize(plan.dag.size());
    for (build::NodeOutcome& node : report.nodes) node.state = build::NodeState::unneeded;
    const model::NodeId slurm = *plan.dag.find("slurm");
    std::vector<bool> runs(plan.dag.size());
    for (const model::NodeId id : plan.dag.runtime_closure(slurm)) runs[model::index(id)] = true;
    for (const model::NodeId id : plan.dag.nodes()) {
        const std::string name = plan.dag.at(id).store_name();
        SF_TRY(auto package, store.find(name));
        const bool fits = package && package->identity == plan.dag.at(id).identity;
        if (!fits && runs[model::index(id)]) {
            SF_TRY(const auto doubt, store.doubt_about(name));
            lacking.push_back(doubt ? fmt::format("{} ({})", name, *doubt) : name);
        }
        if (!fits) continue;
        build::NodeOutcome& node = report.nodes[model::index(id)];
        node.state = build::NodeState::reused;
        node.package = std::move(*package);
        SF_TRY(node.taken, store.taken(name));
    }
    return report;
}

Status sources_are_there(Sources& sources, const build::Plan& plan,
                         std::vector<std::string>& lacking) {
    for (const model::NodeId id : plan.dag.nodes()) {
        const model::SourceFile& source = plan.version(id).source;
        SF_TRY(const auto there, sources.store().find(source));
        if (!there) lacking.push_back("the source " + source.file);
    }
    return {};
}

Status run(Session& session, Options options) {
    // As a configuration file may say it for build-slurm.
    if (!options.publish.wanted())
        return base::fail_hint(Code::usage, "--publish none publishes nothing",
                               "say what: --publish all");
    SF_CHECK(check_publish_request(session, options.publish));
    SF_CHECK(check_signing_request(session, options.signing));
    options.request.publishing = true;
    options.request.publish_older = options.publish.older;
    options.request.publish_vulnerable = options.publish.vulnerable;
    options.request.allow_vulnerable = options.publish.vulnerable;
    options.request.offline = true;  // what is not here is said, not fetched
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, options.request));
    SF_CHECK(build::check_target(options.request.target));
    sandbox::RootStore roots(session.state().roots(), session.voice);
    SF_TRY(const auto root, roots.current(toolchain->name));
    if (!root)
        return missing({"the root of " + toolchain->name},
                       build_command(options, toolchain->name, options.request.slurm_version));
    Sources sources(session, catalog, options.request);
    Result<Choices> choices = choose_versions(session, catalog, options.request, sources);
    if (!choices) {
        base::Error error = std::move(choices).error();
        if (error.code == Code::absent || error.code == Code::unreachable)
            error.hint = build_command(options, toolchain->name, options.request.slurm_version);
        return tl::unexpected(std::move(error));
    }
    const std::string& version = choices->slurm.version;
    SF_TRY(const build::Plan plan,
           plan_build(session, catalog, options.request, *choices, root->record));
    std::vector<std::string> lacking;
    SF_TRY(const build::BuildReport report, report_of(session, plan, lacking));
    SF_CHECK(sources_are_there(sources, plan, lacking));
    if (!lacking.empty()) return missing(lacking, build_command(options, toolchain->name, version));
    session.voice.info("Slurm {} for {} ({}): all of it is here", version, toolchain->name,
                       toolchain->title);
    SF_TRY(const auto signer, choose_signer(session, options.signing));
    SF_TRY(const publish::SigningPlan papers,
           signing_plan_of(session,
                           {plan, *toolchain, root->record, options.wishes, options.publish}));
    SF_CHECK(say_plan(*signer, papers));
    const build::PackageStore store = store_of(session);
    for (const build::NodeOutcome& node : report.nodes)
        if (node.state == build::NodeState::reused)
            SF_CHECK(base::during(hand_over_package(*signer, store, node.package),
                                  "handing " + node.package.store_name() + " to the signer"));
    return deliver(session,
                   {plan, report, *toolchain, *root, catalog, options.wishes, options.publish, true,
                    options.runtime, run_id()},
                   *signer);
}

}  // namespace

void add_cache_push(CLI::App& group, Session& session) {
    CLI::App* command = group.add_subcommand(
        "push", "Publish what was built here, without building: proven, signed, put into a cache");
    const auto options = std::make_shared<Options>();
    options->publish.what = "all";
    command
        ->add_option("PLACE", options->publish.to,
                     "The cache: a name of 'cache list', a folder, file:// or s3://")
        ->required();
    add_choice_options(*command, options->request);
    command
        ->add_option("--publish", options->publish.what,
                     "What of it: Slurm and its bundle, its dependencies, all, or all but the "
                     "bundle (spack)")
        ->capture_default_str()
        ->check(CLI::IsMember({"none", "slurm", "deps", "spack", "all"}))
        ->type_name("WHAT");
    add_publish_permissions(*command, options->publish);
    add_bundle_wishes(*command, options->wishes);
    add_runtime_option(*command, options->runtime);
    add_signing_options(*command, options->signing);
    command->fallthrough();
    command->footer(
        "The bundle is made if it is not there, and proven as by build-slurm --verify. Where "
        "something is\n"
        "missing nothing is published, and the command is said that builds it.\n"
        "Examples:\n"
        "  slurm-factory cache push /srv/slurm-cache\n"
        "  slurm-factory cache push s3://slurm-cache --slurm-version 25.11 --toolchain bookworm");
    command->callback([&session, options] {
        session.action = [&session, options] { return run(session, *options); };
    });
}

}  // namespace sf::cli
