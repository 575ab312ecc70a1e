// SPDX-License-Identifier: Apache-2.0
#include "cli/origins.hpp"

#include <algorithm>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "build/package_store.hpp"
#include "cli/build_inputs.hpp"
#include "model/names.hpp"

namespace sf::cli {

namespace fs = std::filesystem;
using base::Result;
using publish::Origin;
using publish::OriginFile;

namespace {

Result<OriginFile> small_file(const fs::path& path, std::string name) {
    OriginFile file;
    file.path = std::move(name);
    file.executable = ::access(path.c_str(), X_OK) == 0;
    // The bytes themselves: a file that is edited meanwhile is not another one.
    SF_TRY(file.content, base::read_file(path));
    file.sha256 = base::sha256(file.content);
    file.size = file.content.size();
    return file;
}

// Laid out as the folder of sources has it, so that it is a mirror (docs/formats/sources.md).
OriginFile archive_of(const Session& session, const model::SourceFile& source) {
    const fs::path below = fs::path("sha256") / source.sha256.hex() / source.file;
    OriginFile file;
    file.path = ("sources" / below).generic_string();
    file.sha256 = source.sha256;
    file.file = session.state().sources() / below;
    return file;
}

class Collector {
public:
    Collector(const Session& session, const build::Plan& plan, const model::RootRecord& root)
        : x_session(session), x_plan(plan), x_root(root), x_store(session.state()) {}

    Result<publish::Origins> collect() {
        x_origins.target_flags = x_plan.target_flags;
        x_origins.engine = build::engine_version;
        x_origins.epoch = build::source_date_epoch;
        SF_CHECK(common());
        for (const model::NodeId id : x_plan.dag.nodes()) SF_CHECK(add(id));
        return std::move(x_origins);
    }

private:
    base::Status common() {
        const fs::path folder = sandbox_files(x_session);
        std::error_code error;
        for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
             it.increment(error)) {
            if (!it->is_regular_file()) continue;
            SF_TRY(OriginFile file,
                   small_file(
                       it->path(),
                       it->path().lexically_relative(x_session.options.data_dir).generic_string()));
            x_origins.common.push_back(std::move(file));
        }
        if (error) return base::fail_errno(error.value(), "read " + folder.string());
        const std::string toolchain = fmt::format("toolchains/{}.yaml", x_plan.toolchain);
        SF_TRY(OriginFile described, small_file(x_session.options.data_dir / toolchain, toolchain));
        x_origins.common.push_back(std::move(described));
        // The text whose digest is part of each identity.
        OriginFile packages;
        packages.path = fmt::format("roots/{}/packages", x_plan.toolchain);
        packages.content = base::join(x_root.packages, "\n");
        packages.sha256 = base::sha256(packages.content);
        packages.size = packages.content.size();
        x_origins.common.push_back(std::move(packages));
        return {};
    }

    base::Status add(model::NodeId id) {
        const model::Spec& spec = x_plan.dag.at(id);
        const recipe::Recipe& recipe = x_plan.recipe(id);
        const recipe::Version& version = x_plan.version(id);
        Origin origin;
        origin.name = spec.name;
        origin.version = spec.version;
        origin.license = recipe.license;
        origin.summary = recipe.summary;
        origin.homepage = recipe.homepage;
        origin.identity = spec.identity;
        origin.source = version.source;
        origin.archive = archive_of(x_session, version.source);
        std::error_code error;
        origin.archive.size = fs::file_size(origin.archive.file, error);
        if (error == std::errc::no_such_file_or_directory)
            origin.archive.size = version.source.size;  // a package that was taken, not built
        else if (error)
            return base::fail_errno(error.value(), "read " + origin.archive.file.string());
        SF_TRY(const auto taken, x_store.taken(spec.store_name()));
        if (taken) origin.taken = publish::TakenFrom{taken->signer, taken->repository};
        const std::string folder = "recipes/" + recipe.name + '/';
        for (const recipe::Patch& patch : version.patches) {
            SF_TRY(OriginFile file, small_file(patch.path, folder + patch.file));
            origin.patches.push_back(std::move(file));
        }
        SF_TRY(OriginFile file, small_file(recipe.path, folder + "recipe.yaml"));
        origin.recipe.push_back(std::move(file));
        if (spec.name == "slurm") SF_CHECK(add_stack(spec, origin));
        const auto needed = x_plan.dag.runtime_closure(id);
        for (const model::NodeId other : x_plan.dag.build_closure(id))
            if (other != id && std::ranges::find(needed, other) == needed.end())
                origin.built_by.push_back(x_plan.dag.at(other).store_name());
        x_origins.packages.emplace(spec.store_name(), std::move(origin));
        return {};
    }

    // What chose the versions.
    base::Status add_stack(const model::Spec& spec, Origin& origin) {
        const std::string name =
            fmt::format("stacks/slurm-{}.yaml", model::series_of(spec.version));
        SF_TRY(OriginFile stack, small_file(x_session.options.data_dir / name, name));
        origin.recipe.push_back(std::move(stack));
        return {};
    }

    const Session& x_session;
    const build::Plan& x_plan;
    const model::RootRecord& x_root;
    build::PackageStore x_store;
    publish::Origins x_origins;
};

}  // namespace

Result<publish::Origins> origins_of(const Session& session, const build::Plan& plan,
                                    const model::RootRecord& root) {
    return base::during(Collector(session, plan, root).collect(),
                        "collecting what the packages were made from");
}

}  // namespace sf::cli
