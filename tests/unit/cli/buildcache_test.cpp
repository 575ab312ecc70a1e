// SPDX-License-Identifier: Apache-2.0
// --buildcache, --cache and cache push: the words that fit each other, and those that do not. What
// they do is in tests/e2e/buildcache.sh, with real packages.
#include <gmock/gmock.h>

#include "base/text.hpp"
#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class BuildcacheWords : public CommandLine {
protected:
    BuildcacheWords() {
        for (const char* name : {"SLURM_FACTORY_CACHE", "SLURM_FACTORY_BUILDCACHE"})
            set(name, std::nullopt);
    }
    void expect(int code, const std::string& said_part, const std::vector<std::string>& words) {
        const Said said = run_here(words);
        EXPECT_EQ(said.code, code) << base::join(words, " ") << '\n' << said.out << said.err;
        EXPECT_THAT(said.out + said.err, HasSubstr(said_part)) << base::join(words, " ");
    }
};

TEST_F(BuildcacheWords, FitEachOtherOrAreRefused) {
    expect(2, "which is meant?", {"build-slurm", "--buildcache", "all", "--no-cache"});
    expect(2, "--cache is about --buildcache", {"build-slurm", "--cache", "/srv/cache"});
    expect(2, "--cache is about --buildcache", {"plan", "--cache", "/srv/cache"});
    expect(2, "--buildcache", {"build-slurm", "--buildcache", "some"});
    // What the environment says for other verbs is no slip here.
    // Nor what the configuration says.
    write(folder() / "config/slurm-factory/config.yaml",
          "cache: /srv/cache\npublish: none\naccept-expired: true\n");
    EXPECT_THAT(run_here({"plan", "--offline"}).err, Not(HasSubstr("is about --buildcache")));
    EXPECT_THAT(run_here({"plan", "--offline"}).err, Not(HasSubstr("config.yaml")));
    set("SLURM_FACTORY_CACHE", "/srv/cache");
    const Said said = run_here({"plan", "--offline"});
    EXPECT_THAT(said.out + said.err, Not(HasSubstr("is about --buildcache")));
    set("SLURM_FACTORY_BUILDCACHE", "deps");
    expect(2, "which is meant?", {"build-slurm", "--no-cache"});
}

TEST_F(BuildcacheWords, APushWantsAPlaceThatCanBeWrittenTo) {
    expect(2, "PLACE", {"cache", "push"});
    expect(2, "can only be read", {"cache", "push", "https://cache.example.org"});
    expect(2, "publishes nothing",
           {"cache", "push", (folder() / "cache").string(), "--publish", "none"});
    expect(2, "--publish", {"cache", "push", (folder() / "cache").string(), "--publish", "some"});
    EXPECT_FALSE(base::exists(folder() / "cache"));
    // A slip is no new folder here.
    expect(2, "no cache is called 'upstraem' here", {"cache", "push", "upstraem"});
    expect(2, "no cache is called 'upstraem' here",
           {"build-slurm", "--publish", "all", "--publish-to", "upstraem"});
}

}  // namespace
}  // namespace sf::cli::test
