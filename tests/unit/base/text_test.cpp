// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <gtest/gtest.h>

namespace sf::base {
namespace {

TEST(Text, EscapesWhatCouldDriveATerminal) {
    EXPECT_EQ(escape_untrusted("plain, Grüße"), "plain, Grüße");
    EXPECT_EQ(escape_untrusted("a\033[31mb\n"), "a\\x1b[31mb\\x0a");
    EXPECT_EQ(escape_untrusted("\xff\xc0\xaf"), "\\xff\\xc0\\xaf");  // invalid, overlong
    EXPECT_EQ(escape_untrusted("\xe2\x80\xae"
                               "cod"),
              "\\xe2\\x80\\xaecod");                        // right-to-left override
    EXPECT_EQ(escape_untrusted("\xc2\x9b"), "\\xc2\\x9b");  // C1 control sequence
    EXPECT_EQ(escape_untrusted(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Text, QuotesForTheShellOnlyWhereNeeded) {
    EXPECT_EQ(shell_quote("/a/b-c_1.2"), "/a/b-c_1.2");
    EXPECT_EQ(shell_quote(""), "''");
    EXPECT_EQ(shell_quote("it's $HOME"), "'it'\\''s $HOME'");
    EXPECT_EQ(shell_join({"a", "b c"}), "a 'b c'");
}

TEST(Text, SplitsAndJoins) {
    EXPECT_EQ(split("a::b", ':'), (std::vector<std::string>{"a", "", "b"}));
    EXPECT_EQ(split("", ':'), (std::vector<std::string>{""}));
    EXPECT_EQ(join({"a", "", "b"}, "-"), "a--b");
    EXPECT_EQ(join({}, "-"), "");
    EXPECT_EQ(trim(" \ta b\n"), "a b");
    EXPECT_EQ(trim(" \n"), "");
    EXPECT_EQ(replace_all("aXXb", "X", "XY"), "aXYXYb");
}

TEST(Text, MatchesGlobs) {
    EXPECT_TRUE(glob_match("lib/*.so", "lib/a.so"));
    EXPECT_FALSE(glob_match("lib/*.so", "lib/x/a.so"));
    EXPECT_TRUE(glob_match("lib/**", "lib/x/a.so"));
    EXPECT_TRUE(glob_match("**/*.a", "x.a"));
    EXPECT_TRUE(glob_match("**/*.a", "lib/y/x.a"));
    EXPECT_TRUE(glob_match("a?c", "abc"));
    EXPECT_FALSE(glob_match("a?c", "a/c"));
    EXPECT_FALSE(glob_match("", "a"));
}

TEST(Text, SuggestsOnlyWhatIsNear) {
    EXPECT_EQ(did_you_mean("buld-slurm", {"build-slurm", "plan"}), "build-slurm");
    EXPECT_EQ(did_you_mean("xyz", {"build-slurm", "plan"}), std::nullopt);
    EXPECT_EQ(did_you_mean("bokworm", {"bookworm", "focal"}), "bookworm");
}

TEST(Text, ComparesVersionsByNumber) {
    EXPECT_LT(compare_versions("25.11.2", "25.11.10"), 0);
    EXPECT_GT(compare_versions("26.05", "25.11.9"), 0);
    EXPECT_EQ(compare_versions("1.0", "1.0"), 0);
    EXPECT_LT(compare_versions("1.0", "1.0.1"), 0);
    EXPECT_EQ(compare_versions("1.02", "1.2"), 0);
    EXPECT_LT(compare_versions("99999999999999999999998", "99999999999999999999999"), 0);
}

TEST(Text, SaysSizesAndTimesForPeople) {
    EXPECT_EQ(human_bytes(512), "512 B");
    EXPECT_EQ(human_bytes(1536), "1.5 KiB");
    EXPECT_EQ(human_seconds(4.21), "4.2 s");
    EXPECT_EQ(human_seconds(65), "1 min 05 s");
    EXPECT_EQ(human_seconds(3725), "1 h 02 min");
    EXPECT_EQ(utc_date(1700000000), "2023-11-14");
    EXPECT_EQ(utc_stamp(1700000000), "20231114-221320");
    EXPECT_EQ(utc_time(1700000000), "2023-11-14 22:13:20 UTC");
}

}  // namespace
}  // namespace sf::base
