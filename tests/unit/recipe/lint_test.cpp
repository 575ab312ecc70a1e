// SPDX-License-Identifier: Apache-2.0
// lint and load_catalog over the golden folders, and over the program's own data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "recipe/catalog.hpp"

namespace sf::recipe {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

fs::path golden(const char* name) { return fs::path(SF_GOLDEN) / "recipe" / name; }

// Findings as text, with paths relative to the folder.
std::string findings_text(const fs::path& directory) {
    const auto findings = lint(directory);
    if (!findings) return "error: " + findings.error().text();
    std::string text;
    for (const Finding& each : *findings) {
        text += fmt::format("{}:{}: {}\n", fs::relative(each.file, directory).string(), each.line,
                            each.message);
    }
    return text;
}

std::string expected(const char* name) {
    const auto text = base::read_file(golden(name));
    return text ? *text : text.error().text();
}

TEST(Lint, GoodDataHasNoFindings) { EXPECT_EQ(findings_text(golden("good")), ""); }

TEST(Lint, MistakesInsideFilesAreFoundWithTheirLines) {
    EXPECT_EQ(findings_text(golden("bad")), expected("bad.findings"));
}

TEST(Lint, MistakesBetweenFilesAreFoundWithTheirLines) {
    EXPECT_EQ(findings_text(golden("crossed")), expected("crossed.findings"));
}

TEST(Lint, OurOwnDataIsClean) { EXPECT_EQ(findings_text(SF_REPOSITORY), ""); }

TEST(Lint, AFolderThatIsNotThereIsAbsent) {
    const auto findings = lint(golden("nowhere"));
    ASSERT_FALSE(findings);
    EXPECT_EQ(findings.error().code, base::Code::absent);
}

TEST(Lint, MissingPartsAreFindings) {
    const auto folder = base::TempDir::create(fs::temp_directory_path(), "lint");
    ASSERT_TRUE(folder);
    EXPECT_EQ(findings_text(folder->path()),
              "advisories.yaml:0: is missing\nrecipes:0: is missing\nstacks:0: is missing\n"
              "toolchains:0: is missing\n");
}

TEST(LoadCatalog, ReadsEveryField) {
    const auto catalog = load_catalog(golden("good"));
    ASSERT_TRUE(catalog) << catalog.error().text();
    const Recipe& recipe = catalog->recipes.at("libone");
    EXPECT_EQ(recipe.path, golden("good") / "recipes/libone/recipe.yaml");
    EXPECT_EQ(recipe.name, "libone");
    EXPECT_EQ(recipe.license, "MIT OR Apache-2.0");
    EXPECT_EQ(recipe.cpu_seconds, 12U);
    ASSERT_EQ(recipe.versions.size(), 2U);
    const Version* version = recipe.find("2.10");
    ASSERT_NE(version, nullptr);
    EXPECT_EQ(version->source.sha256, base::sha256("a"));
    EXPECT_EQ(version->source.size, 1U);
    EXPECT_EQ(version->source.file, "libone-2.10.tar.gz");
    ASSERT_EQ(version->source.places.size(), 3U);
    EXPECT_EQ(version->source.places[0].url, "https://libone.example/libone-2.10.tar.gz");
    EXPECT_EQ(version->source.places[1].archive, "debian");
    EXPECT_EQ(version->source.places[2].archive, "ubuntu");
    EXPECT_EQ(version->source.places[2].pool, "universe/libo/libone/libone_2.10.orig.tar.gz");
    ASSERT_EQ(version->patches.size(), 1U);
    EXPECT_EQ(version->patches[0].path, golden("good") / "recipes/libone/patches/fix.patch");
    EXPECT_EQ(recipe.find("2.1"), nullptr);
    EXPECT_THAT(recipe.link_dependencies, ElementsAre("zlib"));
    ASSERT_EQ(recipe.host_libraries.size(), 1U);
    EXPECT_EQ(recipe.host_libraries[0].reason, "logins");
    EXPECT_EQ(version->build.subdir, "src/deep");
    EXPECT_TRUE(version->build.out_of_tree);
    EXPECT_THAT(version->build.configure, ElementsAre("--with-zlib=@dep:zlib@", "--with-new",
                                                      "--new=@prefix@", "CPPFLAGS=-DV=@version@"));
    EXPECT_EQ(version->build.env.at("CPPFLAGS"), "-DX");
    EXPECT_EQ(version->build.env.at("EMPTY"), "");
    EXPECT_EQ(version->build.jobs, Jobs::serial);
    EXPECT_FALSE(version->build.ccache);
    EXPECT_TRUE(version->build.parallel_install);
    EXPECT_THAT(version->package.expect, ElementsAre("bin/one", "lib/new.so"));
    EXPECT_EQ(version->package.public_sonames.at(0).soname, "libone.so.2");
    EXPECT_EQ(version->package.dlopens.at(0).sonames.at(0), "libz-sf.so.1");
    EXPECT_EQ(version->package.placeholder_exceptions.at(0).file, "lib/libone.so.2");
    const Version* older = recipe.find("2.9");
    ASSERT_NE(older, nullptr);
    EXPECT_THAT(older->build.configure,
                ElementsAre("--with-zlib=@dep:zlib@", "CPPFLAGS=-DV=@version@"));
    EXPECT_THAT(older->package.expect, ElementsAre("bin/one"));
    EXPECT_EQ(older->package.public_sonames.at(0).soname, "libone.so.1");
    EXPECT_EQ(catalog->recipes.at("zlib").versions.at(0).build.system, BuildSystem::script);
    EXPECT_EQ(catalog->stacks.at("25.11").packages.at("libone").front(), "2.10");
    EXPECT_EQ(catalog->stacks.at("25.11").end_of_life, "2027-05-31");
    EXPECT_EQ(catalog->toolchains.at("bookworm").keyring.package, "debian-archive-keyring");
    EXPECT_EQ(catalog->toolchains.at("rockylinux9").family, "el");
    EXPECT_EQ(catalog->advisories.at("slurm").size(), 2U);
    EXPECT_EQ(catalog->advisories.at("slurm").at(1).since, "25.05");
}

TEST(LoadCatalog, FailsWithTheFirstFindings) {
    const auto catalog = load_catalog(golden("bad"));
    ASSERT_FALSE(catalog);
    EXPECT_EQ(catalog.error().code, base::Code::corrupt);
    EXPECT_THAT(catalog.error().message,
                HasSubstr("recipe.yaml:2: the recipe: \"recipe\" must be one"));
    EXPECT_THAT(catalog.error().message, HasSubstr(" more"));
}

TEST(LoadToolchains, ReadsNothingElse) {
    const auto catalog = load_toolchains(golden("good"));
    ASSERT_TRUE(catalog) << catalog.error().text();
    EXPECT_EQ(catalog->toolchains.at("bookworm").keyring.package, "debian-archive-keyring");
    EXPECT_EQ(catalog->toolchains.size(), load_catalog(golden("good"))->toolchains.size());
    EXPECT_TRUE(catalog->recipes.empty());
    const auto bad = load_toolchains(golden("bad"));
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().message, HasSubstr("buster.yaml"));
    EXPECT_THAT(bad.error().message, Not(HasSubstr("recipe.yaml")));
    EXPECT_EQ(load_toolchains(golden("none")).error().code, base::Code::absent);
}

}  // namespace
}  // namespace sf::recipe
