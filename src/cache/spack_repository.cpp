// SPDX-License-Identifier: Apache-2.0
#include "cache/spack_repository.hpp"

#include "base/text.hpp"
#include "model/names.hpp"

namespace sf::cache {

using base::Result;

namespace {

// The highest that Spack 1.0 takes.
constexpr const char* package_api = "v2.2";

constexpr const char* package_head =
    R"(# Made by slurm-factory spack-repo.
from spack.package import *


class SlurmFactory(Package):
    """Slurm as a cache of slurm-factory has it, with all that it needs. Nothing here is built:
    a release that no mirror has is an error."""

    homepage = "https://slurm.schedmd.com"
    has_code = False

)";

}  // namespace

Result<std::vector<SpackRepositoryFile>> spack_repository(
    const std::vector<std::string>& versions) {
    std::string package = package_head;
    std::string needs;
    for (const std::string& version : versions) {
        SF_CHECK(model::check_version(version));
        package += fmt::format("    version(\"{}\")\n", version);
        needs +=
            fmt::format("    depends_on(\"slurm@={0}\", type=\"run\", when=\"@{0}\")\n", version);
    }
    package += "\n" + needs;
    package +=
        "\n"
        "    def install(self, spec, prefix):\n"
        "        mkdirp(prefix.share)\n"
        "        with open(join_path(prefix.share, \"slurm-factory\"), \"w\") as file:\n"
        "            file.write(\"Slurm {0}, in {1}\\n\".format(self.version, "
        "spec[\"slurm\"].prefix))\n";
    const std::filesystem::path repository = spack_repository_folder;
    return std::vector<SpackRepositoryFile>{
        // For `spack repo add` of a git repository that has these files.
        {"spack-repo-index.yaml",
         fmt::format("repo_index:\n  paths:\n  - {}\n", spack_repository_folder)},
        {repository / "repo.yaml",
         fmt::format("repo:\n  namespace: slurm_factory\n  api: {}\n", package_api)},
        {repository / "packages/slurm_factory/package.py", std::move(package)}};
}

}  // namespace sf::cache
