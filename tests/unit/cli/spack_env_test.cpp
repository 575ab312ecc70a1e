// SPDX-License-Identifier: Apache-2.0
// What spack-env refuses before it asks a cache, and that it then leaves nothing behind; what it
// writes from a real cache, real Spacks take in tools/spack-interop.sh.
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

}  // namespace
}  // namespace sf::cli::test
