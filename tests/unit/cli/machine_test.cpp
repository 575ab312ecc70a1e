// SPDX-License-Identifier: Apache-2.0
// What doctor makes of the system's texts.
#include "cli/machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "cli/machine_libraries.hpp"

namespace sf::cli {
namespace {

constexpr const char* v1 = "fpu cx8 cmov mmx fxsr sse sse2 syscall lm";
constexpr const char* v2 = " pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm";
constexpr const char* v3 = " fma movbe xsave avx f16c abm bmi1 avx2 bmi2";
constexpr const char* v4 = " avx512f avx512dq avx512cd avx512bw avx512vl";

std::string cpuinfo(const std::string& flags) {
    return "processor\t: 0\nmodel name\t: Some CPU: fast\nflags\t\t: " + flags +
           "\nbugs\t\t:\n\nprocessor\t: 1\n";
}

TEST(CpuLevel, IsTheHighestWhoseFeaturesAreAllThere) {
    EXPECT_EQ(cpu_level(cpuinfo(v1)), "x86_64");
    EXPECT_EQ(cpu_level(cpuinfo(std::string(v1) + v2)), "x86_64_v2");
    EXPECT_EQ(cpu_level(cpuinfo(std::string(v1) + v2 + v3)), "x86_64_v3");
    EXPECT_EQ(cpu_level(cpuinfo(std::string(v1) + v2 + v3 + v4)), "x86_64_v4");
    EXPECT_EQ(cpu_level(cpuinfo(std::string(v1) + v3 + v4)), "x86_64");
    EXPECT_EQ(cpu_level("processor : 0\nFeatures : fp asimd\n"), "");
    EXPECT_EQ(cpu_level(""), "");
}

TEST(PackageManager, FollowsOsRelease) {
    EXPECT_EQ(package_manager("NAME=x\nID=debian\n"), PackageManager::apt);
    EXPECT_EQ(package_manager("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), PackageManager::apt);
    EXPECT_EQ(package_manager("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n"),
              PackageManager::dnf);
    EXPECT_EQ(package_manager("ID=fedora"), PackageManager::dnf);
    EXPECT_EQ(package_manager("ID=alpine\n"), PackageManager::unknown);
    EXPECT_EQ(package_manager(""), PackageManager::unknown);
}

TEST(InstallCommand, NamesThePackageOfTheMachine) {
    EXPECT_EQ(install_command(PackageManager::apt, "bwrap", true), "apt-get install bubblewrap");
    EXPECT_EQ(install_command(PackageManager::apt, "newuidmap", false),
              "sudo apt-get install uidmap");
    EXPECT_EQ(install_command(PackageManager::dnf, "gpg", true), "dnf install gnupg2");
    EXPECT_EQ(install_command(PackageManager::unknown, "gpg", true),
              "install what is called gnupg on Debian, gnupg2 on Enterprise Linux");
}

TEST(LibraryPackage, NamesThePackageOfTheMachine) {
    EXPECT_EQ(library_package(PackageManager::apt, "libpam.so.0"), "libpam0g");
    EXPECT_EQ(library_package(PackageManager::dnf, "libpam_misc.so.0"), "pam");
    EXPECT_EQ(library_package(PackageManager::apt, "libc.so.6"), "libc6");
    EXPECT_EQ(library_package(PackageManager::apt, "libcap.so.2"), "libcap.so.2");
    EXPECT_EQ(library_package(PackageManager::unknown, "libm.so.6"), "libm.so.6");
}

// A machine below a folder, with what is asked of it.
class MachineLibraries : public testing::Test {
protected:
    void SetUp() override {
        x_session.options.state_dir = folder("state");
        write("machine/usr/lib/x86_64-linux-gnu/libc.so.6", table({"GLIBC_2.34", "GLIBC_2.36"}));
        write("machine/usr/lib/x86_64-linux-gnu/libpam.so.0.85.1", table({"LIBPAM_1.0"}));
        std::filesystem::create_symlink("libpam.so.0.85.1",
                                        folder("machine/usr/lib/x86_64-linux-gnu/libpam.so.0"));
    }
    static std::string table(const std::vector<std::string>& versions) {
        std::string text = "ELF";
        for (const std::string& each : versions) text += '\0' + each;
        return text + '\0';
    }
    [[nodiscard]] base::fs::path folder(const char* name) const { return x_dir.path() / name; }
    void write(const char* name, const std::string& text) {
        ASSERT_TRUE(base::make_dirs(folder(name).parent_path()));
        ASSERT_TRUE(base::write_file(folder(name), text));
    }
    static model::Package slurm(std::vector<model::HostRequirement> needs) {
        model::Package package;
        package.name = "slurm";
        package.version = "25.11.2";
        package.toolchain = "noble";  // of a machine that is no toolchain
        package.target = "x86_64_v3";
        package.identity_text = "{}";
        package.identity = base::sha256(package.identity_text);
        package.license = "GPL-2.0-or-later";
        package.run.file = "run.tar.zst";
        package.host_requirements = std::move(needs);
        return package;
    }
    void install(std::vector<model::HostRequirement> needs) {
        model::Bundle bundle;
        bundle.name = "slurm";
        bundle.version = "25.11.2";
        bundle.toolchain = "noble";
        bundle.architecture = "amd64";
        bundle.target = "x86_64_v3";
        bundle.builder = "slurm-factory 0";
        bundle.packages = {slurm(std::move(needs))};
        write("prefix/manifests/25.11.2.json", model::to_json(bundle).value());
    }
    void build(std::vector<model::HostRequirement> needs) {
        write("state/packages/slurm-25.11.2-44136fa3/manifest.json",
              model::to_json(slurm(std::move(needs))).value());
    }
    std::vector<Check> check(const std::string& prefix) {
        tree::OwnLibraryFiles files(folder("machine"));
        return check_libraries(x_session, {}, prefix, files, PackageManager::apt, true);
    }

    base::TempDir x_dir = *base::TempDir::create(testing::TempDir(), "sf-machine-");
    Session x_session;
};

TEST_F(MachineLibraries, OfWhatIsInstalledAreThere) {
    install({{"libc.so.6", {"GLIBC_2.34"}}, {"libpam.so.0", {"LIBPAM_1.0"}}});
    const std::vector<Check> checks = check(folder("prefix"));
    ASSERT_EQ(checks.size(), 1U);
    EXPECT_EQ(checks[0].health, Health::ok) << checks[0].detail;
    EXPECT_EQ(checks[0].detail,
              "slurm 25.11.2 in " + folder("prefix").string() +
                  ": the 2 libraries that it takes from the distribution are here");
}

TEST_F(MachineLibraries, WhatIsMissingIsNamedWithThePackageThatBringsIt) {
    ASSERT_TRUE(base::remove_file(folder("machine/usr/lib/x86_64-linux-gnu/libpam.so.0.85.1")));
    install({{"libc.so.6", {"GLIBC_2.34"}}, {"libpam.so.0", {}}, {"libpam_misc.so.0", {}}});
    std::vector<Check> checks = check(folder("prefix"));
    ASSERT_EQ(checks.size(), 1U);
    EXPECT_EQ(checks[0].health, Health::missing);
    EXPECT_THAT(checks[0].detail, testing::HasSubstr("libpam.so.0, libpam_misc.so.0 of the "
                                                     "distribution's are not here"));
    EXPECT_EQ(checks[0].mend, "apt-get install libpam0g");
    // Of an older release.
    install({{"libc.so.6", {"GLIBC_2.34", "GLIBC_2.38"}}});
    checks = check(folder("prefix"));
    ASSERT_EQ(checks.size(), 1U);
    EXPECT_EQ(checks[0].health, Health::missing);
    EXPECT_THAT(checks[0].detail, testing::HasSubstr("libc.so.6 (GLIBC_2.38) of"));
    EXPECT_THAT(checks[0].mend, testing::HasSubstr("slurm-factory build-slurm"));
}

TEST_F(MachineLibraries, OfWhatWasBuiltHereAreWorthKnowing) {
    build({{"libc.so.6", {"GLIBC_2.38"}}});
    const std::vector<Check> checks = check(folder("prefix"));
    ASSERT_EQ(checks.size(), 2U);
    EXPECT_EQ(checks[0].health, Health::missing) << "nothing is installed where somebody says so";
    EXPECT_THAT(checks[0].detail, testing::HasSubstr(folder("prefix").string()));
    EXPECT_EQ(checks[1].health, Health::worth_knowing);
    EXPECT_THAT(checks[1].detail,
                testing::HasSubstr("the 1 built here for noble does not run here: "
                                   "libc.so.6 (GLIBC_2.38)"));
}

TEST_F(MachineLibraries, OfAPrefixThatCannotBeReadNothingIsSaidToBeWell) {
    write("prefix/manifests/25.11.2.json", "{");
    const std::vector<Check> checks = check(folder("prefix"));
    ASSERT_EQ(checks.size(), 1U);
    EXPECT_EQ(checks[0].health, Health::missing);
    EXPECT_THAT(checks[0].mend, testing::HasSubstr("slurm-factory verify --prefix"));
}

}  // namespace
}  // namespace sf::cli
