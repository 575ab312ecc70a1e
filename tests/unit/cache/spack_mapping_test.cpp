// SPDX-License-Identifier: Apache-2.0
// Our packages as Spack's nodes: what Slurm may depend on, what lies inside it, and variants that
// say what is there.
#include "cache/spack_mapping.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cache/spack_builtin.hpp"

namespace sf::cache {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

model::Package package(const std::string& name, const std::string& version,
                       std::vector<std::string> dependencies = {},
                       const std::vector<std::string>& files = {}) {
    model::Package package;
    package.name = name;
    package.version = version;
    package.toolchain = "bookworm";
    package.target = "x86_64_v3";
    package.identity_text = R"({"build":{"configure":["--sysconfdir=/etc/)" + name + R"("]}})";
    package.identity = base::sha256(package.identity_text);
    package.dependencies = std::move(dependencies);
    std::ranges::sort(package.dependencies);
    for (const std::string& path : files) {
        model::FileEntry entry;
        entry.path = path;
        package.files.push_back(entry);
    }
    package.host_requirements.push_back({"libc.so.6", {"GLIBC_2.34"}});
    return package;
}

// Slurm with two private packages, of which one needs the other.
std::vector<model::Package> closure() {
    std::vector<model::Package> all;
    const auto name = [&](std::size_t i) { return all[i].store_name(); };
    all.push_back(package("zlib", "1.3.2"));
    all.push_back(package("lz4", "1.10.0"));
    all.push_back(package("openssl", "3.5.7"));
    all.push_back(package("munge", "0.5.18", {name(0), name(2)}));
    all.push_back(package("librdkafka", "2.14.2", {name(0), name(1), name(2)}));
    all.push_back(package("libmariadb", "10.11.18", {name(2), name(4)}));
    all.push_back(package("slurm", "25.11.2", {name(3), name(5)},
                          {"lib/slurm/accounting_storage_mysql.so", "lib/slurm/cgroup_v2.so",
                           "lib/slurm/gpu_nvml.so", "lib/slurm/mpi_pmix.so", "sbin/slurmrestd"}));
    return all;
}

const SpackPackage& named(const SpackMapping& mapping, const std::string& name) {
    return *std::ranges::find_if(mapping.packages,
                                 [&](const SpackPackage& one) { return one.node.name == name; });
}

std::vector<std::string> edges(const SpackNode& node) {
    std::vector<std::string> names;
    for (const SpackDependency& edge : node.dependencies)
        names.push_back(edge.name + ":" + base::join(edge.deptypes, "+"));
    return names;
}

const std::string libc = "glibc 2.36-9+deb12u10";

TEST(SpackMapping, KeepsNamesAndEdges) {
    const auto packages = closure();
    const SpackMapping mapping = map_to_spack(packages, libc).value();
    EXPECT_EQ(mapping.libc.hash, "kqf4hfrqs7yyofaym52ietcc4zku7a2e") << "as in the interop notes";
    const SpackPackage& munge = named(mapping, "munge");
    EXPECT_EQ(munge.node.space, "builtin");
    EXPECT_EQ(munge.node.platform_os, "debian12");
    EXPECT_EQ(munge.node.target, "x86_64_v3");
    EXPECT_EQ(munge.node.identity, packages[3].identity);
    EXPECT_THAT(edges(munge.node),
                ElementsAre("glibc:link", "openssl:build+link", "zlib:build+link"));
    EXPECT_THAT(munge.bundled, IsEmpty());
    EXPECT_EQ(std::get<std::string>(named(mapping, "zlib").node.parameters.at("build_system")),
              "makefile");
    EXPECT_EQ(munge.node.parameters.size(), 1U);
}

TEST(SpackMapping, PrivatePackagesLieInsideTheirDependant) {
    const auto packages = closure();
    const SpackMapping mapping = map_to_spack(packages, libc).value();
    const SpackPackage& slurm = named(mapping, "slurm");
    // What they need, it needs.
    EXPECT_THAT(edges(slurm.node), ElementsAre("glibc:link", "lz4:build+link", "munge:build+link",
                                               "openssl:build+link", "zlib:build+link"));
    EXPECT_THAT(slurm.bundled, ElementsAre(packages[5].store_name(), packages[4].store_name()));
    EXPECT_FALSE(slurm.kept_private);
    const SpackPackage& mariadb = named(mapping, "libmariadb");
    EXPECT_TRUE(mariadb.kept_private);
    EXPECT_EQ(mariadb.node.space, "slurm_factory");
    EXPECT_THAT(mariadb.bundled, ElementsAre(packages[4].store_name()));

    const SpackSpec spec = mapping.spec_of(slurm.store_name).value();
    std::vector<std::string> names;
    for (const SpackNode& node : spec.nodes) {
        names.push_back(node.name);
        EXPECT_EQ(node.space, "builtin");
    }
    EXPECT_THAT(names, ElementsAre("slurm", "glibc", "lz4", "munge", "openssl", "zlib"));
    EXPECT_FALSE(mapping.spec_of("slurm-1-00000000"));
}

TEST(SpackMapping, VariantsSayWhatIsThere) {
    auto packages = closure();
    const auto variants = [&] {
        return named(map_to_spack(packages, libc).value(), "slurm").node.parameters;
    };
    const std::map<std::string, SpackParameter> expected{{"build_system", "autotools"},
                                                         {"cgroup", true},
                                                         {"gtk", false},
                                                         {"hdf5", false},
                                                         {"hwloc", false},
                                                         {"mariadb", true},
                                                         {"nvml", true},
                                                         {"pam", false},
                                                         {"pmix", false},
                                                         {"readline", false},
                                                         {"restd", true},
                                                         {"rsmi", false},
                                                         {"sysconfdir", "/etc/slurm"}};
    EXPECT_EQ(variants(), expected) << "mpi_pmix.so without PMIx is no PMIx";
    packages.back().files.clear();
    packages.back().identity_text = "{}";
    EXPECT_EQ(variants().at("mariadb"), SpackParameter(false));
    EXPECT_EQ(variants().at("restd"), SpackParameter(false));
    EXPECT_EQ(variants().at("sysconfdir"), SpackParameter("PREFIX/etc"));
}

TEST(SpackMapping, RefusesWhatSpackWouldRefuse) {
    auto packages = closure();
    packages.insert(packages.begin(), package("rrdtool", "1.9"));
    const auto strange = map_to_spack(packages, libc);
    ASSERT_FALSE(strange);
    EXPECT_EQ(strange.error().code, base::Code::refused);
    EXPECT_THAT(strange.error().text(), HasSubstr("cannot depend on rrdtool"));

    EXPECT_FALSE(map_to_spack({}, libc));
    packages = closure();
    packages[1].target = "x86_64_v4";
    EXPECT_FALSE(map_to_spack(packages, libc)) << "two targets";
    packages = closure();
    std::swap(packages[0], packages[6]);
    EXPECT_FALSE(map_to_spack(packages, libc)) << "a dependency after its dependant";
    packages = closure();
    packages.push_back(package("zlib", "1.3.1"));
    EXPECT_FALSE(map_to_spack(packages, libc)) << "two of one name";
    packages = closure();
    for (auto& one : packages) one.toolchain = "slackware";
    EXPECT_FALSE(map_to_spack(packages, libc)) << "a system that has no name";
}

TEST(SpackMapping, OnlyWhatHoldsProgramsNeedsTheCLibrary) {
    auto packages = closure();
    packages[0].host_requirements.clear();
    EXPECT_THAT(edges(named(map_to_spack(packages, libc).value(), "zlib").node), IsEmpty());
}

TEST(SpackMapping, ReadsTheCLibrarysVersion) {
    EXPECT_EQ(libc_version("glibc 2.36-9+deb12u10").value(), "2.36");
    EXPECT_EQ(libc_version("glibc 2.39-0ubuntu8.12").value(), "2.39");
    EXPECT_EQ(libc_version("glibc 2.34-100.el9_4.4").value(), "2.34");
    for (const char* bad : {"", "glibc", "glibc ", "glibc 2", "glibc .36-1", "glibc 2.-1",
                            "glibc 2.36a-1", "musl 1.2.3-1", "2.36", "glibc 2.3.6.1-1"})
        EXPECT_FALSE(libc_version(bad)) << bad;
}

// Every package that a stack of ours pins, and every toolchain, has its place.
TEST(SpackBuiltin, KnowsEveryPackageOfOurStacksAndEveryToolchain) {
    const base::fs::path repository = SF_REPOSITORY;
    std::size_t known = 0;
    const std::vector<std::string> recipes = base::list_dir(repository / "recipes").value();
    for (const std::string& name : recipes) {
        EXPECT_NE(builtin_build_system(name).has_value(), is_private_to_spack(name))
            << "recipes/" << name << ": may builtin's Slurm depend on it, or is it kept private?";
        ++known;
    }
    EXPECT_GE(known, 26U);
    const std::vector<std::string> files = base::list_dir(repository / "toolchains").value();
    for (const std::string& file : files) {
        ASSERT_TRUE(file.ends_with(".yaml"));
        EXPECT_TRUE(spack_platform_os(file.substr(0, file.size() - 5))) << file;
    }
}

}  // namespace
}  // namespace sf::cache
