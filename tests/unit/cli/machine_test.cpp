// SPDX-License-Identifier: Apache-2.0
// What doctor makes of the system's texts.
#include "cli/machine.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace sf::cli
