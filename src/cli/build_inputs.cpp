// SPDX-License-Identifier: Apache-2.0
#include "cli/build_inputs.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/archive_places.hpp"
#include "cli/root_preparation.hpp"
#include "model/names.hpp"

namespace sf::cli {

using base::Code;
using base::Result;
namespace fs = std::filesystem;

void add_choice_options(CLI::App& app, BuildRequest& request) {
    app.add_option(
           "--slurm-version", request.slurm_version,
           "A series (25.11: its newest release that can be had) or an exact release (25.11.2)")
        ->capture_default_str()
        ->envname("SLURM_FACTORY_SLURM_VERSION")
        ->type_name("VERSION");
    app.add_option("--toolchain", request.toolchain,
                   "The distribution to build for (default: this machine's); see toolchain list")
        ->envname("SLURM_FACTORY_TOOLCHAIN")
        ->type_name("NAME");
    app.add_option("--target", request.target, "The CPU level to build for")
        ->capture_default_str()
        ->type_name("TARGET");
}

void add_build_options(CLI::App& app, BuildRequest& request) {
    add_choice_options(app, request);
    app.add_option("--package", request.packages,
                   "Only this package and what it needs (repeatable)")
        ->type_name("NAME");
    app.add_option("--source-mirror", request.mirrors,
                   "A folder or URL to look for sources in first (repeatable)")
        ->envname("SLURM_FACTORY_SOURCE_MIRROR")
        ->type_name("URL");
    app.add_flag("--offline", request.offline,
                 "Use what is on this machine; never ask the network");
    app.add_flag("--allow-vulnerable", request.allow_vulnerable,
                 "Build a release that a known advisory affects; to publish it, "
                 "--publish-vulnerable as well");
    app.add_option("-j,--jobs", request.jobs, "Jobs at once, over all packages (default: all CPUs)")
        ->check(CLI::Range(1, 4096))
        ->type_name("N");
}

Sources::Sources(Session& session, const recipe::Catalog& catalog, const BuildRequest& request)
    : x_finder(archive_options(session, catalog)), x_downloader(x_client) {
    x_options.mirrors = request.mirrors;
    x_options.offline = request.offline;
    x_store = std::make_unique<recipe::SourceStore>(
        session.state().sources(), x_downloader,
        [this](const std::string& family) {
            std::vector<std::string> all = x_finder.archive_addresses(family);
            for (std::string& each : x_finder.security_addresses(family))
                if (std::find(all.begin(), all.end(), each) == all.end())
                    all.push_back(std::move(each));
            return all;
        },
        session.voice);
}

Result<const model::Toolchain*> choose_toolchain(Session& session, const recipe::Catalog& catalog,
                                                 const BuildRequest& request) {
    std::string name = request.toolchain;
    if (name.empty()) {
        SF_TRY(const auto text, base::read_file_if_exists("/etc/os-release"));
        const recipe::ToolchainGuess guess = recipe::default_toolchain(text.value_or(""), catalog);
        name = guess.name;
        session.voice.info("toolchain {}: {}", guess.name, guess.reason);
    }
    SF_CHECK(find_toolchain(catalog, name).map([](const model::Toolchain&) {}));
    return &catalog.toolchains.at(name);
}

// Before anything else is asked: a slip here must not wait for a network.
base::Status check_packages(const recipe::Catalog& catalog,
                            const std::vector<std::string>& packages) {
    for (const std::string& name : packages) {
        if (catalog.recipes.contains(name)) continue;
        std::vector<std::string> names;
        for (const auto& [each, recipe] : catalog.recipes) names.push_back(each);
        const auto better = base::did_you_mean(name, names);
        return base::fail_hint(
            Code::usage,
            fmt::format("there is no recipe '{}'{}", base::escape_untrusted(name),
                        better ? "; did you mean '" + *better + "'?" : ""),
            "the recipes are: " + base::join(names, ", "));
    }
    return {};
}

Result<Choices> choose_versions(Session& session, const recipe::Catalog& catalog,
                                const BuildRequest& request, Sources& sources) {
    const std::vector<std::string> roots =
        request.packages.empty() ? std::vector<std::string>{"slurm"} : request.packages;
    SF_CHECK(check_packages(catalog, roots));
    recipe::ChooseOptions options;
    options.allow_vulnerable = request.allow_vulnerable;
    options.publishing = request.publishing;
    options.allow_older = request.publish_older;
    options.publish_vulnerable = request.publish_vulnerable;
    options.today = base::utc_date(std::time(nullptr));
    SF_TRY(const std::vector<std::string> names, recipe::closure(catalog, roots));
    options.without_slurm = std::ranges::find(names, "slurm") == names.end();
    const auto can_be_had = [&](const model::SourceFile& source) {
        return sources.store().probe(source, sources.options());
    };
    Choices choices;
    SF_TRY(choices.slurm,
           recipe::choose_slurm(catalog, request.slurm_version, can_be_had, options));
    const recipe::Stack& stack = catalog.stacks.at(choices.slurm.series);
    std::vector<std::string> libraries;
    for (const std::string& name : names)
        if (name != "slurm") libraries.push_back(name);
    SF_TRY(const auto chosen,
           recipe::choose_packages(catalog, stack, libraries, can_be_had, options));
    for (const std::string& name : names)
        choices.packages.emplace_back(
            name, name == "slurm" ? choices.slurm.version : chosen.at(name).version);
    for (const std::string& notice : choices.slurm.notices) session.voice.notice("{}", notice);
    for (const auto& [name, choice] : chosen)
        for (const std::string& notice : choice.notices) session.voice.notice("{}", notice);
    return choices;
}

fs::path sandbox_files(const Session& session) {
    return session.options.data_dir / "templates" / "sandbox";
}

Result<base::Digest> digest_of_folder(const fs::path& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error))
        if (it->is_regular_file()) files.push_back(it->path());
    if (error) return base::fail_errno(error.value(), "read " + folder.string());
    std::sort(files.begin(), files.end());
    base::Sha256 hash;
    for (const fs::path& file : files) {
        SF_TRY(const base::Digest digest, base::sha256_file(file));
        const bool program = ::access(file.c_str(), X_OK) == 0;
        hash.update(fmt::format("{} {} {}\n", digest.hex(), program ? "x" : "-",
                                file.lexically_relative(folder).generic_string()));
    }
    return hash.finish();
}

