// SPDX-License-Identifier: Apache-2.0
// What Slurm 25.11's own parser makes of the same lines.
#include "deploy/conf_file.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sf::deploy {
namespace {

TEST(ConfFile, CommentsEscapesQuotesAndSeveralPairsOnALine) {
    const ConfFile conf = ConfFile::parse(
        "# A=comment\n"
        "  a = one  # and this\n"
        "B=\"two words\" C=three\tD=\\#four\\\\ # five\n"
        "E=six\\\n  F=seven \\  \n\tG=eight\n"
        "h+=nine\r\n"
        "I=\"ten# eleven\"\n"
        "J=twelve\nj=thirteen\n"
        "K=k=l,m=n");
    EXPECT_EQ(conf.value("A"), "one");
    EXPECT_EQ(conf.value("b"), "two words");
    EXPECT_EQ(conf.value("C"), "three");
    EXPECT_EQ(conf.value("D"), "#four\\");
    EXPECT_EQ(conf.value("E"), "six");
    EXPECT_EQ(conf.value("F"), "seven");
    EXPECT_EQ(conf.value("G"), "eight");
    EXPECT_EQ(conf.value("H"), "nine");
    EXPECT_EQ(conf.value("I"), "\"ten") << "quotes do not keep a '#'";
    EXPECT_EQ(conf.value("J"), "thirteen") << "the last one counts";
    EXPECT_EQ(conf.value("K"), "k=l,m=n");
    EXPECT_EQ(conf.value("absent"), "");
    EXPECT_TRUE(conf.understood());
    EXPECT_FALSE(conf.includes());
}

TEST(ConfFile, WhatIsNoPairAndWhatIsElsewhere) {
    for (const char* line : {"word", "A=b c", "A=", "=b", "A=b =c", "A b=c"})
        EXPECT_FALSE(ConfFile::parse(line).understood()) << line;
    EXPECT_FALSE(ConfFile::parse(std::string("A=b\0", 4)).understood());
    EXPECT_TRUE(ConfFile::parse("A=\"\"\n").understood());
    EXPECT_TRUE(ConfFile::parse("A=b\nINCLUDE more.conf\n").includes());
    EXPECT_FALSE(ConfFile::parse("# include more.conf\nIncluded=b\n").includes());
    // Of what `scontrol show config` prints, too.
    const std::string shown =
        "Configuration data as of 2026-01-02T03:04:05\nBatchStartTimeout       = 10 sec\n"
        "ClusterName             = alpha\nSlurmctldHost[0]        = head\n";
    EXPECT_EQ(conf_value(shown, "ClusterName"), "alpha");
    EXPECT_EQ(conf_value(shown, "BatchStartTimeout"), "10");
}

TEST(ConfFile, WhatIsWrittenIsReadBack) {
    for (const char* value : {"plain", "two words", "a#b", "back\\", "\\", "a\"b", "x=y", "a\\#b",
                              "ends with \\", "# all"}) {
        const auto line = conf_line("Name", value);
        ASSERT_TRUE(line) << value;
        const ConfFile conf = ConfFile::parse(*line + "Next=1\n");
        EXPECT_EQ(conf.value("Name"), value) << *line;
        EXPECT_EQ(conf.value("Next"), "1") << *line;
        EXPECT_TRUE(conf.understood()) << *line;
    }
    for (const char* value : {"", "a\nPluginDir=/evil", "a\rb", "a\tb", "\"a", "a \"b\""})
        EXPECT_FALSE(conf_line("Name", value)) << value;
}

}  // namespace
}  // namespace sf::deploy
