// SPDX-License-Identifier: Apache-2.0
// What clean deletes, and above all what it does not.
#include <gmock/gmock.h>

#include <set>

#include "cli/clean_plan.hpp"
#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using testing::HasSubstr;

class Clean : public CommandLine {
protected:
    Clean() {
        for (const char* file : {"work/munge-1/x.c",
                                 "logs/times.json",
                                 "logs/20260101-1/a/build.log",
                                 "logs/20260102-1/build.log",
                                 "logs/20260103-1/build.log",
                                 "logs/20260104-1/build.log",
                                 "sources/sha256/aa/lz4.tar.gz",
                                 "sources/partial/bb.part",
                                 "sources/partial/bb.lock",
                                 "packages/zlib-1/manifest.json",
                                 "packages/.old-abc/it/x",
                                 "store/zlib-1/lib/z",
                                 "store/.tmp-1/z",
                                 "roots/bookworm/current",
                                 "roots/bookworm/cc.tar.zst",
                                 "roots/bookworm/.lock",
                                 "roots/bookworm/.staging-1/x",
                                 "ccache/a/b",
                                 "builds/bookworm/25.11/slurm.tar.gz",
                                 "builds/bookworm/25.11/.tmp-00ff",
                                 "keys/gnupg/pubring.kbx",
                                 "keys/trust/trust.json",
                                 "locks/zlib-1.lock",
                                 "somebody-elses/file"})
            write(state() / file, "some text\n");
    }
    [[nodiscard]] std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : base::fs::recursive_directory_iterator(state()))
            if (!entry.is_directory())
                names.insert(entry.path().lexically_relative(state()).string());
        return names;
    }
};

TEST_F(Clean, TakesLeftoversOnly) {
    const std::set<std::string> before = files();
    ASSERT_EQ(run_here({"clean", "--dry-run"}).code, 0);
    EXPECT_EQ(files(), before);
    const Said said = run_here({"clean"});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("freed in"));
    std::set<std::string> expected = before;
    for (const char* gone : {"work/munge-1/x.c", "logs/20260101-1/a/build.log",
                             "sources/partial/bb.part", "packages/.old-abc/it/x", "store/.tmp-1/z",
                             "roots/bookworm/.staging-1/x", "builds/bookworm/25.11/.tmp-00ff"})
        EXPECT_EQ(expected.erase(gone), 1U) << gone;
    EXPECT_EQ(files(), expected);
}

TEST_F(Clean, FullKeepsKeysBundlesTimesAndWhatIsNotOurs) {
    ASSERT_EQ(run_here({"clean", "--full"}).code, 0);
    EXPECT_THAT(files(),
                testing::ElementsAre("builds/bookworm/25.11/slurm.tar.gz", "keys/gnupg/pubring.kbx",
                                     "keys/trust/trust.json", "locks/zlib-1.lock",
                                     "logs/times.json", "roots/bookworm/.lock",
                                     "somebody-elses/file", "sources/partial/bb.lock"));
}

TEST_F(Clean, DoesNotFollowLinks) {
    write(folder() / "shared/zlib-1/manifest.json", "{}");
    ASSERT_TRUE(base::remove_tree(state() / "packages"));
    base::fs::create_symlink(folder() / "shared", state() / "packages");
    base::fs::create_symlink(folder() / "shared", state() / "work/link");
    ASSERT_EQ(run_here({"clean", "--full"}).code, 0);
    EXPECT_TRUE(base::exists(folder() / "shared/zlib-1/manifest.json"));
    EXPECT_FALSE(base::exists(state() / "work/link"));
}

TEST_F(Clean, RefusesWhileABuildWorks) {
    const std::set<std::string> before = files();
    for (const char* lock :
         {"locks/zlib-1.lock", "roots/bookworm/.lock", "sources/partial/bb.lock"}) {
        SCOPED_TRACE(lock);
        const auto held = base::FileLock::acquire(state() / lock);
        ASSERT_TRUE(held);
        const Said said = run_here({"clean"});
        EXPECT_EQ(said.code, 1);
        EXPECT_THAT(said.err, HasSubstr("in use"));
        EXPECT_THAT(said.err, HasSubstr(lock));
        EXPECT_EQ(files(), before);
    }
    EXPECT_EQ(run_here({"clean"}).code, 0);
}

TEST_F(Clean, RefusesFoldersThatAreNotItsOwn) {
    EXPECT_EQ(run({"clean", "--full", "--state-dir", "/"}).code, 1);
    set("HOME", state());
    const std::set<std::string> before = files();
    EXPECT_EQ(run_here({"clean", "--full"}).code, 1);
    EXPECT_EQ(files(), before);
}

TEST_F(Clean, RefusesFoldersWithoutMarksOfOurs) {
    const base::fs::path other = folder() / "other";
    write(other / "packages/precious", "text");
    const Said said = run({"clean", "--full", "--state-dir", other.string()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("does not look like"));
    EXPECT_TRUE(base::exists(other / "packages/precious"));
}

TEST_F(Clean, AFolderThatIsNotThereIsClean) {
    const Said said = run({"clean", "--full", "--state-dir", (folder() / "none").string()});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_FALSE(base::exists(folder() / "none"));
}

}  // namespace
}  // namespace sf::cli::test
