// SPDX-License-Identifier: Apache-2.0
// The verbs that look after a prefix, as people call them: words that are off, a prefix without
// anything in it, their JSON. What they do is tested in unit/install.
#include <gmock/gmock.h>

#include "base/files.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using testing::HasSubstr;

class PrefixVerbs : public CommandLine {
protected:
    [[nodiscard]] std::string prefix() const { return (folder() / "prefix").string(); }
};

TEST_F(PrefixVerbs, WordsThatAreOffExitWithTwo) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> words{
        {{"uninstall"}, "which version, or generation?"},
        {{"uninstall", "25.11.2", "--all"}, "--all removes everything"},
        {{"uninstall", "../x"}, "is no version"},
        {{"gc", "--keep-days", "-1"}, "--keep-days"},
        {{"lease", "--hours", "0"}, "--hours"},
        {{"install", "--cache", "/x"}, "what is to be installed?"},
    };
    for (const auto& [line, said_of_it] : words) {
        SCOPED_TRACE(base::join(line, " "));
        std::vector<std::string> all = line;
        all.insert(all.end(), {"--prefix", prefix()});
        const Said said = run_here(all);
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr(said_of_it));
    }
    EXPECT_FALSE(base::exists(prefix()));
}

TEST_F(PrefixVerbs, WhereNothingIsNothingIsMade) {
    for (const char* verb : {"verify", "fsck", "gc", "lease"}) {
        const Said said = run_here({verb, "--prefix", prefix()});
        EXPECT_EQ(said.code, 1) << verb;
        EXPECT_THAT(said.err, HasSubstr(prefix())) << verb;
        EXPECT_FALSE(base::exists(prefix())) << verb;
    }
}

// A slip of the keys: nothing is said to be well, and nothing is made.
TEST_F(PrefixVerbs, AFolderOfOthersIsLeftAlone) {
    ASSERT_TRUE(base::make_dirs(prefix() + "/bin"));
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"verify"},
                                               {"verify", "--deep"},
                                               {"fsck"},
                                               {"fsck", "--set-aside"},
                                               {"gc"},
                                               {"lease"},
                                               {"lease", "--print"},
                                               {"lease", "--release"},
                                               {"uninstall", "25.11.2"},
                                               {"uninstall", "--all"},
                                               {"rollback"},
                                               {"rollback", "3"}}) {
        SCOPED_TRACE(base::join(words, " "));
        std::vector<std::string> all = words;
        all.insert(all.end(), {"--prefix", prefix()});
        const Said said = run_here(all);
        EXPECT_EQ(said.code, 1);
        EXPECT_EQ(said.out, "");
        EXPECT_THAT(said.err, HasSubstr("nothing was installed to " + prefix()));
        EXPECT_THAT(said.err, HasSubstr("say where: --prefix DIR"));
        EXPECT_EQ(base::list_dir(prefix()).value(), std::vector<std::string>{"bin"});
    }
}

TEST_F(PrefixVerbs, ABeginningIsOurs) {
    for (const char* sign : {"generations", "manifests", ".sf-stage"}) {
        ASSERT_TRUE(base::make_dirs(prefix() + '/' + sign));
        EXPECT_EQ(run_here({"verify", "--prefix", prefix()}).code, 0) << sign;
        EXPECT_EQ(run_here({"fsck", "--prefix", prefix()}).code, 0) << sign;
        // But there is nothing to go back to.
        const Said back = run_here({"rollback", "--prefix", prefix()});
        EXPECT_EQ(back.code, 1) << sign;
        EXPECT_THAT(back.err, HasSubstr("nothing was installed to " + prefix())) << sign;
        ASSERT_TRUE(base::remove_tree(prefix()));
    }
}

