// SPDX-License-Identifier: Apache-2.0
#include "sandbox/keyring.hpp"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>

namespace sf::sandbox {
namespace {

class Silent : public base::Reporter {
public:
    void message(base::Level, const std::string& text) override { x_last = text; }
    std::string x_last;
};

class KeyringTest : public testing::Test {
protected:
    base::TempDir x_folder =
        base::TempDir::create(base::fs::temp_directory_path(), "sf-keys-").value();
    Silent x_reporter;
};

TEST_F(KeyringTest, TakesTheInstalledOneAndThenTheFetchedOne) {
    const auto installed = x_folder.path() / "installed.gpg";
    ASSERT_TRUE(base::write_file(installed, "k"));
    EXPECT_EQ(
        find_keyring({"some-keyring", installed}, x_folder.path() / "keys", x_reporter).value(),
        installed);
    ASSERT_TRUE(base::make_dirs(x_folder.path() / "keys"));
    ASSERT_TRUE(base::write_file(x_folder.path() / "keys/other.gpg", "k"));
    EXPECT_EQ(
        find_keyring({"some-keyring", "/absent/other.gpg"}, x_folder.path() / "keys", x_reporter)
            .value(),
        x_folder.path() / "keys/other.gpg");
    EXPECT_EQ(x_reporter.x_last, "");
}

TEST_F(KeyringTest, RefusesNamesThatAreNone) {
    for (const auto& [package, file] : {std::pair("-o", "/a/k.gpg"),
                                        {"", "/a/k.gpg"},
                                        {"a b", "/a/k.gpg"},
                                        {"a", "k.gpg"},
                                        {"a", "/a/.."},
                                        {"a", "/a/.hidden"}}) {
        const auto found = find_keyring({package, file}, x_folder.path(), x_reporter);
        ASSERT_FALSE(found) << package << " " << file;
        EXPECT_EQ(found.error().code, base::Code::usage);
    }
}

TEST_F(KeyringTest, IsFetchedFromAnArchiveThatIsTrustedAlready) {
    if (std::getenv("SF_TEST_MIRROR") == nullptr)
        GTEST_SKIP() << "NOT RUN: fetches a package from the network; set SF_TEST_MIRROR";
    const auto found =
        find_keyring({"ubuntu-archive-keyring", "/usr/share/keyrings/ubuntu-archive-keyring.gpg"},
                     x_folder.path(), x_reporter);
    ASSERT_TRUE(found) << found.error().text();
    std::printf("  %s, %zu bytes\n", found->c_str(), base::read_file(*found)->size());
    EXPECT_GT(base::read_file(*found)->size(), 1000U);

    const auto none = find_keyring({"sf-no-such-keyring", "/usr/share/keyrings/none.gpg"},
                                   x_folder.path(), x_reporter);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, base::Code::absent);
    EXPECT_THAT(none.error().message, testing::HasSubstr("sf-no-such-keyring"));
    EXPECT_THAT(none.error().hint, testing::HasSubstr("apt-get install sf-no-such-keyring"));
}

}  // namespace
}  // namespace sf::sandbox
