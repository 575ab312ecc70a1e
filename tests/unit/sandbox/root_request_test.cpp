// SPDX-License-Identifier: Apache-2.0
#include "sandbox/root_request.hpp"

#include <gmock/gmock.h>

#include "sandbox/root_record.hpp"

namespace sf::sandbox {
namespace {

RootRequest example() {
    RootRequest request;
    request.toolchain.name = "bookworm";
    request.toolchain.title = "Debian 12 (bookworm)";
    request.toolchain.family = "debian";
    request.toolchain.suites = {"bookworm", "bookworm-updates", "bookworm-security"};
    request.toolchain.components = {"main", "contrib"};
    request.toolchain.packages = {"build-essential", "g++", "libpam0g-dev"};
    request.toolchain.keyring = {"debian-archive-keyring", "/usr/share/keyrings/debian.gpg"};
    return request;
}

constexpr const char* archive = "http://archive.example/debian";
constexpr const char* security = "http://security.example/debian-security";

TEST(RootRequest, BecomesThisCommand) {
    const auto command =
        mmdebstrap_command(example(), archive, security, true, "/state/tmp").value();
    EXPECT_EQ(
        to_text(command),
        "env -i LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin SOURCE_DATE_EPOCH=1577836800 "
        "TMPDIR=/state/tmp mmdebstrap --mode=root --variant=apt --format=tar --architectures=amd64 "
        "--keyring=/usr/share/keyrings/debian.gpg --include=build-essential,g++,libpam0g-dev "
        "'--aptopt=Acquire::Retries \"3\"' --dpkgopt=force-unsafe-io "
        "'--dpkgopt=path-exclude=/usr/share/doc/*' "
        "'--dpkgopt=path-include=/usr/share/doc/*/copyright' "
        "'--dpkgopt=path-exclude=/usr/share/man/*' '--dpkgopt=path-exclude=/usr/share/info/*' "
        "'--dpkgopt=path-exclude=/usr/share/locale/*' "
        "--dpkgopt=path-include=/usr/share/locale/locale.alias "
        "'--setup-hook=mkdir -p \"$1/usr/share/man/man1\"' bookworm - "
        "'deb [signed-by=/usr/share/keyrings/debian.gpg] http://archive.example/debian bookworm "
        "main "
        "contrib' "
        "'deb [signed-by=/usr/share/keyrings/debian.gpg] http://archive.example/debian "
        "bookworm-updates main contrib' "
        "'deb [signed-by=/usr/share/keyrings/debian.gpg] http://security.example/debian-security "
        "bookworm-security main contrib'");
    const auto user = mmdebstrap_command(example(), archive, security, false, "/var/tmp").value();
    EXPECT_THAT(user.argv, testing::Contains("--mode=unshare"));
    for (const auto& word : user.argv) EXPECT_EQ(word.find("trusted"), std::string::npos);
}

TEST(RootRequest, RefusesWordsThatMeanMoreToApt) {
    const auto error = [](auto change, std::string mirror = archive) {
        auto request = example();
        change(request);
        const auto command = mmdebstrap_command(request, mirror, security, true, "/tmp");
        return command ? std::string("accepted") : command.error().text();
    };
    const auto nothing = [](RootRequest&) {};
    EXPECT_EQ(error(nothing), "accepted");
    EXPECT_EQ(error([](auto& r) { r.toolchain.packages = {"?essential"}; }),
              "'?essential' is no name of a package");
    EXPECT_EQ(error([](auto& r) { r.toolchain.packages = {"a,b"}; }),
              "'a,b' is no name of a package");
    EXPECT_EQ(error([](auto& r) { r.toolchain.packages = {"--force-yes"}; }),
              "'--force-yes' is no name of a package");
    EXPECT_EQ(error([](auto& r) { r.toolchain.packages = {"libc6-"}; }),
              "'libc6-' would be an order to apt, not a package");
    EXPECT_EQ(error([](auto& r) { r.toolchain.suites = {}; }), "the toolchain names no suite");
    EXPECT_EQ(error([](auto& r) { r.toolchain.suites = {"a b"}; }), "'a b' is no name of a suite");
    EXPECT_EQ(error([](auto& r) { r.toolchain.components = {"main]"}; }),
              "'main]' is no name of a component");
    EXPECT_EQ(error([](auto& r) { r.architecture = "amd64,i386"; }),
              "'amd64,i386' is no name of a architecture");
    EXPECT_EQ(error(nothing, "[trusted=yes] http://x"),
              "'[trusted=yes] http://x' is no address of an archive");
    EXPECT_EQ(error(nothing, "ftp://x"), "'ftp://x' is no address of an archive");
    EXPECT_EQ(error([](auto& r) { r.keyring = "keys.gpg"; }),
              "the keyring 'keys.gpg' is not an absolute, plain path");
    EXPECT_EQ(error([](auto& r) { r.toolchain.family = "el"; }),
              "a root of the family 'el' cannot be made yet, only debian and ubuntu");
}

TEST(RootRequest, AMissingKeyringNamesItsPackage) {
    if (!base::find_program("mmdebstrap")) GTEST_SKIP() << "NOT RUN: mmdebstrap is not installed";
    auto request = example();
    request.keyring = "/absent/keyring.gpg";
    const auto status = check_root_tools(request, true);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, base::Code::absent);
    EXPECT_EQ(
        status.error().message,
        "the keyring /absent/keyring.gpg is not here: packages of Debian 12 (bookworm) cannot "
        "be verified");
    EXPECT_THAT(status.error().hint,
                testing::StartsWith("as root: apt-get install debian-archive-keyring "));
}

PreparedRoot record() {
    PreparedRoot root;
    root.record = {"bookworm", base::sha256("x"), {"a=1", "b=2:3~4"}, "gcc 12", "glibc 2.36"};
    root.architecture = "amd64";
    root.suites = {"bookworm"};
    root.components = {"main"};
    root.wanted = {"a"};
    root.sources = {"deb http://archive.example bookworm main"};
    root.made = "2026-01-31T12:00:00Z";
    root.archive_bytes = 5;
    root.tree_bytes = 6;
    return root;
}

TEST(RootRecord, ReadsWhatItWrites) {
    const auto text = to_json(record()).value();
    const auto again = root_from_json(text).value();
    EXPECT_EQ(to_json(again).value(), text);
    EXPECT_EQ(again.record.digest, base::sha256("x"));
    EXPECT_EQ(again.record.packages, record().record.packages);
    EXPECT_EQ(again.tree_bytes, 6U);
}

TEST(RootRecord, IsTotal) {
    const auto text = to_json(record()).value();
    for (std::size_t size = 0; size + 1 < text.size(); ++size)
        EXPECT_FALSE(root_from_json(text.substr(0, size))) << size;
    const auto replaced = [&](const std::string& from, const std::string& to) {
        auto changed = text;
        changed.replace(changed.find(from), from.size(), to);
        const auto result = root_from_json(changed);
        return result ? std::string("accepted") : result.error().text();
    };
    EXPECT_EQ(replaced("\"root\":1", "\"root\":2"),
              "the root's record has format 2, this program knows 1");
    EXPECT_EQ(replaced("\"root\":1", "\"root\":-1"), "the root's record has no number 'root'");
    EXPECT_EQ(replaced("[\"a\"]", "[7]"), "the root's record has no text in 'wanted'");
    EXPECT_EQ(replaced("\"made\":", "\"mode\":"), "the root's record has no text 'made'");
    EXPECT_NE(replaced(base::sha256("x").hex(), "00"), "accepted");
    EXPECT_FALSE(root_from_json("[]"));
}

}  // namespace
}  // namespace sf::sandbox