TEST_F(PrefixVerbs, AStateFolderIsNoPrefix) {
    const base::fs::path package =
        base::fs::path(prefix()) / "store/zlib-1.3.1-12345678/lib/libz.so";
    ASSERT_TRUE(base::make_dirs(package.parent_path()));
    ASSERT_TRUE(base::write_file(package, "built here"));
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"gc", "--keep-days", "0", "--no-other-hosts"}, {"uninstall", "--all"}, {"fsck"}}) {
        std::vector<std::string> all = words;
        all.insert(all.end(), {"--prefix", prefix()});
        const Said said = run_here(all);
        EXPECT_EQ(said.code, 1) << words[0] << said.out;
        EXPECT_THAT(said.err, HasSubstr("nothing was installed to " + prefix())) << words[0];
        EXPECT_TRUE(base::exists(package)) << words[0];
    }
}

TEST_F(PrefixVerbs, ANumberThatIsNoneIsSaidShortly) {
    for (const char* word : {"abc", "-1", "0", "99999999999999999999999"}) {
        const Said said = run_here({"rollback", word, "--prefix", prefix()});
        EXPECT_EQ(said.code, 2) << word;
        EXPECT_THAT(said.err, HasSubstr(fmt::format("'{}' is no number of a generation", word)));
        EXPECT_LT(said.err.size(), 300U) << said.err;
    }
}

TEST_F(PrefixVerbs, AnEmptyPrefixIsWell) {
    ASSERT_TRUE(base::make_dirs(prefix() + "/.sf-stage"));
    Said said = run_here({"verify", "--prefix", prefix(), "--json"});
    EXPECT_EQ(said.code, 0) << said.out;
    const auto event = base::parse_json(base::trim(said.out));
    ASSERT_TRUE(event) << said.out;
    EXPECT_EQ((*event)["event"], "verified");
    EXPECT_EQ((*event)["defects"], 0);
    said = run_here({"gc", "--prefix", prefix(), "--dry-run"});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("nothing to remove"));
    ASSERT_TRUE(base::write_file(prefix() + "/.sf-shared", ""));
    said = run_here({"gc", "--prefix", prefix()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("no other host has a lease"));
    said = run_here({"lease", "--prefix", prefix()});
    EXPECT_EQ(said.code, 0);
    EXPECT_THAT(said.out, testing::ContainsRegex("until [0-9-]+ [0-9:]+ UTC"));
    EXPECT_EQ(base::list_dir(prefix() + "/.sf-leases")->size(), 1U);
    EXPECT_EQ(run_here({"lease", "--release", "--prefix", prefix()}).code, 0);
    EXPECT_EQ(base::list_dir(prefix() + "/.sf-leases")->size(), 0U);
}

// Refused before anything is looked up.
TEST_F(PrefixVerbs, OfflineTakesFoldersOnly) {
    for (const char* place :
         {"http://127.0.0.1:9/x", "HTTPS://cache.example.org", "s3://bucket/x"}) {
        const Said said = run_here(
            {"install", "slurm@25.11", "--cache", place, "--offline", "--prefix", prefix()});
        EXPECT_EQ(said.code, 1) << place;
        EXPECT_THAT(said.err, HasSubstr("that cache is on the network")) << place;
    }
}

TEST_F(PrefixVerbs, ALockFileThatIsNoneIsSaid) {
    const std::string lock = (folder() / "slurm.lock").string();
    ASSERT_TRUE(base::write_file(lock, "{\"schema\":1}"));
    const Said said =
        run_here({"install", "--frozen", lock, "--cache", "/x", "--prefix", prefix()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("slurm.lock"));
    EXPECT_THAT(said.err, HasSubstr("a lock file lacks"));
    ASSERT_TRUE(base::write_file(lock, "slurm@25.11\n"));
    const Said text =
        run_here({"install", "--frozen", lock, "--cache", "/x", "--prefix", prefix()});
    EXPECT_EQ(text.code, 1);
    EXPECT_THAT(text.err, HasSubstr("slurm.lock is no lock file"));
    EXPECT_THAT(text.err, HasSubstr("--write-lock FILE"));
    EXPECT_THAT(text.err, testing::Not(HasSubstr("json")));
}

}  // namespace
}  // namespace sf::cli::test
