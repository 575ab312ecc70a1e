// SPDX-License-Identifier: Apache-2.0
// From "Slurm 25.11 for bookworm" to everything a build needs: chosen versions, the toolchain, its
// root, the plan, the sources on disk. Shared by build-slurm and plan.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "build/planner.hpp"
#include "cli/session.hpp"
#include "net/archives.hpp"
#include "net/http.hpp"
#include "recipe/choose.hpp"
#include "recipe/fetch.hpp"
#include "sandbox/root_record.hpp"

namespace CLI {
class App;
}

namespace sf::cli {

struct BuildRequest {
    std::string slurm_version = "25.11";
    std::string toolchain;  // empty: this machine's
    std::string target = "x86_64_v3";
    std::vector<std::string> packages;  // empty: slurm
    std::vector<std::string> mirrors;
    bool offline = false;
    bool allow_vulnerable = false;
    bool publishing = false;  // the newest only, and never a vulnerable one; but for:
    bool publish_older = false;
    bool publish_vulnerable = false;
    unsigned jobs = 0;  // 0: this machine's processors
};

// --slurm-version, --toolchain, --target: which Slurm is meant.
void add_choice_options(CLI::App& app, BuildRequest& request);
// Options that build-slurm and plan share; those among them.
void add_build_options(CLI::App& app, BuildRequest& request);

// The folder of sources with the network behind it; owns what the store borrows.
class Sources {
public:
    Sources(Session& session, const recipe::Catalog& catalog, const BuildRequest& request);
    [[nodiscard]] recipe::SourceStore& store() { return *x_store; }
    [[nodiscard]] const recipe::FetchOptions& options() const { return x_options; }

private:
    net::ArchiveFinder x_finder;
    net::HttpClient x_client;
    recipe::NetDownloader x_downloader;
    std::unique_ptr<recipe::SourceStore> x_store;
    recipe::FetchOptions x_options;
};

struct Choices {
    recipe::SlurmChoice slurm;
    // Every package of the build, dependencies before dependants, with its version.
    std::vector<std::pair<std::string, std::string>> packages;
};

[[nodiscard]] base::Result<const model::Toolchain*> choose_toolchain(Session& session,
                                                                     const recipe::Catalog& catalog,
                                                                     const BuildRequest& request);

// Asks the sources which versions can be had; says what was chosen instead of what.
[[nodiscard]] base::Result<Choices> choose_versions(Session& session,
                                                    const recipe::Catalog& catalog,
                                                    const BuildRequest& request, Sources& sources);

[[nodiscard]] base::Result<build::Plan> plan_build(Session& session, const recipe::Catalog& catalog,
                                                   const BuildRequest& request,
                                                   const Choices& choices,
                                                   const model::RootRecord& root);

// templates/sandbox of the data folder, and the digest of all files in it.
[[nodiscard]] std::filesystem::path sandbox_files(const Session& session);
[[nodiscard]] base::Result<base::Digest> digest_of_folder(const std::filesystem::path& folder);

// The packages of the plan that were asked for: Slurm, or those named.
[[nodiscard]] std::vector<model::NodeId> goals(const build::Plan& plan,
                                               const BuildRequest& request);

// Where each node's source is, by node; fetched are those that are `wanted` (none: all of them).
[[nodiscard]] base::Result<std::vector<std::filesystem::path>> fetch_sources(
    Session& session, const build::Plan& plan, Sources& sources,
    const std::function<bool(model::NodeId)>& wanted = {});

}  // namespace sf::cli
