// SPDX-License-Identifier: Apache-2.0
// spack-repo DIR: recipes for `spack repo add`, made from the stacks: the package slurm-factory,
// which needs exactly the Slurm that a cache of ours has.
#include <CLI/CLI.hpp>

#include <algorithm>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/spack_repository.hpp"
#include "cli/commands.hpp"

namespace sf::cli {

namespace {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

struct Options {
    std::string folder;
    bool force = false;
};

// All that any stack pins, newest first.
std::vector<std::string> releases(const recipe::Catalog& catalog) {
    std::vector<std::string> all;
    for (const auto& [series, stack] : catalog.stacks)
        all.insert(all.end(), stack.slurm.begin(), stack.slurm.end());
    std::ranges::sort(all, [](const std::string& left, const std::string& right) {
        return base::compare_versions(left, right) > 0;
    });
    return all;
}

Status run_spack_repo(Session& session, const Options& options) {
    SF_TRY(const recipe::Catalog catalog, session.catalog());
    const std::vector<std::string> versions = releases(catalog);
    SF_TRY(const auto files, cache::spack_repository(versions));
    std::error_code error;
    const fs::path where = fs::absolute(options.folder, error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    // Recipes of a site are not written over, nor half of them.
    for (const cache::SpackRepositoryFile& file : files) {
        SF_TRY(const auto there, base::read_file_if_exists(where / file.path));
        if (there && *there != file.text && !options.force)
            return base::fail_hint(
                base::Code::refused,
                fmt::format("{} is there already, and says something else",
                            base::escape_untrusted((where / file.path).native())),
                "another folder; or --force, if it may be replaced");
    }
    for (const cache::SpackRepositoryFile& file : files) {
        SF_CHECK(base::make_dirs((where / file.path).parent_path()));
        SF_CHECK(base::write_file(where / file.path, file.text));
    }
    const fs::path repository = where / cache::spack_repository_folder;
    const std::string shown = base::escape_untrusted(repository.native());
    session.voice.line(fmt::format("{}: {} for the releases {}", shown,
                                   cache::spack_repository_package, base::join(versions, ", ")));
    session.voice.line(fmt::format("  spack repo add {}", shown));
    session.voice.event("repository", {{"folder", repository.native()},
                                       {"package", std::string(cache::spack_repository_package)},
                                       {"versions", versions}});
    return {};
}

}  // namespace

void add_spack_repo(CLI::App& app, Session& session) {
    CLI::App* command = app.add_subcommand(
        "spack-repo", "Write Spack recipes whose Slurm comes from a cache alone");
    const auto options = std::make_shared<Options>();
    command->add_option("DIR", options->folder, "The folder they are written to")->required();
    command->add_flag("--force", options->force, "Replace other files of these names there");
    command->fallthrough();
    command->footer(
        "For Spack 1.0 and 1.1 as they are. The repository has one package, slurm-factory, with a\n"
        "version for each release that a stack pins. `spack install slurm-factory@25.11` installs\n"
        "that Slurm from the mirrors, or says that no mirror has it; asked for slurm itself, "
        "Spack\n"
        "may find another in its own recipes and build it. DIR may be put into git as it is.\n"
        "Examples:\n"
        "  slurm-factory spack-repo /srv/slurm-recipes\n"
        "  spack repo add /srv/slurm-recipes/spack_repo/slurm_factory\n"
        "  spack mirror add slurm-deps https://example.org/slurm/bookworm/slurm/deps\n"
        "  spack mirror add slurm-25.11 https://example.org/slurm/bookworm/slurm/25.11\n"
        "  spack buildcache keys --install --trust\n"
        "  spack install slurm-factory@25.11 target=x86_64_v3");
    command->callback([&session, options] {
        session.action = [&session, options] { return run_spack_repo(session, *options); };
    });
}

}  // namespace sf::cli
