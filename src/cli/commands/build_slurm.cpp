// SPDX-License-Identifier: Apache-2.0
// build-slurm: the main job. Choose versions, prepare the root, fetch, build, gate, pack, bundle,
// sign.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <sched.h>
#include <set>

#include "base/stop.hpp"
#include "base/text.hpp"
#include "build/engine.hpp"
#include "build/target.hpp"
#include "cli/build_inputs.hpp"
#include "cli/build_signing.hpp"
#include "cli/buildcache.hpp"
#include "cli/commands.hpp"
#include "cli/delivery.hpp"
#include "cli/failure_report.hpp"
#include "cli/local_cache.hpp"
#include "cli/module_hierarchy.hpp"
#include "cli/progress.hpp"
#include "cli/root_preparation.hpp"
#include "cli/runtime_choice.hpp"
#include "cli/signing_key.hpp"
#include "cli/taken_trust.hpp"

namespace sf::cli {

using base::Result;
using base::Status;

namespace {

struct Options {
    BuildRequest request;
    SigningRequest signing;
    PublishRequest publish;
    BuildcacheRequest buildcache;
    bool keep_going = false;
    bool keep_failed = false;
    bool no_cache = false;
    bool ccache = false;  // even where it is not used by default
    bool no_ccache = false;
    bool explain = false;
    bool verify = false;
    BundleWishes wishes;
    std::string runtime = "bwrap";
    std::string local_cache;
};

// What others run is compiled, not taken from what some earlier build of that package left behind;
// where somebody wants it all the same, the provenance says so.
bool uses_ccache(const Options& options) {
    if (options.no_ccache) return false;
    return options.ccache || !(options.no_cache || options.publish.wanted());
}

unsigned processors() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

// Why a package is built, or what it is if it is not.
Result<std::string> explained(const build::PackageStore& store, const model::Spec& spec,
                              const std::string& reason, const std::vector<Decision>& decisions,
                              model::NodeId id) {
    if (!reason.empty()) return decisions.empty() ? reason : decisions.at(model::index(id)).reason;
    SF_TRY(const auto taken, store.taken(spec.store_name()));
    return taken ? "in the store, " + build::taken_text(*taken) : std::string("in the store");
}

Result<build::BuildReport> build_all(Session& session, const Options& options,
                                     const std::string& run, const build::Plan& plan,
                                     const model::Toolchain& toolchain,
                                     const sandbox::PreparedRoot& root,
                                     std::vector<std::filesystem::path> sources,
                                     const std::vector<Decision>& decisions,
                                     build::History& history, const trust::Signer* signer) {
    const unsigned jobs = options.request.jobs > 0 ? options.request.jobs : processors();
    const std::unique_ptr<sandbox::Runner> runner = make_runner(options.runtime);
    const build::PackageStore store = store_of(session);
    const std::vector<double> seconds = build::estimate(plan, history);
    const std::set<model::NodeId> left_out = unneeded(decisions);
    std::map<std::string, double> expected;
    bool something_to_build = false;
    for (const model::NodeId id : plan.dag.nodes()) {
        const model::Spec& spec = plan.dag.at(id);
        SF_TRY(const std::string reason, build::reason_to_build(store, spec, options.no_cache));
        if (left_out.contains(id)) {
            if (options.explain)
                session.voice.line(spec.store_name() +
                                   ": left out: nothing that is built needs it");
            continue;
        }
        expected[spec.store_name()] = reason.empty() ? 0 : seconds[model::index(id)];
        something_to_build = something_to_build || !reason.empty();
        if (options.explain) {
            SF_TRY(const std::string why, explained(store, spec, reason, decisions, id));
            session.voice.line(fmt::format("{}: {}", spec.store_name(), why));
        }
    }
    // Better a clear word now than a failure of the first package, or after the last.
    if (something_to_build || options.verify) SF_CHECK(runner->probe());

    Progress progress(session, std::move(expected), jobs);
    HandingOver observer(progress, store, signer);
    build::BuilderOptions builder;
    builder.jobs = jobs;
    builder.ccache = uses_ccache(options);
    builder.keep_failed = options.keep_failed;
    builder.run_id = run;
    const build::BuildContext context{plan,
                                      session.state(),
                                      root.tree,
                                      toolchain.host_libraries,
                                      sandbox_files(session),
                                      std::move(sources),
                                      *runner,
                                      observer,
                                      builder,
                                      doubt_of(session)};
    SF_TRY(build::BuildReport report,
           build::bring_up_to_date(context, {jobs, options.keep_going, options.no_cache, left_out},
                                   history));
    if (report.ok()) SF_CHECK(observer.status());
    // A person who stopped it knows why.
    if (!report.ok() && !base::stop_requested())
        report_failure(session, {plan, report, root, run, jobs, nullptr});
    return report;
}

Result<std::set<model::NodeId>> to_build(Session& session, const build::Plan& plan, bool rebuild) {
    const build::PackageStore store = store_of(session);
    std::set<model::NodeId> ids;
    for (const model::NodeId id : plan.dag.nodes()) {
        SF_TRY(const std::string reason, build::reason_to_build(store, plan.dag.at(id), rebuild));
        if (!reason.empty()) ids.insert(id);
    }
    return ids;
}

// Wishes about the bundle make no sense where none is made.
Status check_wishes(const Options& options) {
    const auto& packages = options.request.packages;
    if (packages.empty() || std::find(packages.begin(), packages.end(), "slurm") != packages.end())
        return {};
    for (const auto& [said, name] : {std::pair{options.verify, "--verify"},
                                     {options.wishes.gpu, "--gpu"},
                                     {options.publish.wanted(), "--publish"},
                                     {options.wishes.hierarchy, "--enable-hierarchy"}})
        if (said)
            return base::fail_hint(
                base::Code::usage,
                fmt::format("{} is about the bundle, and --package makes none", name),
                "leave --package out, or name slurm");
    return {};
}

// Whether anything will be signed, as far as words tell: what is named may need Slurm, too.
bool signs(const Options& options) {
    const auto& packages = options.request.packages;
    return !options.local_cache.empty() || packages.empty() ||
           std::ranges::find(packages, "slurm") != packages.end();
}

Status run_build(Session& session, const Options& options) {
    SF_CHECK(check_wishes(options));
    SF_CHECK(check_publish_request(session, options.publish));
    SF_CHECK(check_buildcache_request(options.buildcache, options.no_cache));
    SF_CHECK(check_signing_request(session, options.signing));
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    SF_TRY(const model::Toolchain* toolchain, choose_toolchain(session, catalog, options.request));
    SF_CHECK(build::check_target(options.request.target));
    Sources sources(session, catalog, options.request);
    SF_TRY(const Choices choices, choose_versions(session, catalog, options.request, sources));
    session.voice.info("Slurm {} for {} ({})", choices.slurm.version, toolchain->name,
                       toolchain->title);

    // Before anything of others runs.
    std::unique_ptr<trust::SignerProcess> signer;
    if (signs(options)) {
        SF_TRY(signer, choose_signer(session, options.signing));
    }
    SF_TRY(const sandbox::PreparedRoot root, prepare_root(session, *toolchain));
    // Better now than after the build: the hierarchy is named after the root's compiler.
    if (options.wishes.hierarchy)
        SF_CHECK(model::gcc_version(root.record.compiler).map([](const std::string&) {}));
    SF_TRY(const build::Plan plan,
           plan_build(session, catalog, options.request, choices, root.record));
    // Without a build cache first: a source that cannot be had is said before anything else.
    const bool from_caches = options.buildcache.wanted();
    std::vector<std::filesystem::path> files;
    if (!from_caches) {
        SF_CHECK(say_doubts(session, plan.dag));
        SF_TRY(const std::set<model::NodeId> unbuilt, to_build(session, plan, options.no_cache));
        // Who publishes a package publishes its sources.
        SF_TRY(files, fetch_sources(session, plan, sources, [&](model::NodeId id) {
                   return options.publish.wanted() || unbuilt.contains(id);
               }));
    }
    if (!options.local_cache.empty())
        SF_CHECK(open_local_cache(session, plan, options.local_cache, !options.no_cache));
    std::vector<Decision> decisions;
    if (from_caches) {
        SF_TRY(const auto buildcache,
               Buildcache::open(session, options.buildcache, plan, goals(plan, options.request),
                                options.request.offline));
        SF_CHECK(say_doubts(session, plan.dag));
        SF_TRY(decisions, buildcache->take());
        const auto wanted = [&](model::NodeId id) {
            return options.publish.wanted() ||
                   decisions[model::index(id)].way == Decision::Way::build;
        };
        SF_TRY(files, fetch_sources(session, plan, sources, wanted));
    }
    const bool with_bundle = plan.dag.find("slurm").has_value();
    if (with_bundle && !signer) {
        SF_TRY(signer, choose_signer(session, options.signing));
    }
    // After what was taken is there: what is in the store now must be the same when it is signed.
    if (signer) {
        SF_TRY(const publish::SigningPlan papers,
               signing_plan_of(session,
                               {plan, *toolchain, root.record, options.wishes, options.publish,
                                options.no_cache, !options.local_cache.empty()}));
        SF_CHECK(say_plan(*signer, papers));
    }
    const std::string run = run_id();
    build::History history(session.state().logs() / "times.json");
    SF_TRY(const build::BuildReport report,
           build_all(session, options, run, plan, *toolchain, root, std::move(files), decisions,
                     history, signer.get()));
    SF_CHECK(report.status());
    session.voice.info("packages are up to date after {}",
                       base::human_seconds(report.wall_seconds));
    if (!with_bundle) {
        for (const build::NodeOutcome& node : report.nodes)
            if (node.state != build::NodeState::unneeded)
                session.voice.line(
                    (session.state().packages() / node.package.store_name()).string());
        if (options.local_cache.empty()) return {};
    }
    if (with_bundle)
        SF_CHECK(deliver(session,
                         {plan, report, *toolchain, root, catalog, options.wishes, options.publish,
                          options.verify, options.runtime, run},
                         *signer));
    // After the bundle: what others share does not keep this machine waiting for its own, and only
    // what was proven, if that was asked for, is shared.
    if (options.local_cache.empty()) return {};
    return put_into_local_cache(session, report, options.local_cache, *signer);
}

}  // namespace

void add_build_slurm(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand(
        "build-slurm", "Build Slurm and what it needs; leave a signed, relocatable bundle");
    command->alias("build");
    const auto options = std::make_shared<Options>();
    add_build_options(*command, options->request);
    add_signing_options(*command, options->signing);
    add_publish_options(*command, options->publish);
    add_buildcache_options(*command, options->buildcache);
    command->add_flag("-k,--keep-going", options->keep_going,
                      "After a failure, build what does not depend on it");
    command->add_flag("--keep-failed", options->keep_failed,
                      "Leave the build folder of a failed package for a look");
    command->add_flag("--no-cache", options->no_cache,
                      "Ignore stored packages and the compiler cache; build everything");
    CLI::Option* ccache = command->add_flag(
        "--ccache", options->ccache,
        "Use the compiler cache also with --no-cache and --publish, which do not; "
        "the provenance names what it took part in");
    CLI::Option* no_ccache =
        command->add_flag("--no-ccache", options->no_ccache, "Do not use the compiler cache");
    no_ccache->excludes(ccache);
    command
        ->add_option("--local-cache", options->local_cache,
                     "A folder of signed packages: those of trusted keys are taken from it before "
                     "building, what it lacks is signed and put there after")
        ->envname("SLURM_FACTORY_LOCAL_CACHE")
        ->type_name("DIR");
    add_runtime_option(*command, options->runtime);
    add_bundle_wishes(*command, options->wishes);
    command->add_flag("--verify", options->verify,
                      "Then unpack the bundle, start its daemons in a sandbox, run jobs, move it, "
                      "do it again");
    command->add_flag("--explain", options->explain, "Say why each package is built or taken");
    command->fallthrough();
    command->footer(
        "Where a known advisory is open, add --allow-vulnerable.\n"
        "Examples:\n"
        "  slurm-factory build-slurm\n"
        "  slurm-factory build-slurm --slurm-version 25.11 --toolchain bookworm\n"
        "  slurm-factory build-slurm --slurm-version 25.11.2 --jobs 8 --explain\n"
        "  slurm-factory build-slurm --verify --gpu --enable-hierarchy\n"
        "  slurm-factory build-slurm --package munge --offline\n"
        "  slurm-factory build-slurm --buildcache deps --cache https://cache.example.org");
    command->callback([&session, options, ccache, no_ccache] {
        // What is said here is stronger than what a configuration file says of the other.
        if (ccache->count() > 0) options->no_ccache = false;
        if (no_ccache->count() > 0) options->ccache = false;
        options->request.publishing = options->publish.wanted();
        options->request.publish_older = options->publish.older;
        options->request.publish_vulnerable = options->publish.vulnerable;
        session.action = [&session, options] { return run_build(session, *options); };
    });
}

}  // namespace sf::cli
