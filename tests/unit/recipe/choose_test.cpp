// SPDX-License-Identifier: Apache-2.0
#include "recipe/choose.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/synced.hpp"

namespace sf::recipe {
namespace {

using base::Code;
using testing::ElementsAre;
using testing::HasSubstr;

const Catalog& good() {
    static const Catalog catalog =
        load_catalog(std::filesystem::path(SF_GOLDEN) / "recipe/good").value();
    return catalog;
}

// A network in which the named files are missing; it remembers what it was asked for.
struct World {
    std::set<std::string> missing;
    Code code = Code::absent;
    base::Synced<std::vector<std::string>> asked{};

    AvailabilityCheck check() {
        return [this](const model::SourceFile& source) -> base::Result<Availability> {
            asked.lock()->push_back(source.file);
            Availability answer;
            answer.available = !missing.contains(source.file);
            const std::string place = "https://place.example/" + source.file;
            if (answer.available) answer.where = place;
            if (!answer.available) answer.tried = {{place, code, "404 Not Found"}};
            return answer;
        };
    }
};

TEST(ChooseSlurm, ASeriesMeansItsNewestRelease) {
    World world;
    const auto choice = choose_slurm(good(), "25.11", world.check());
    ASSERT_TRUE(choice) << choice.error().text();
    EXPECT_EQ(choice->version, "25.11.7");
    EXPECT_EQ(choice->series, "25.11");
    EXPECT_EQ(choice->end_of_life, "2027-05-31");
    EXPECT_FALSE(choice->exact);
    EXPECT_TRUE(choice->notices.empty());
    EXPECT_THAT(*world.asked.lock(), ElementsAre("slurm-25.11.7.tar.gz"));
}

TEST(ChooseSlurm, AnOlderOneForALocalBuildWithANotice) {
    World world{{"slurm-25.11.7.tar.gz"}};
    const auto choice = choose_slurm(good(), "25.11", world.check());
    ASSERT_TRUE(choice) << choice.error().text();
    EXPECT_EQ(choice->version, "25.11.6");
    EXPECT_THAT(
        choice->notices,
        ElementsAre("taking slurm 25.11.6 instead of 25.11.7\nslurm 25.11.7 cannot be had:\n"
                    "  https://place.example/slurm-25.11.7.tar.gz: 404 Not Found"));
    EXPECT_EQ(choice->tried.size(), 1U);
}

TEST(ChooseSlurm, NeverFallsBackToAReleaseWithAnAdvisory) {
    World world{{"slurm-25.11.7.tar.gz", "slurm-25.11.6.tar.gz"}};
    const auto choice = choose_slurm(good(), "25.11", world.check());
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::refused);
    EXPECT_THAT(choice.error().message, HasSubstr("slurm 25.11.2 is open to SF-TEST-1"));
    EXPECT_THAT(choice.error().message, HasSubstr("25.11.7 cannot be had"));
    EXPECT_THAT(choice.error().message, HasSubstr("25.11.6 cannot be had"));
    EXPECT_THAT(choice.error().hint, HasSubstr("--allow-vulnerable"));

    const auto allowed = choose_slurm(good(), "25.11", world.check(), {.allow_vulnerable = true});
    ASSERT_TRUE(allowed);
    EXPECT_EQ(allowed->version, "25.11.2");
    EXPECT_EQ(allowed->advisories.size(), 1U);
    EXPECT_EQ(allowed->notices.size(), 2U);
}

TEST(ChooseSlurm, PublishingTakesTheNewestOnly) {
    World world{{"slurm-25.11.7.tar.gz"}};
    const auto choice = choose_slurm(good(), "25.11", world.check(), {.publishing = true});
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::absent);
    EXPECT_THAT(choice.error().message, HasSubstr("publishing takes the newest release only"));
    EXPECT_THAT(choice.error().hint, HasSubstr("--allow-older"));
    EXPECT_THAT(*world.asked.lock(), ElementsAre("slurm-25.11.7.tar.gz"));

    const auto older =
        choose_slurm(good(), "25.11", world.check(), {.publishing = true, .allow_older = true});
    ASSERT_TRUE(older);
    EXPECT_EQ(older->version, "25.11.6");
}

