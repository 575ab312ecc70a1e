// SPDX-License-Identifier: Apache-2.0
#include "model/os_release.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sf::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(OsRelease, IsRead) {
    const RunningOs mint = parse_os_release(
        "# a comment\n"
        "NAME=\"Linux Mint\"\n"
        " ID = 'linuxmint'\n"
        "ID_LIKE=\"ubuntu  debian\"\r\n"
        "VERSION_ID=22\n"
        "PRETTY_NAME=\"Linux Mint 22\"\n"
        "VERSION_CODENAME=wilma\n"
        "UBUNTU_CODENAME=noble");
    EXPECT_EQ(mint.id, "linuxmint");
    EXPECT_THAT(mint.like, ElementsAre("ubuntu", "debian"));
    EXPECT_EQ(mint.version_id, "22");
    EXPECT_THAT(mint.codenames, ElementsAre("wilma", "noble"));
    EXPECT_EQ(title_of(mint), "Linux Mint 22");
}

TEST(OsRelease, WhatIsNotWellFormedIsNotSaid) {
    for (const char* text : {"", "=", "ID", "ID=\n", "ID=\"\"", "#ID=debian\n", "\n\n=\n==x\n"}) {
        const RunningOs system = parse_os_release(text);
        EXPECT_EQ(system.id, "") << text;
        EXPECT_THAT(system.like, IsEmpty()) << text;
        EXPECT_EQ(title_of(system), "a system that os-release does not name") << text;
    }
    EXPECT_EQ(title_of(parse_os_release("PRETTY_NAME=\x1b[31mred")), "\\x1b[31mred");
}

struct Case {
    const char* os_release;
    OsRelease release;
    const char* family;
    const char* codename;
    Kinship kinship;
};

TEST(OsRelease, Kinship) {
    const OsRelease el9{"rocky", "9"};
    const OsRelease bookworm{"debian", "12"};
    const OsRelease noble{"ubuntu", "24.04"};
    const Case cases[] = {
        {"ID=debian\nVERSION_ID=12", bookworm, "debian", "bookworm", Kinship::same},
        {"ID=debian\nVERSION_ID=12.5", bookworm, "debian", "bookworm", Kinship::point_release},
        {"ID=debian\nVERSION_ID=13", bookworm, "debian", "bookworm", Kinship::none},
        {"ID=debian\nVERSION_CODENAME=trixie", bookworm, "debian", "bookworm", Kinship::none},
        {"ID=rocky\nVERSION_ID=9.4", el9, "el", "rockylinux9", Kinship::point_release},
        {"ID=rhel\nID_LIKE=fedora\nVERSION_ID=9.4", el9, "el", "rockylinux9", Kinship::rebuild},
        {"ID=ol\nID_LIKE=fedora\nVERSION_ID=9.4", el9, "el", "rockylinux9", Kinship::rebuild},
        {"ID=centos\nID_LIKE='rhel fedora'\nVERSION_ID=9", el9, "el", "rockylinux9",
         Kinship::rebuild},
        {"ID=almalinux\nID_LIKE='rhel centos fedora'\nVERSION_ID=10.0", el9, "el", "rockylinux9",
         Kinship::none},
        {"ID=amzn\nID_LIKE=fedora\nVERSION_ID=9", el9, "el", "rockylinux9", Kinship::none},
        {"ID=rhel\nID_LIKE=fedora", el9, "el", "rockylinux9", Kinship::none},
        {"ID=mx\nID_LIKE=debian\nVERSION_ID=23\nVERSION_CODENAME=bookworm", bookworm, "debian",
         "bookworm", Kinship::derived},
        {"ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\nUBUNTU_CODENAME=noble", noble,
         "ubuntu", "noble", Kinship::derived},
        // Of before codenames were said.
        {"ID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=22\nUBUNTU_CODENAME=noble", noble,
         "ubuntu", "", Kinship::none},
        {"ID=ubuntu\nID_LIKE=debian\nVERSION_ID=24.10", noble, "ubuntu", "noble", Kinship::none},
        {"", {"", ""}, "debian", "", Kinship::none},
    };
    for (const Case& each : cases) {
        EXPECT_EQ(
            kinship(parse_os_release(each.os_release), each.release, each.family, each.codename),
            each.kinship)
            << each.os_release;
    }
}

}  // namespace
}  // namespace sf::model
