// SPDX-License-Identifier: Apache-2.0
// The recipes for Spack: the texts; what real Spacks make of them is in tools/spack-interop.sh.
#include "cache/spack_repository.hpp"

#include <gmock/gmock.h>

namespace sf::cache {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(SpackRepository, NeedsExactlyTheReleases) {
    const auto files = spack_repository({"25.11.2", "24.11.5"}).value();
    ASSERT_EQ(files.size(), 3U);
    EXPECT_EQ(files[0].path, "spack-repo-index.yaml");
    EXPECT_THAT(files[0].text, HasSubstr("- spack_repo/slurm_factory\n"));
    EXPECT_EQ(files[1].path, "spack_repo/slurm_factory/repo.yaml");
    EXPECT_EQ(files[1].text, "repo:\n  namespace: slurm_factory\n  api: v2.2\n");
    EXPECT_EQ(files[2].path, "spack_repo/slurm_factory/packages/slurm_factory/package.py");
    const std::string& package = files[2].text;
    EXPECT_THAT(package, HasSubstr("    version(\"25.11.2\")\n    version(\"24.11.5\")\n"));
    for (const char* version : {"25.11.2", "24.11.5"})
        EXPECT_THAT(package, HasSubstr(std::string("depends_on(\"slurm@=") + version +
                                       "\", type=\"run\", when=\"@" + version + "\")\n"));
    // A class of this name would be a recipe of Slurm itself.
    EXPECT_THAT(package, Not(HasSubstr("class Slurm(")));
}

TEST(SpackRepository, NoWordOfPythonGetsIn) {
    for (const char* bad : {"", "25.11\")\nimport os", "25.11\\", "../25.11"})
        EXPECT_FALSE(spack_repository({bad})) << bad;
}

}  // namespace
}  // namespace sf::cache
