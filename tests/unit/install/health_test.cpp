// SPDX-License-Identifier: Apache-2.0
// What verify sees of a prefix, and what fsck makes of it: every kind of damage, by hand, to real
// folders.
#include <sys/file.h>
#include <sys/wait.h>

#include <tuple>
#include <unistd.h>

#include "base/text.hpp"
#include "tree/repair.hpp"
#include "unit/install/generation_maker.hpp"

namespace sf::install {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class Health : public GenerationTest {
protected:
    tree::RepairReport fsck(bool set_aside = false) {
        tree::RepairOptions options;
        options.set_aside = set_aside;
        options.now = 1'790'000'000;
        auto report = tree::repair(prefix(), options);
        EXPECT_TRUE(report) << report.error().text();
        return report ? std::move(*report) : tree::RepairReport();
    }
    void two_versions() {
        ASSERT_EQ(keep(make("25.11.1", "1", {}, "one")), 1U);
        ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
        ASSERT_EQ(ills(true, true), "");
    }
};

TEST_F(Health, AFreshPrefixIsWell) {
    EXPECT_EQ(tree::check_installed(prefix()).error().code, base::Code::absent);
    two_versions();
    const auto report = tree::check_installed(prefix()).value();
    EXPECT_EQ(report.generations, 2U);
    EXPECT_EQ(report.versions, 2U);
    EXPECT_EQ(report.packages, 4U);
    EXPECT_GT(report.files, 10U);
    EXPECT_THAT(report.notices, IsEmpty());
    EXPECT_THAT(fsck().mended, IsEmpty());
    ASSERT_TRUE(back(1));
    EXPECT_EQ(ills(), "");
    // Another build of a version in place, and back.
    ASSERT_EQ(keep(make("25.11.2", "2", {}, "again")), 3U);
    EXPECT_EQ(ills(), "");
    ASSERT_TRUE(back(2));
    EXPECT_EQ(ills(), "");
    EXPECT_THAT(notices(), IsEmpty());
}

TEST_F(Health, WhatIsDamagedInAPackageIsNamed) {
    two_versions();
    const std::string slurm = package(2, "slurm");
    const fs::path srun = store(slurm) / "bin/srun";
    const std::string good = read(srun);
    // The same size and mode: only who reads it sees it.
    overwrite(srun, std::string(good.size(), 'x'));
    EXPECT_EQ(ills(false), "");
    EXPECT_THAT(ills(), HasSubstr("store/" + slurm + "/bin/srun: has SHA-256"));
    overwrite(srun, good + "x");
    EXPECT_THAT(ills(false), HasSubstr("bin/srun: has 14 bytes, not 13"));
    overwrite(srun, good);
    ASSERT_EQ(::chmod(srun.c_str(), 0700), 0);
    EXPECT_THAT(ills(false), HasSubstr("bin/srun: has mode 700, not 755"));
    ASSERT_EQ(::chmod(srun.c_str(), 0755), 0);
    ASSERT_EQ(ills(), "");
    ASSERT_TRUE(base::remove_file(srun));
    EXPECT_THAT(ills(false), HasSubstr("bin/srun: is missing"));
    ASSERT_EQ(::symlink("/bin/sh", srun.c_str()), 0);
    EXPECT_THAT(ills(false), HasSubstr("bin/srun: is a symlink, not a file"));
    ASSERT_TRUE(base::remove_file(srun));
    ASSERT_TRUE(base::write_file(srun, good, 0755));
    ASSERT_TRUE(base::write_file(store(slurm) / "bin/more", "x"));
    EXPECT_THAT(ills(false), HasSubstr("bin/more: is not in the manifest"));
    ASSERT_TRUE(base::remove_file(store(slurm) / "bin/more"));
    ASSERT_EQ(::chmod((store(slurm) / "bin").c_str(), 0777), 0);
    EXPECT_THAT(ills(false), HasSubstr("bin: has mode 777: others can write to it"));
    ASSERT_EQ(::chmod((store(slurm) / "bin").c_str(), 0755), 0);
    // A folder that is gone is one defect, not one for each file.
    ASSERT_TRUE(base::remove_tree(store(slurm) / "lib"));
    EXPECT_EQ(ills(false), "store/" + slurm + "/lib: is missing\n");
    ASSERT_TRUE(base::remove_tree(store(slurm)));
    EXPECT_EQ(ills(false), "store/" + slurm + ": is missing\n");
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    EXPECT_EQ(ills(), "");
}

TEST_F(Health, FsckNamesDamagedPackagesAndMovesThemWhenTold) {
    two_versions();
    const std::string slurm = package(2, "slurm");
    overwrite(store(slurm) / "bin/srun", "something else");
    auto report = fsck();
    EXPECT_THAT(report.left.damaged, ElementsAre(slurm));
    EXPECT_THAT(report.left.defects.at(0).next, HasSubstr("--set-aside"));
    EXPECT_TRUE(base::exists(store(slurm)));
    report = fsck(true);
    ASSERT_THAT(report.set_aside, SizeIs(1));
    EXPECT_THAT(report.set_aside[0], HasSubstr("store/" + slurm + " -> .sf-damaged/20260921-"));
    EXPECT_FALSE(base::exists(store(slurm)));
    EXPECT_EQ(read(prefix() / report.set_aside[0].substr(report.set_aside[0].find(".sf-damaged")) /
                   "bin/srun"),
              "something else");
    // The install that fetches mends it.
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two")), 2U);
    EXPECT_EQ(ills(), "");
}

TEST_F(Health, ViewsLinksAndFilesOfOursAreMadeAgain) {
    two_versions();
    const auto mends = [&](const std::string& what) {
        const auto report = fsck();
        EXPECT_THAT(report.mended, Not(IsEmpty())) << what;
        EXPECT_THAT(report.left.defects, IsEmpty()) << what;
        EXPECT_EQ(ills(), "") << what;
        EXPECT_EQ(current(), 2U) << what;
        EXPECT_EQ(srun(), "srun 25.11.21") << what;
    };
    for (const char* path :
         {"view", "views/25.11.2", "views/25.11.1", "views/25.11.2/bin/srun",
          "manifests/25.11.2.json", "data/slurm_assets/25.11.2", "data/slurm_assets/25.11.1",
          "data/slurm_assets/25.11.2/slurm_install.sh", "data/slurm_assets/slurm_install.sh",
          "modules/slurm/25.11.2-bookworm.lua", "modules/slurm/.modulerc.lua"}) {
        ASSERT_TRUE(base::remove_tree(prefix() / path));
        EXPECT_THAT(ills(false), HasSubstr(std::string(path) + ": ")) << path;
        mends(path);
    }
    for (const char* path : {"view", "generations/current"}) {
        ASSERT_TRUE(base::remove_file(prefix() / path));
        ASSERT_EQ(::symlink("nowhere", (prefix() / path).c_str()), 0);
        EXPECT_NE(ills(false), "") << path;
        if (std::string(path) == "view") ASSERT_TRUE(base::remove_file(prefix() / path));
        mends(path);
    }
    overwrite(prefix() / "manifests/25.11.2.json", "{}");
    EXPECT_THAT(ills(false), HasSubstr("manifests/25.11.2.json: "));
    mends("manifest");
    overwrite(prefix() / "data/slurm_assets/25.11.2/config/slurm.conf", "ClusterName=x\n");
    mends("assets");
}

// A view is mended though a package of its version is not.
TEST_F(Health, OneDamageIsNotInTheWayOfMendingAnother) {
    two_versions();
    const std::string slurm = package(2, "slurm");
    ASSERT_TRUE(base::remove_file(store(slurm) / "bin/sinfo"));
    ASSERT_TRUE(base::remove_tree(prefix() / "views/25.11.2"));
    const auto report = fsck();
    ASSERT_THAT(report.left.defects, SizeIs(1));
    EXPECT_EQ(report.left.defects[0].path, "store/" + slurm + "/bin/sinfo");
    EXPECT_EQ(srun(), "srun 25.11.21");
}

// By `bundle install`: no generation keeps its files, its view is in its manifest.
TEST_F(Health, WhatCameByOtherMeansIsMendedAsFarAsItGoes) {
    ASSERT_TRUE(install(make("25.11.3", "1", {}, "three"), prefix()));
    EXPECT_EQ(ills(), "");
    ASSERT_TRUE(base::remove_tree(prefix() / "views/25.11.3/bin"));
    ASSERT_TRUE(base::remove_file(prefix() / "modules/slurm/.modulerc.lua"));
    EXPECT_THAT(fsck().left.defects, IsEmpty());
    EXPECT_EQ(srun(), "srun 25.11.31");
    ASSERT_TRUE(base::remove_file(prefix() / "data/slurm_assets/25.11.3/modulerc.lua"));
    EXPECT_THAT(fsck().left.defects, Not(IsEmpty()));
    ASSERT_TRUE(install(make("25.11.3", "1", {}, "three"), prefix()));
    EXPECT_EQ(ills(), "");
}

TEST_F(Health, GenerationsThatCannotBeReadAreTold) {
    two_versions();
    const fs::path record = prefix() / "generations/1/generation.json";
    const std::string good = read(record);
    overwrite(record, "{}");
    EXPECT_THAT(ills(false), HasSubstr("generations/1: "));
    EXPECT_THAT(fsck().left.defects, SizeIs(1));
    EXPECT_TRUE(base::exists(record));
    const auto report = fsck(true);
    EXPECT_THAT(report.set_aside, SizeIs(1));
    EXPECT_FALSE(base::exists(record));
    EXPECT_EQ(ills(), "");
    // A copy of ours that was changed: rolling back would be refused.
    overwrite(prefix() / "generations/2/assets/data/slurm_assets/25.11.2/modulerc.lua", "bad");
    EXPECT_THAT(ills(), HasSubstr("generations/2/assets/data/slurm_assets/25.11.2/modulerc.lua"));
}

TEST_F(Health, SignaturesAreJudged) {
    two_versions();
    const fs::path kept = prefix() / "generations/1/manifest.json.asc";
    const fs::path placed = prefix() / "manifests/25.11.2.json.asc";
    overwrite(kept, read(placed));
    overwrite(placed, read(prefix() / "manifests/25.11.1.json.asc"));
    EXPECT_THAT(ills(true, true), HasSubstr("generations/1/manifest.json: "));
    EXPECT_THAT(ills(true, true), HasSubstr("manifests/25.11.2.json: "));
    // By somebody who is not trusted here.
    test::Gnupg stranger;
    const std::string key = stranger.make_key("Eve <eve@example.org>");
    overwrite(placed, stranger.sign(read(prefix() / "manifests/25.11.2.json"), {key}));
    EXPECT_THAT(ills(true, true), HasSubstr("manifests/25.11.2.json: "));
    ASSERT_TRUE(base::remove_file(placed));
    ASSERT_TRUE(back(1));
    tree::CheckOptions options;
    options.judge = [](const auto&, const auto&, const auto&) { return base::Status(); };
    EXPECT_THAT(tree::check_installed(prefix(), options)->notices,
                Contains("manifests/25.11.2.json is not signed"));
}

TEST_F(Health, LeftoversOfTheDeadGoAndOfTheLivingStay) {
    two_versions();
    ASSERT_TRUE(base::make_dirs(prefix() / ".sf-stage/new-abcdef/store/x"));
    // While somebody is at work fsck waits for the lock.
    const pid_t child = ::fork();
    if (child == 0) {
        const auto lock = base::FileLock::acquire(prefix() / ".sf-stage/lock");
        std::ignore = base::write_file(prefix() / ".sf-stage/held", "");
        for (int i = 0; i < 30'000 && !base::exists(x_folder.path() / "go"); ++i) ::usleep(1000);
        const bool there = base::exists(prefix() / ".sf-stage/new-abcdef/store/x");
        ::_exit(lock && there ? 0 : 1);
    }
    while (!base::exists(prefix() / ".sf-stage/held")) ::usleep(1000);
    bool waited = false;
    tree::RepairOptions options;
    options.waiting = [&] {
        waited = true;
        std::ignore = base::write_file(x_folder.path() / "go", "");
    };
    const auto report = tree::repair(prefix(), options);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(waited);
    EXPECT_THAT(report->mended, Contains(HasSubstr(".sf-stage/new-abcdef, left by")));
    EXPECT_THAT(staged(), ElementsAre("lock"));
}

// What it is about to mend nobody has changed since it looked.
TEST_F(Health, FsckIsAloneToTheEnd) {
    keep(make("25.11.1", "1", {}, "one"));
    ASSERT_TRUE(base::remove_file(prefix() / "view"));
    int steps = 0;
    tree::RepairOptions options;
    options.on_step = [&](std::string_view step) -> base::Status {
        if (step == "leftovers") return {};
        const base::Fd other = base::open_file(prefix() / ".sf-stage/lock", O_RDWR).value();
        EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0) << step;
        ++steps;
        return {};
    };
    ASSERT_TRUE(tree::repair(prefix(), options));
    EXPECT_GT(steps, 2);
    EXPECT_EQ(ills(), "");
}

// As two that worked at once where no lock keeps them apart may leave it.
TEST_F(Health, AViewOfWhatIsGoneIsGivenToWhatIsLeft) {
    keep(make("25.11.1", "1", {}, "one"));
    keep(make("25.11.2", "1", {}, "two"));
    for (const char* path : {"views/25.11.2", "generations/2", "data/slurm_assets/25.11.2"})
        ASSERT_TRUE(base::remove_tree(prefix() / path));
    for (const char* path : {"manifests/25.11.2.json", "manifests/25.11.2.json.asc"})
        ASSERT_TRUE(base::remove_file(prefix() / path));
    EXPECT_THAT(ills(), HasSubstr("view: leads nowhere"));
    ASSERT_TRUE(tree::repair(prefix(), {}));
    EXPECT_EQ(srun(), "srun 25.11.11");
    EXPECT_EQ(current(), 1U);
    EXPECT_EQ(ills(), "");
}

// Killed at any step, the next run comes to the same end; nothing it did is worse than before.
TEST_F(Health, FsckKilledAtAnyStepGoesOn) {
    two_versions();
    const auto whole = listing(prefix());
    const std::string slurm = package(1, "slurm");
    const auto damage = [&] {
        ASSERT_TRUE(base::remove_tree(prefix() / "views/25.11.1"));
        ASSERT_TRUE(base::remove_file(prefix() / "view"));
        ASSERT_TRUE(base::remove_tree(prefix() / "data/slurm_assets/25.11.2"));
        overwrite(store(slurm) / "bin/srun", "x");
    };
    end_at_every_step(
        [&](int end) {
            damage();
            const pid_t child = ::fork();
            if (child == 0) {
                int steps = 0;
                tree::RepairOptions options;
                options.set_aside = true;
                options.on_step = [&](std::string_view) -> base::Status {
                    if (steps++ == end) ::_exit(9);
                    return {};
                };
                ::_exit(tree::repair(prefix(), options) ? 0 : 1);
            }
            int status = 0;
            EXPECT_EQ(::waitpid(child, &status, 0), child);
            EXPECT_NE(WEXITSTATUS(status), 1);
            return WEXITSTATUS(status) == 0;
        },
        [&](int end, bool) {
            fsck(true);
            EXPECT_EQ(ills(), "store/" + slurm + ": is missing\n") << end;
            InstallOptions beside;
            beside.switch_view = false;
            ASSERT_TRUE(install(make("25.11.1", "1", {}, "one"), prefix(), beside));
            EXPECT_EQ(ills(), "") << end;
            ASSERT_TRUE(base::remove_tree(prefix() / ".sf-damaged"));
            EXPECT_EQ(listing(prefix()), whole) << end;
        });
}

TEST_F(Health, TheUmaskChangesNothing) {
    two_versions();
    const mode_t before = ::umask(077);
    ASSERT_TRUE(base::remove_tree(prefix() / "views"));
    ASSERT_TRUE(base::remove_tree(prefix() / "data"));
    fsck();
    ::umask(before);
    EXPECT_EQ(ills(), "");
    for (const char* path : {"views", "views/25.11.2/bin", "data", "data/slurm_assets/25.11.1"}) {
        struct stat status {};
        ASSERT_EQ(::lstat((prefix() / path).c_str(), &status), 0) << path;
        EXPECT_EQ(status.st_mode & 07777U, 0755U) << path;
    }
}

}  // namespace
}  // namespace sf::install
