// SPDX-License-Identifier: Apache-2.0
// Items of lists that hold for some versions only: what is left for each version, and what is
// wrong.
#include "recipe/conditions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "recipe/parts_reader.hpp"

namespace sf::recipe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Parts {
    std::vector<Version> versions;
    std::vector<std::string> findings;  // "line: message"
};

// `text`: the YAML of a map with `build` and `package`.
Parts read(std::string_view text, const std::vector<std::string>& versions) {
    Parts parts;
    for (const std::string& version : versions) {
        parts.versions.emplace_back();
        parts.versions.back().version = version;
    }
    const YamlDocument document = read_yaml(text);
    EXPECT_TRUE(document.problems.empty());
    Findings findings("/recipes/x/recipe.yaml");
    MapReader map(document.root, findings, "the recipe");
    read_parts(map.need("build"), map.need("package"), {"zlib"}, parts.versions, findings);
    for (const Finding& each : findings.list())
        parts.findings.push_back(fmt::format("{}: {}", each.line, each.message));
    return parts;
}

constexpr std::string_view series = R"(build:
  system: autotools
  configure:
    - --first
    - when: ">=24.11"
      then:
        - --cgroupv2
        - {when: ">=25.11", then: [--s2n, "--z=@dep:zlib@"]}
    - {when: "<24.11", then: [--rrdtool]}
    - --last
  after_install:
    - when: "=24.11"
      then: [readelf a]
package:
  remove: [{when: ">=25.11", then: [share/doc]}, etc]
  public_sonames:
    - {when: "<24.11", soname: libx.so.40, reason: r}
    - {when: ">=24.11", soname: libx.so.42, reason: r}
  dlopens:
    - {when: ">=25.11", files: lib/a.so, sonames: [liby.so.1]}
  expect:
    - paths: [bin/x]
    - {when: ">=24.11,<25.11", paths: [lib/a.so, lib/b.so]}
)";

TEST(Conditions, EachVersionGetsWhatHoldsForItInOrder) {
    const Parts parts = read(series, {"25.11", "24.11", "23.11"});
    EXPECT_THAT(parts.findings, ElementsAre());
    const Version& newest = parts.versions[0];
    const Version& middle = parts.versions[1];
    const Version& oldest = parts.versions[2];
    EXPECT_THAT(newest.build.configure,
                ElementsAre("--first", "--cgroupv2", "--s2n", "--z=@dep:zlib@", "--last"));
    EXPECT_THAT(middle.build.configure, ElementsAre("--first", "--cgroupv2", "--last"));
    EXPECT_THAT(oldest.build.configure, ElementsAre("--first", "--rrdtool", "--last"));
    EXPECT_THAT(newest.build.after_install, ElementsAre());
    EXPECT_THAT(middle.build.after_install, ElementsAre("readelf a"));
    EXPECT_THAT(newest.package.remove, ElementsAre("share/doc", "etc"));
    EXPECT_THAT(oldest.package.remove, ElementsAre("etc"));
    ASSERT_EQ(oldest.package.public_sonames.size(), 1U);
    EXPECT_EQ(oldest.package.public_sonames[0].soname, "libx.so.40");
    ASSERT_EQ(newest.package.public_sonames.size(), 1U);
    EXPECT_EQ(newest.package.public_sonames[0].soname, "libx.so.42");
    EXPECT_EQ(newest.package.dlopens.size(), 1U);
    EXPECT_EQ(middle.package.dlopens.size(), 0U);
    EXPECT_THAT(newest.package.expect, ElementsAre("bin/x"));
    EXPECT_THAT(middle.package.expect, ElementsAre("bin/x", "lib/a.so", "lib/b.so"));
}

// One recipe whose configure list has this entry.
std::vector<std::string> findings_of(const std::string& entry,
                                     const std::vector<std::string>& versions = {"25.11"}) {
    return read("build:\n  system: autotools\n  configure:\n    - " + entry +
                    "\npackage:\n  expect:\n    - paths: [a]\n",
                versions)
        .findings;
}

TEST(Conditions, ARangeThatHoldsForNoVersionIsAMistake) {
    EXPECT_THAT(findings_of("{when: \">=26.05\", then: [--x]}"),
                ElementsAre("4: \">=26.05\" holds for no version of this recipe"));
    EXPECT_THAT(findings_of("{when: \"<25\", then: [--x]}", {"25.11", "24.11"}), ElementsAre());
}

TEST(Conditions, OddOnesAreToldOnceWithTheirLine) {
    EXPECT_THAT(findings_of("{when: \"25.11\", then: [--x]}", {"25.11", "24.11"}),
                ElementsAre(HasSubstr("4: \"25.11\" is not a version range")));
    EXPECT_THAT(findings_of("{when: [\">=1\"], then: [--x]}"),
                ElementsAre(HasSubstr("4: \"when\" must be a version range")));
    EXPECT_THAT(findings_of("{when: \"\", then: [--x]}"),
                ElementsAre(HasSubstr("4: \"when\" must be a version range")));
    EXPECT_THAT(findings_of("{when: \">=1\", then: --x}"),
                ElementsAre("4: \"then\" must be a list with at least one entry"));
    EXPECT_THAT(findings_of("{when: \">=1\", then: [--x], also: [--y]}"),
                ElementsAre("4: \"when\" and \"then\" stand alone"));
    EXPECT_THAT(findings_of("{when: \">=1\", than: [--x]}"),
                ElementsAre(HasSubstr("4: an entry of build: \"configure\" must be text")));
    EXPECT_THAT(findings_of("{when: \">=1\", then: [\"@dep:zlob@\"]}"),
                ElementsAre(HasSubstr("4: @dep:zlob@: \"zlob\" is not in depends")));
}

TEST(Conditions, WhatIsMissingForOneVersionIsSaidOfIt) {
    const Parts parts = read(
        "build: {system: autotools}\npackage:\n  expect:\n    - {when: \">=25\", paths: [a]}\n",
        {"25.11", "24.11"});
    EXPECT_THAT(parts.findings,
                ElementsAre("4: for version 24.11: expect must be a list with at least one entry"));
}

}  // namespace
}  // namespace sf::recipe