TEST(ChooseSlurm, PublishingNeverTakesAVulnerableOne) {
    World world;
    const ChooseOptions all{.publishing = true, .allow_older = true, .allow_vulnerable = true};
    const auto choice = choose_slurm(good(), "25.11.2", world.check(), all);
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::refused);
    EXPECT_THAT(choice.error().message, HasSubstr("is not published"));
    EXPECT_THAT(choice.error().hint, HasSubstr("own site: --publish-vulnerable"));
    // One word alone says which other is missing, and does not say "for this machine only".
    const ChooseOptions half{.publishing = true, .allow_older = true, .publish_vulnerable = true};
    const auto refused = choose_slurm(good(), "25.11.2", world.check(), half);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::refused);
    EXPECT_THAT(refused.error().hint, HasSubstr("--allow-vulnerable as well"));
}

// Somebody builds MUNGE alone: what is known against Slurm, and whether it can be had, is nothing
// to them.
TEST(ChooseSlurm, WithoutSlurmOnlyItsStackIsChosen) {
    World world{{"slurm-25.11.7.tar.gz", "slurm-25.11.6.tar.gz", "slurm-25.11.2.tar.gz"}};
    const ChooseOptions options{.without_slurm = true};
    const auto series = choose_slurm(good(), "25.11", world.check(), options);
    ASSERT_TRUE(series);
    EXPECT_EQ(series->series, "25.11");
    const auto exact = choose_slurm(good(), "25.11.2", world.check(), options);
    ASSERT_TRUE(exact);
    EXPECT_EQ(exact->version, "25.11.2");
    EXPECT_TRUE(exact->advisories.empty());
    EXPECT_TRUE(exact->notices.empty());
    EXPECT_TRUE(world.asked.lock()->empty());
    EXPECT_EQ(choose_slurm(good(), "25.11.9", world.check(), options).error().code, Code::usage);
}

TEST(ChooseSlurm, AnExactReleaseMeansExactlyThat) {
    World world;
    const auto choice = choose_slurm(good(), "25.11.6", world.check());
    ASSERT_TRUE(choice);
    EXPECT_EQ(choice->version, "25.11.6");
    EXPECT_TRUE(choice->exact);
    EXPECT_TRUE(choice->notices.empty());

    World without{{"slurm-25.11.7.tar.gz"}, Code::unreachable};
    const auto missing = choose_slurm(good(), "25.11.7", without.check());
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::unreachable);
    EXPECT_THAT(*without.asked.lock(), ElementsAre("slurm-25.11.7.tar.gz"));

    const auto published = choose_slurm(good(), "25.11.6", world.check(), {.publishing = true});
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code, Code::refused);
    EXPECT_THAT(published.error().message, HasSubstr("which is 25.11.7"));
}

TEST(ChooseSlurm, ASeriesWhoseEveryReleaseIsOpenNeedsTheFlag) {
    World world;
    const auto choice = choose_slurm(good(), "23.11", world.check());
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::refused);
    EXPECT_THAT(choice.error().message, HasSubstr("fixed in 23.11.11, 24.05.8, 24.11.5"));
    EXPECT_TRUE(world.asked.lock()->empty());
}

TEST(ChooseSlurm, UnknownWordsAreAnsweredWithWhatThereIs) {
    World world;
    const auto series = choose_slurm(good(), "25.12", world.check());
    ASSERT_FALSE(series);
    EXPECT_EQ(series.error().code, Code::usage);
    EXPECT_THAT(series.error().message, HasSubstr("did you mean \"25.11\"?"));
    EXPECT_EQ(series.error().hint, "slurm-factory versions (the series are 23.11, 25.11)");

    const auto exact = choose_slurm(good(), "25.11.9", world.check());
    ASSERT_FALSE(exact);
    EXPECT_EQ(exact.error().code, Code::usage);
    EXPECT_EQ(exact.error().hint, "releases of 25.11: 25.11.7, 25.11.6, 25.11.2");

    for (const char* word :
         {"", ".", "latest", "../../etc", "25", "25.11.", "25.11.7.1", "\x1b[31m"}) {
        const auto choice = choose_slurm(good(), word, world.check());
        ASSERT_FALSE(choice) << word;
        EXPECT_EQ(choice.error().code, Code::usage);
        EXPECT_EQ(choice.error().message.find('\x1b'), std::string::npos);
    }
}

TEST(ChooseSlurm, AQuestionThatCannotBePutIsPassedOn) {
    const auto choice = choose_slurm(good(), "25.11", [](const model::SourceFile&) {
        return base::Result<Availability>(base::fail(Code::interrupted, "stopped"));
    });
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::interrupted);
}

