// SPDX-License-Identifier: Apache-2.0
// Features of a bundle: what they mean, and that a manifest which names one holds it.
#include "model/features.hpp"

#include <gmock/gmock.h>

#include "model/bundle_layout.hpp"
#include "model/bundle_rules.hpp"

namespace sf::model {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

Bundle bundle_with(const std::vector<std::string>& plugins) {
    Package slurm;
    slurm.name = "slurm";
    slurm.version = "25.11.2";
    slurm.toolchain = "bookworm";
    for (const std::string& plugin : plugins) {
        FileEntry entry;
        entry.path = "lib/slurm/" + plugin + ".so";
        slurm.files.push_back(entry);
    }
    Bundle bundle;
    bundle.name = "slurm";
    bundle.version = "25.11.2";
    bundle.toolchain = "bookworm";
    bundle.architecture = "amd64";
    bundle.packages = {slurm};
    return bundle;
}

TEST(Features, EveryMissingFileIsNamed) {
    Bundle bundle = bundle_with({"gpu_generic", "gpu_nvidia"});
    EXPECT_TRUE(check_features(bundle));  // none is asked for
    bundle.features = {"gpu"};
    const auto status = check_features(bundle);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::refused);
    EXPECT_THAT(
        status.error().message,
        HasSubstr("gpu_nvml.so, lib/slurm/gpu_oneapi.so, lib/slurm/gpu_rsmi.so are missing"));
    EXPECT_THAT(status.error().message, Not(HasSubstr("gpu_generic")));
    EXPECT_FALSE(check_bundle(bundle));
    bundle = bundle_with({"gpu_generic", "gpu_nvidia", "gpu_nvml", "gpu_oneapi", "gpu_rsmi"});
    bundle.features = {"gpu"};
    EXPECT_TRUE(check_features(bundle));
    EXPECT_TRUE(check_bundle(bundle));
    // A link is no plugin.
    bundle.packages[0].files.back().type = EntryType::symlink;
    EXPECT_FALSE(check_features(bundle));
    bundle.packages.clear();
    EXPECT_FALSE(check_features(bundle));
}

TEST(Features, DependOnTheVersion) {
    EXPECT_THAT(feature_files("gpu", "25.11.2").value(), Contains("lib/slurm/gpu_nvidia.so"));
    EXPECT_THAT(feature_files("gpu", "24.11.0").value(), Contains("lib/slurm/gpu_nvidia.so"));
    EXPECT_THAT(feature_files("gpu", "23.11.11").value(), Not(Contains("lib/slurm/gpu_nvidia.so")));
    EXPECT_FALSE(feature_files("warp-drive", "25.11.2"));
}

TEST(Features, StandInTheManifestWhereThereAreSome) {
    Bundle bundle =
        bundle_with({"gpu_generic", "gpu_nvidia", "gpu_nvml", "gpu_oneapi", "gpu_rsmi"});
    EXPECT_THAT(to_json(bundle).value(), Not(HasSubstr("features")));
    bundle.features = {"gpu"};
    EXPECT_THAT(to_json(bundle).value(), HasSubstr("\"features\":[\"gpu\"]"));
}

TEST(Hierarchy, EachFileIsReachedByALink) {
    Bundle bundle = bundle_with({});
    for (const char* path : {"Core/gcc/12.2.0.lua", "gcc/12.2.0/slurm/25.11.2-bookworm.lua"}) {
        FileEntry entry;
        entry.path = std::string("data/slurm_assets/25.11.2/hierarchy/") + path;
        bundle.assets.push_back(entry);
    }
    std::vector<std::pair<std::string, std::string>> found;
    for (const FileEntry& link : bundle_links(bundle)) found.emplace_back(link.path, link.target);
    EXPECT_THAT(found, Contains(std::pair<std::string, std::string>(
                           "lmod/Core/gcc/12.2.0.lua",
                           "../../../data/slurm_assets/25.11.2/hierarchy/Core/gcc/12.2.0.lua")));
    EXPECT_THAT(found, Contains(std::pair<std::string, std::string>(
                           "lmod/gcc/12.2.0/slurm/25.11.2-bookworm.lua",
                           "../../../../data/slurm_assets/25.11.2/hierarchy/gcc/12.2.0/slurm/"
                           "25.11.2-bookworm.lua")));
    EXPECT_EQ(found.back().first, "view");
    EXPECT_TRUE(bundle_tree(bundle));
}

}  // namespace
}  // namespace sf::model
