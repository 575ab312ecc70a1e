// SPDX-License-Identifier: Apache-2.0
// Module files as they are filled in. That Lmod shows them as meant is tests/e2e/install.sh.
#include <gmock/gmock.h>

#include "cli/module_hierarchy.hpp"

namespace sf::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const std::filesystem::path templates = SF_REPOSITORY "/templates/slurm_assets";

model::Toolchain bookworm() {
    model::Toolchain toolchain;
    toolchain.name = "bookworm";
    toolchain.title = "Debian 12 (bookworm)";
    return toolchain;
}

TEST(ModuleHierarchy, CompilerFirst) {
    const model::Toolchain toolchain = bookworm();
    const auto files = module_hierarchy(templates, {"25.11.2", toolchain}, "gcc 12.2.0-14+deb12u1");
    ASSERT_TRUE(files) << files.error().text();
    ASSERT_THAT(*files, SizeIs(3));
    const std::string folder = "data/slurm_assets/25.11.2/hierarchy/";
    EXPECT_EQ((*files)[0].path, folder + "Core/gcc/12.2.0.lua");
    EXPECT_THAT((*files)[0].content, HasSubstr(R"(pathJoin(tree, "lmod", "gcc", "12.2.0"))"));
    EXPECT_EQ((*files)[1].path, folder + "gcc/12.2.0/slurm/25.11.2-bookworm.lua");
    EXPECT_THAT((*files)[1].content, HasSubstr(R"(gsub("/lmod/gcc/12%.2%.0/slurm/[^/]+$", ""))"));
    EXPECT_EQ((*files)[2].path, folder + "gcc/12.2.0/slurm/.modulerc.lua");
    for (const auto& file : *files) {
        EXPECT_FALSE(file.executable);
        EXPECT_THAT(file.content, Not(HasSubstr("@")));
    }
}

TEST(ModuleHierarchy, ThePlainModuleStaysWhereItWas) {
    const model::Toolchain toolchain = bookworm();
    const auto files = module_files(templates, {"25.11.2", toolchain});
    ASSERT_TRUE(files) << files.error().text();
    ASSERT_THAT(*files, SizeIs(2));
    EXPECT_EQ((*files)[0].path, "modules/slurm/25.11.2-bookworm.lua");
    EXPECT_THAT((*files)[0].content, HasSubstr(R"(gsub("/modules/slurm/[^/]+$", ""))"));
    EXPECT_EQ((*files)[1].path, "data/slurm_assets/25.11.2/modulerc.lua");
    EXPECT_THAT((*files)[1].content,
                HasSubstr(R"(module_version("slurm/25.11.2-bookworm", "25.11"))"));
    for (const auto& file : *files) EXPECT_THAT(file.content, Not(HasSubstr("@")));
}

}  // namespace
}  // namespace sf::cli