Result<build::Plan> plan_build(Session& session, const recipe::Catalog& catalog,
                               const BuildRequest& request, const Choices& choices,
                               const model::RootRecord& root) {
    build::PlanInput input;
    input.catalog = &catalog;
    input.packages = choices.packages;
    input.root = root;
    input.target = request.target;
    SF_TRY(input.sandbox_files, digest_of_folder(sandbox_files(session)));
    return build::make_plan(input);
}

std::vector<model::NodeId> goals(const build::Plan& plan, const BuildRequest& request) {
    std::vector<model::NodeId> ids;
    for (const model::NodeId id : plan.dag.nodes()) {
        const std::string& name = plan.dag.at(id).name;
        if (request.packages.empty()
                ? name == "slurm"
                : std::ranges::find(request.packages, name) != request.packages.end())
            ids.push_back(id);
    }
    return ids;
}

Result<std::vector<fs::path>> fetch_sources(Session& session, const build::Plan& plan,
                                            Sources& sources,
                                            const std::function<bool(model::NodeId)>& wanted) {
    std::vector<fs::path> paths;
    std::vector<model::SourceFile> files;
    for (const model::NodeId id : plan.dag.nodes()) {
        const model::SourceFile& source = plan.version(id).source;
        paths.push_back(sources.store().path_of(source));
        if (!wanted || wanted(id)) files.push_back(source);
    }
    if (!files.empty()) session.voice.info("sources: {} archives", files.size());
    // Each is checked on the way, and lies where path_of() says.
    SF_CHECK(sources.store().fetch(files, sources.options()).map([](const auto&) {}));
    return paths;
}

}  // namespace sf::cli
