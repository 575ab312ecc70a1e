// SPDX-License-Identifier: Apache-2.0
// What spack-env refuses before it asks a cache, and that it then leaves nothing behind, and the
// recipes of spack-repo; what both write from a real cache, real Spacks take in
// tools/spack-interop.sh.
#include <gmock/gmock.h>

#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class SpackEnv : public CommandLine {
protected:
    SpackEnv() { write(folder() / "nobody/README", "trusts nobody\n"); }
    Said write_env(const std::string& spec, const std::string& cache) {
        return run_here({"spack-env", spec, environment().string(), "--toolchain", "bookworm",
                         "--cache", cache, "--trust-dir", (folder() / "nobody").string()});
    }
    [[nodiscard]] base::fs::path environment() const { return folder() / "env"; }
};

TEST_F(SpackEnv, TakesSlurmByASeriesOrAVersion) {
    for (const char* spec :
         {"munge@0.5", "slurm", "slurm@", "slurm@newest", "slurm@25/11", "@25.11"}) {
        const Said said = write_env(spec, folder().string());
        EXPECT_EQ(said.code, 2) << spec << said.err;
        EXPECT_THAT(said.err, HasSubstr("slurm@25.11")) << spec;
    }
    EXPECT_FALSE(base::exists(environment()));
}

TEST_F(SpackEnv, BelievesNobodyByItself) {
    const Said said = write_env("slurm@25.11", folder().string());
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("no key is trusted"));
    EXPECT_THAT(said.err, HasSubstr("key import"));
    EXPECT_FALSE(base::exists(environment()));
}

TEST_F(SpackEnv, WritesNoSecretIntoAFile) {
    const Said said = write_env("slurm@25.11", "https://me:SECRETWORD@localhost:1/cache");
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("spack.yaml"));
    EXPECT_THAT(said.err + said.out, Not(HasSubstr("SECRETWORD")));
    EXPECT_FALSE(base::exists(environment()));
}

TEST_F(SpackEnv, WritesRecipesAndLeavesASitesOwnAlone) {
    const std::string where = (folder() / "recipes").string();
    const Said said = run_here({"spack-repo", where});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("spack repo add " + where + "/spack_repo/slurm_factory"));
    const base::fs::path file =
        folder() / "recipes/spack_repo/slurm_factory/packages/slurm_factory/package.py";
    EXPECT_THAT(base::read_file(file).value(), HasSubstr("version(\"25.11.2\")"));
    EXPECT_EQ(run_here({"spack-repo", where}).code, 0);
    write(file, "# a site's own\n");
    const Said refused = run_here({"spack-repo", where});
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("package.py is there already, and says something else"));
    EXPECT_EQ(base::read_file(file).value(), "# a site's own\n");
    EXPECT_EQ(run_here({"spack-repo", where, "--force"}).code, 0);
    EXPECT_THAT(base::read_file(file).value(), HasSubstr("class SlurmFactory("));
}

}  // namespace
}  // namespace sf::cli::test