TEST(ChoosePackages, TakesTheNewestThatCanBeHad) {
    World world{{"libone-2.10.tar.gz"}};
    const auto names = closure(good(), {"slurm"});
    ASSERT_TRUE(names);
    EXPECT_THAT(*names, ElementsAre("zlib", "libone", "slurm"));
    const auto choices = choose_packages(good(), good().stacks.at("25.11"), *names, world.check());
    ASSERT_TRUE(choices) << choices.error().text();
    EXPECT_EQ(choices->size(), 2U);
    EXPECT_EQ(choices->at("libone").version, "2.9");
    EXPECT_EQ(choices->at("libone").notices.size(), 1U);
    EXPECT_EQ(choices->at("zlib").version, "1.3");
}

TEST(ChoosePackages, NamesAllThatFail) {
    World world{{"libone-2.10.tar.gz", "libone-2.9.tar.gz", "zlib-1.3.tar.xz"}};
    const auto choices =
        choose_packages(good(), good().stacks.at("25.11"), {"libone", "zlib"}, world.check());
    ASSERT_FALSE(choices);
    EXPECT_THAT(choices.error().text(), HasSubstr("no source of libone"));
    EXPECT_THAT(choices.error().text(), HasSubstr("no source of zlib"));
}

TEST(Closure, UnknownNamesAndCyclesAreErrors) {
    const auto unknown = closure(good(), {"slrum"});
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message, HasSubstr("did you mean \"slurm\"?"));
    Catalog catalog;
    catalog.recipes["a"].link_dependencies = {"b"};
    catalog.recipes["b"].build_dependencies = {"a"};
    const auto cycle = closure(catalog, {"a"});
    ASSERT_FALSE(cycle);
    EXPECT_EQ(cycle.error().code, Code::corrupt);
}

TEST(ChooseSlurm, ASeriesWithoutSupportGetsANotice) {
    World world;
    const std::string release = good().stacks.at("23.11").slurm.front();
    const auto before = choose_slurm(good(), release, world.check(),
                                     {.allow_vulnerable = true, .today = "2025-05-31"});
    ASSERT_TRUE(before) << before.error().text();
    EXPECT_THAT(before->notices, ElementsAre(HasSubstr("is open to CVE-2025-43904")));
    const auto after = choose_slurm(good(), release, world.check(),
                                    {.allow_vulnerable = true, .today = "2025-06-01"});
    ASSERT_TRUE(after) << after.error().text();
    EXPECT_THAT(after->notices,
                ElementsAre(HasSubstr("is open to CVE-2025-43904"),
                            HasSubstr("support of Slurm 23.11 ended on 2025-05-31")));
}

TEST(SupportEnded, OnTheDayAfter) {
    const Stack& stack = good().stacks.at("23.11");
    EXPECT_FALSE(support_ended(stack, "2025-05-31"));
    EXPECT_TRUE(support_ended(stack, "2025-06-01"));
}

TEST(DefaultToolchain, ByOsRelease) {
    struct Case {
        const char* os_release;
        const char* name;
    };
    const Case cases[] = {
        {"ID=debian\nVERSION_ID=\"12\"\n", "bookworm"},
        {"PRETTY_NAME=\"Ubuntu 24.04\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
         "noble"},
        {"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", "rockylinux9"},
        {"ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n", "rockylinux9"},
        {"ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.2\"\n", "rockylinux9"},
        {"ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"9\"\n", "rockylinux9"},
        {"ID='linuxmint'\nID_LIKE='ubuntu debian'\nVERSION_ID=22\nUBUNTU_CODENAME=noble\n",
         "noble"},
        {"ID=mx\nID_LIKE=debian\nVERSION_ID=23\nVERSION_CODENAME=bookworm\n", "bookworm"},
        {"ID=fedora\nVERSION_ID=9\n", "noble"},
        {"ID=ubuntu\nVERSION_ID=24.10\n", "noble"},
        {"ID=arch\n", "noble"},
        {"", "noble"},
        {"=\n==\nID\nID=\"\n", "noble"},
    };
    for (const Case& each : cases) {
        const ToolchainGuess guess = default_toolchain(each.os_release, good());
        EXPECT_EQ(guess.name, each.name) << each.os_release;
        EXPECT_FALSE(guess.reason.empty());
    }
    EXPECT_EQ(default_toolchain("PRETTY_NAME=\"AlmaLinux 9.4\"\nID=almalinux\nID_LIKE=rhel\n"
                                "VERSION_ID=9.4\n",
                                good())
                  .reason,
              "this machine is AlmaLinux 9.4, which runs what is built for Rocky Linux 9");
}

}  // namespace
}  // namespace sf::recipe
