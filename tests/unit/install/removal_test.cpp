// SPDX-License-Identifier: Apache-2.0
// gc and uninstall: what goes, what stays and why, with processes that really run from the store,
// with leases of other hosts; and that a kill at any step leaves a prefix that is well.
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <tuple>
#include <unistd.h>

#include "base/process.hpp"
#include "base/text.hpp"
#include "tree/collect.hpp"
#include "tree/leases.hpp"
#include "tree/uninstall.hpp"
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

constexpr std::int64_t now = 1'790'000'000;
constexpr std::int64_t day = 86'400;

class Removal : public GenerationTest {
protected:
    static tree::CollectOptions options() {
        tree::CollectOptions how;
        how.now = now;
        return how;
    }
    tree::CollectPlan gc(const tree::CollectOptions& how = options()) {
        auto plan = tree::collect(prefix(), how);
        EXPECT_TRUE(plan) << plan.error().text();
        return plan ? std::move(*plan) : tree::CollectPlan();
    }
    static std::string words(const tree::CollectPlan& plan) {
        std::string all;
        for (const tree::Kept& each : plan.kept) all += each.what + ": " + each.why + '\n';
        return all;
    }
    base::Result<tree::UninstallPlan> remove(const std::string& version,
                                             std::uint64_t generation = 0, bool all = false) {
        tree::UninstallRequest request;
        request.version = version;
        request.generation = generation;
        request.all = all;
        request.now = now;
        return tree::uninstall(prefix(), request);
    }
    // Of 1, 70, 80 and 90 days ago.
    void four_generations() {
        ASSERT_EQ(keep(make("25.11.1", "1", {}, "one"), now - 90 * day), 1U);
        ASSERT_EQ(keep(make("25.11.2", "1", {}, "two"), now - 80 * day), 2U);
        ASSERT_EQ(keep(make("25.11.3", "1", {}, "three"), now - 70 * day), 3U);
        ASSERT_EQ(keep(make("25.11.4", "1", {}, "four"), now - day), 4U);
    }
    [[nodiscard]] std::vector<std::uint64_t> generations() const {
        std::vector<std::uint64_t> numbers;
        const auto all = tree::list_generations(prefix()).value();
        for (const tree::Generation& each : all) numbers.push_back(each.number);
        return numbers;
    }
    // A program that waits, started from the store.
    base::Child start_from(const std::string& package) {
        const fs::path program = store(package) / "bin/srun";
        EXPECT_TRUE(base::remove_file(program));
        fs::copy_file("/bin/sleep", program);
        base::Command command;
        command.argv = {program.native(), "300"};
        return std::move(base::Child::spawn(command).value());
    }
    // The prefix as it was when it was copied to "kept".
    static constexpr auto as_it_is = fs::copy_options::recursive | fs::copy_options::copy_symlinks;
    void as_kept() const {
        EXPECT_TRUE(base::remove_tree(prefix()));
        fs::copy(x_folder.path() / "kept", prefix(), as_it_is);
    }
    // Runs in a child that is killed at step `end`; true: it came through.
    template <class Run>
    static bool survives(int end, Run run) {
        const pid_t child = ::fork();
        if (child == 0) {
            int steps = 0;
            const bool done = run([&](std::string_view) -> base::Status {
                if (steps++ == end) ::_exit(9);
                return {};
            });
            ::_exit(done ? 0 : 1);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_NE(WEXITSTATUS(status), 1) << "it failed";
        return WEXITSTATUS(status) == 0;
    }
    // As if what is current had become it then.
    void switched(std::int64_t time) const {
        const timespec times[2] = {{time, 0}, {time, 0}};
        for (const char* link : {"view", "generations/current"})
            ASSERT_EQ(::utimensat(AT_FDCWD, (prefix() / link).c_str(), times, AT_SYMLINK_NOFOLLOW),
                      0);
    }
    [[nodiscard]] tree::Lease lease(const std::string& host, std::int64_t expires) const {
        tree::Lease one;
        one.host = host;
        one.boot = "01234567-89ab-cdef-0123-456789abcdef";
        one.made = now - day;
        one.expires = expires;
        return one;
    }
};

TEST_F(Removal, WhatIsOldAndUnneededGoes) {
    four_generations();
    const std::string slurm = package(1, "slurm");
    const std::string zlib = package(1, "zlib");
    const auto plan = tree::plan_collection(prefix(), options()).value();
    EXPECT_EQ(plan.removal.generations, (std::set<std::uint64_t>{1, 2}));
    EXPECT_EQ(plan.removal.versions, (std::set<std::string>{"25.11.1", "25.11.2"}));
    EXPECT_EQ(plan.removal.packages, (std::set<std::string>{slurm, package(2, "slurm")}));
    EXPECT_GT(plan.bytes, 0U);
    EXPECT_EQ(words(plan), "generation 3: a rollback goes back to it\n");
    EXPECT_TRUE(base::exists(store(slurm)));  // a plan changes nothing

    gc();
    EXPECT_EQ(ills(), "");
    EXPECT_THAT(notices(), IsEmpty());
    EXPECT_THAT(generations(), ElementsAre(3, 4));
    EXPECT_FALSE(base::exists(store(slurm)));
    EXPECT_TRUE(base::exists(store(zlib)));
    for (const char* path :
         {"views/25.11.1", "manifests/25.11.1.json", "manifests/25.11.1.json.asc",
          "data/slurm_assets/25.11.1", "modules/slurm/25.11.1-bookworm.lua"})
        EXPECT_FALSE(base::exists(prefix() / path)) << path;
    EXPECT_THAT(staged(), ElementsAre("lock"));
    EXPECT_EQ(srun(), "srun 25.11.41");
    EXPECT_TRUE(gc().removal.empty());
    ASSERT_TRUE(back(3));
    EXPECT_EQ(srun(), "srun 25.11.31");
    EXPECT_EQ(ills(), "");
    // Numbers are not given twice.
    EXPECT_EQ(keep(make("25.11.1", "1", {}, "one"), now), 5U);
}

TEST_F(Removal, HowManyDaysIsSaid) {
    four_generations();
    auto how = options();
    how.keep_days = 85;
    EXPECT_EQ(tree::plan_collection(prefix(), how)->removal.generations,
              (std::set<std::uint64_t>{1}));
    how.keep_days = 0;
    gc(how);
    EXPECT_THAT(generations(), ElementsAre(3, 4));
    // Rolled back, the other one stays: it is what is current that counts.
    ASSERT_TRUE(back(3));
    EXPECT_EQ(tree::plan_collection(prefix(), how)->removal.generations,
              (std::set<std::uint64_t>{4}));
}

// Two builds of a version: one goes, the other's view and manifest are in place.
TEST_F(Removal, AnotherBuildOfTheSameVersionStays) {
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "one"), now - 90 * day), 1U);
    ASSERT_EQ(keep(make("25.11.3", "1", {}, "three"), now - 80 * day), 2U);
    ASSERT_EQ(keep(make("25.11.2", "2", {}, "two"), now - 70 * day), 3U);
    const std::string gone = package(1, "slurm");
    gc();
    EXPECT_THAT(generations(), ElementsAre(2, 3));
    EXPECT_FALSE(base::exists(store(gone)));
    EXPECT_EQ(srun(), "srun 25.11.22");
    EXPECT_EQ(ills(), "");
}

TEST_F(Removal, WhatNoGenerationBroughtIsSomebodysWish) {
    ASSERT_EQ(keep(make("25.11.1", "1", {}, "one"), now - 90 * day), 1U);
    InstallOptions beside;
    beside.switch_view = false;
    ASSERT_TRUE(install(make("25.11.2", "1", {}, "two"), prefix(), beside));
    const auto before = listing(prefix());
    EXPECT_TRUE(gc().removal.empty());
    EXPECT_EQ(listing(prefix()), before);
    ASSERT_TRUE(remove("25.11.2"));
    EXPECT_EQ(ills(), "");
    EXPECT_FALSE(base::exists(prefix() / "views/25.11.2"));
    EXPECT_EQ(srun(), "srun 25.11.11");
}

TEST_F(Removal, StraysOfASiteAreNotOurs) {
    four_generations();
    ASSERT_TRUE(base::make_dirs(prefix() / "store/ours"));
    ASSERT_TRUE(base::write_file(prefix() / "modules/slurm/site.lua", "-- ours"));
    ASSERT_TRUE(base::make_dirs(prefix() / "store/zlib-1.0-01234567"));  // a package of nobody
    ASSERT_TRUE(base::make_dirs(prefix() / "views/25.11.0"));
    EXPECT_THAT(notices(), Contains(HasSubstr("store/zlib-1.0-01234567 is needed by nothing")));
    gc();
    EXPECT_TRUE(base::exists(prefix() / "store/ours"));
    EXPECT_TRUE(base::exists(prefix() / "modules/slurm/site.lua"));
    EXPECT_FALSE(base::exists(prefix() / "store/zlib-1.0-01234567"));
    EXPECT_FALSE(base::exists(prefix() / "views/25.11.0"));
    EXPECT_EQ(ills(), "");
}

TEST_F(Removal, WhatCannotBeReadStopsIt) {
    four_generations();
    overwrite(prefix() / "generations/1/generation.json", "{}");
    const auto before = listing(prefix());
    const auto refused = tree::collect(prefix(), options());
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("nobody knows what it needs"));
    EXPECT_THAT(refused.error().hint, HasSubstr("fsck"));
    EXPECT_EQ(listing(prefix()), before);
    EXPECT_FALSE(remove("25.11.2"));
}

TEST_F(Removal, WhatAProcessRunsFromStaysWithAllItMayLoad) {
    four_generations();
    const std::string slurm = package(1, "slurm");
    base::Child job = start_from(slurm);
    const auto plan = gc();
    EXPECT_THAT(generations(), ElementsAre(1, 3, 4));
    EXPECT_THAT(words(plan), HasSubstr(fmt::format("generation 1: used by srun ({})", job.pid())));
    EXPECT_TRUE(base::exists(store(slurm)));
    EXPECT_TRUE(base::exists(prefix() / "views/25.11.1/bin/sinfo"));
    const auto refused = remove("25.11.1");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(),
                HasSubstr(fmt::format("store/{} is used by srun ({})", slurm, job.pid())));
    job.kill_group(SIGKILL);
    ASSERT_TRUE(job.wait());
    ASSERT_TRUE(remove("25.11.1"));
    EXPECT_THAT(generations(), ElementsAre(3, 4));
    EXPECT_EQ(ills(), "");
}

// A folder somebody is in is in use too.
TEST_F(Removal, AFolderSomebodyIsIn) {
    four_generations();
    base::Command command;
    command.argv = {"/bin/sleep", "300"};
    command.directory = store(package(1, "slurm")) / "bin";
    base::Child there = std::move(base::Child::spawn(command).value());
    EXPECT_THAT(words(gc()), HasSubstr("generation 1: used by sleep"));
    ASSERT_EQ(keep(make("25.11.2", "1", {}, "two"), now - 80 * day), 5U);
    ASSERT_TRUE(back(4));
    command.directory = prefix() / "views/25.11.2";
    base::Child viewer = std::move(base::Child::spawn(command).value());
    EXPECT_THAT(words(gc()), HasSubstr("generation 5: used by sleep"));
    EXPECT_THAT(generations(), ElementsAre(1, 3, 4, 5));
}

// Begun between the look and the removal: all is put back.
TEST_F(Removal, AProcessThatBeginsMeanwhile) {
    four_generations();
    const std::string slurm = package(1, "slurm");
    const auto before = listing(prefix());
    std::optional<base::Child> job;
    auto how = options();
    how.removal.on_step = [&](std::string_view step) -> base::Status {
        if (step == "packages") job.emplace(start_from(slurm));
        return {};
    };
    const auto refused = tree::collect(prefix(), how);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("begun meanwhile"));
    EXPECT_EQ(listing(prefix()), before);
    EXPECT_THAT(generations(), ElementsAre(1, 2, 3, 4));
}

TEST_F(Removal, AnInstallationThatComesMeanwhileKeepsItsPackages) {
    four_generations();
    auto how = options();
    // As by somebody whose file system has no locks: its record appears, its package was there.
    how.removal.on_step = [&](std::string_view step) -> base::Status {
        if (step != "packages") return {};
        fs::copy(prefix() / "generations/3", prefix() / "generations/7",
                 fs::copy_options::recursive);
        auto kept = tree::read_generation(prefix(), 3).value();
        kept.generation.number = 7;
        const auto text = base::read_file(x_folder.path() / "one.json");
        kept.generation.manifest = base::sha256(*text);
        kept.generation.version = "25.11.1";
        overwrite(prefix() / "generations/7/generation.json",
                  tree::to_json(kept.generation).value());
        overwrite(prefix() / "generations/7/manifest.json", *text);
        return {};
    };
    ASSERT_TRUE(base::write_file(x_folder.path() / "one.json",
                                 read(prefix() / "generations/1/manifest.json")));
    const std::string slurm = package(1, "slurm");
    gc(how);
    EXPECT_TRUE(base::exists(store(slurm)));
    EXPECT_THAT(generations(), ElementsAre(3, 4, 7));
}

TEST_F(Removal, KilledAtAnyStepItIsWellAndGoesOn) {
    four_generations();
    fs::copy(prefix(), x_folder.path() / "kept", as_it_is);
    gc();
    const auto done = listing(prefix());
    end_at_every_step(
        [&](int end) {
            as_kept();
            return survives(end, [&](auto on_step) {
                auto how = options();
                how.removal.on_step = on_step;
                return tree::collect(prefix(), how).has_value();
            });
        },
        [&](int end, bool) {
            EXPECT_EQ(ills(), "") << end;
            EXPECT_EQ(srun(), "srun 25.11.41") << end;
            EXPECT_EQ(current(), 4U) << end;
            gc();
            EXPECT_EQ(listing(prefix()), done) << end;
            EXPECT_THAT(notices(), IsEmpty()) << end;
            EXPECT_THAT(staged(), ElementsAre("lock")) << end;
        });
}

TEST_F(Removal, AVersionAGenerationOrAll) {
    four_generations();
    EXPECT_EQ(remove("25.11.7").error().code, base::Code::absent);
    EXPECT_EQ(remove("", 9).error().code, base::Code::absent);
    for (const auto& refused : {remove("25.11.4"), remove("", 4)}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().text(), "it is current");
        EXPECT_THAT(refused.error().hint, HasSubstr("rollback"));
    }
    const auto one = remove("25.11.1");
    ASSERT_TRUE(one) << one.error().text();
    EXPECT_EQ(one->removal.versions, (std::set<std::string>{"25.11.1"}));
    EXPECT_GT(one->bytes, 0U);
    EXPECT_THAT(generations(), ElementsAre(2, 3, 4));
    ASSERT_TRUE(remove("", 2));
    EXPECT_FALSE(base::exists(prefix() / "views/25.11.2"));
    EXPECT_THAT(generations(), ElementsAre(3, 4));
    EXPECT_EQ(ills(), "");
    ASSERT_TRUE(base::write_file(prefix() / "mine", "stays"));
    ASSERT_TRUE(remove("", 0, true));
    EXPECT_THAT(listing(prefix()), ElementsAre("mine"));
    EXPECT_EQ(keep(make("25.11.4", "1", {}, "four")), 1U);
    EXPECT_EQ(ills(), "");
}

// What the units of this machine run (slurm_install.sh) is not taken from under them.
TEST_F(Removal, WhatServicesRunStays) {
    four_generations();
    ASSERT_EQ(::symlink("views/25.11.1", (prefix() / "current").c_str()), 0);
    EXPECT_THAT(remove("25.11.1").error().text(), HasSubstr("the services of this machine run"));
    EXPECT_THAT(remove("", 0, true).error().hint, HasSubstr("slurm_install.sh --uninstall"));
    gc();
    EXPECT_TRUE(base::exists(prefix() / "views/25.11.1/bin/srun"));
    EXPECT_EQ(read(prefix() / "current/bin/srun"), "srun 25.11.11");
    EXPECT_FALSE(base::exists(prefix() / "views/25.11.2"));
    EXPECT_EQ(ills(), "");
    ASSERT_TRUE(base::remove_file(prefix() / "current"));
    EXPECT_TRUE(remove("25.11.1"));
}

// Links that versions share lead to the one that is left.
TEST_F(Removal, SharedLinksAreHandedOn) {
    four_generations();
    for (const char* path : {"data/slurm_assets/slurm_install.sh", "modules/slurm/.modulerc.lua"}) {
        const std::string target = fs::read_symlink(prefix() / path).native();
        ASSERT_TRUE(base::remove_file(prefix() / path));
        ASSERT_EQ(::symlink(base::replace_all(target, "25.11.4", "25.11.1").c_str(),
                            (prefix() / path).c_str()),
                  0);
    }
    ASSERT_TRUE(remove("25.11.1"));
    EXPECT_EQ(ills(), "");
    EXPECT_EQ(read(prefix() / "data/slurm_assets/slurm_install.sh"), "#!/bin/sh\n# 25.11.4\n");
}

// An installation was killed after `view` was switched and before generations/current was.
TEST_F(Removal, WhatTheLinkStillNamesIsHandedOn) {
    four_generations();
    const fs::path link = prefix() / "generations/current";
    const auto name = [&](const char* number) {
        ASSERT_TRUE(base::remove_file(link));
        ASSERT_TRUE(base::make_symlink(number, link));
    };
    name("2");
    // Nothing becomes current by it: other hosts' leases count still.
    const timespec then[2] = {{now - 2 * day, 5}, {now - 2 * day, 5}};
    ASSERT_EQ(::utimensat(AT_FDCWD, link.c_str(), then, AT_SYMLINK_NOFOLLOW), 0);
    ASSERT_TRUE(remove("25.11.2"));
    EXPECT_EQ(fs::read_symlink(link), "4");
    struct stat handed_on {};
    ASSERT_EQ(::lstat(link.c_str(), &handed_on), 0);
    EXPECT_EQ(handed_on.st_mtim.tv_sec, now - 2 * day);
    EXPECT_EQ(ills(), "");
    // Of all of it nothing is left.
    fs::copy(prefix(), x_folder.path() / "kept", as_it_is);
    name("3");
    ASSERT_TRUE(remove("", 0, true));
    EXPECT_THAT(listing(prefix()), IsEmpty());
    as_kept();
    // Nothing is current.
    name("1");
    ASSERT_TRUE(base::remove_file(prefix() / "view"));
    ASSERT_TRUE(remove("", 1));
    EXPECT_FALSE(base::is_there(link).value());
    EXPECT_THAT(generations(), ElementsAre(3, 4));
}

// By somebody whom no lock keeps out: at each step, up to where it looks again.
TEST_F(Removal, WhatIsCurrentAgainMeanwhileIsPutBack) {
    four_generations();
    fs::copy(prefix(), x_folder.path() / "kept", as_it_is);
    const auto whole = listing(prefix());
    const auto returned = [&] {
        fs::remove(prefix() / "view");
        fs::create_symlink("views/25.11.2", prefix() / "view");
    };
    const auto named = [&] {
        fs::remove(prefix() / "generations/current");
        fs::create_symlink("2", prefix() / "generations/current");
    };
    for (const auto& what : {std::function<void()>(returned), std::function<void()>(named)}) {
        std::set<std::string> seen;
        for (bool last = false; !last;) {
            as_kept();
            std::string at;
            tree::UninstallRequest request;
            request.version = "25.11.2";
            request.now = now;
            request.options.on_step = [&](std::string_view step) -> base::Status {
                if (!at.empty() || !seen.insert(std::string(step)).second) return {};
                at = step;
                what();
                return {};
            };
            const auto done = tree::uninstall(prefix(), request);
            last = at.empty() || at == "delete";
            if (last) continue;
            ASSERT_FALSE(done) << at;
            EXPECT_EQ(done.error().code, base::Code::refused) << at;
            EXPECT_THAT(done.error().text(), HasSubstr("has come to need")) << at;
            EXPECT_EQ(listing(prefix()), whole) << at;
            EXPECT_EQ(ills(), "") << at;
        }
        EXPECT_TRUE(seen.contains("look again"));
    }
}

// Installed again by somebody whom no lock keeps out, who found some of it in place still.
TEST_F(Removal, AVersionThatIsThereAgainMeanwhileIsWhole) {
    four_generations();
    fs::copy(prefix(), x_folder.path() / "kept", as_it_is);
    const auto whole = listing(prefix());
    const std::vector<std::string> parts{"data/slurm_assets/25.11.2",
                                         "modules/slurm/25.11.2-bookworm.lua", "views/25.11.2",
                                         "manifests/25.11.2.json.asc", "manifests/25.11.2.json"};
    for (std::size_t found = 0; found < parts.size(); ++found) {
        tree::UninstallRequest request;
        request.version = "25.11.2";
        request.now = now;
        request.options.on_step = [&](std::string_view step) -> base::Status {
            if (step != "look again") return {};
            for (std::size_t i = found; i < parts.size(); ++i)
                fs::copy(x_folder.path() / "kept" / parts[i], prefix() / parts[i], as_it_is);
            return {};
        };
        const auto refused = tree::uninstall(prefix(), request);
        ASSERT_FALSE(refused) << parts[found];
        EXPECT_THAT(refused.error().text(), HasSubstr("has come to need views/25.11.2"));
        EXPECT_EQ(listing(prefix()), whole) << parts[found];
        EXPECT_EQ(ills(), "") << parts[found];
    }
}

TEST_F(Removal, WhatAnotherHasPutThereMeanwhileIsHis) {
    four_generations();
    const fs::path assets = prefix() / "data/slurm_assets/25.11.2";
    const fs::path manifest = prefix() / "manifests/25.11.2.json";
    tree::UninstallRequest request;
    request.version = "25.11.2";
    request.now = now;
    request.options.on_step = [&](std::string_view step) -> base::Status {
        if (step != "look again") return {};
        fs::create_directory(assets);
        EXPECT_TRUE(base::write_file(assets / "theirs", "1"));
        fs::remove(prefix() / "view");
        fs::create_symlink("views/25.11.2", prefix() / "view");
        return {};
    };
    const auto refused = tree::uninstall(prefix(), request);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("has come to need"));
    EXPECT_TRUE(base::exists(assets / "theirs"));
    // All else is back.
    EXPECT_TRUE(base::exists(manifest));
    EXPECT_EQ(srun(), "srun 25.11.21");
    EXPECT_THAT(generations(), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(staged(), ElementsAre("lock"));
}

TEST_F(Removal, UninstallKilledAtAnyStepIsWell) {
    four_generations();
    // The installation before it was killed between its two switches.
    const fs::path said = prefix() / "generations/current";
    ASSERT_TRUE(base::remove_file(said));
    ASSERT_TRUE(base::make_symlink("2", said));
    fs::copy(prefix(), x_folder.path() / "kept", as_it_is);
    for (const bool all : {false, true}) {
        end_at_every_step(
            [&](int end) {
                as_kept();
                return survives(end, [&](auto on_step) {
                    tree::UninstallRequest request;
                    request.version = all ? "" : "25.11.2";
                    request.all = all;
                    request.now = now;
                    request.options.on_step = on_step;
                    return tree::uninstall(prefix(), request).has_value();
                });
            },
            [&](int end, bool done) {
                if (!done || !all) EXPECT_EQ(ills(), "") << end;
                // What the link says is there, as long as there is one.
                std::error_code none;
                const fs::path says = fs::read_symlink(said, none);
                if (!none) EXPECT_TRUE(base::exists(prefix() / "generations" / says)) << end;
                const auto again = remove(all ? "" : "25.11.2", 0, all);
                EXPECT_TRUE(again || again.error().code == base::Code::absent)
                    << end << again.error().text();
                if (all) {
                    EXPECT_EQ(listing(prefix()), std::vector<std::string>()) << end;
                } else {
                    gc();
                    EXPECT_THAT(notices(), IsEmpty()) << end;
                    EXPECT_THAT(generations(), ElementsAre(3, 4)) << end;
                }
            });
    }
}

TEST_F(Removal, ASharedPrefixNeedsEvidence) {
    four_generations();
    switched(now - 2 * day);
    const auto before = listing(prefix());
    ASSERT_TRUE(base::write_file(prefix() / ".sf-shared", ""));
    auto refused = tree::collect(prefix(), options());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("no other host has a lease"));
    EXPECT_THAT(refused.error().hint, HasSubstr("--no-other-hosts"));
    EXPECT_FALSE(remove("25.11.1"));

    // One that ended says nothing; nor does one that cannot be read.
    ASSERT_TRUE(tree::write_lease(prefix(), lease("node1", now)));
    EXPECT_THAT(tree::collect(prefix(), options()).error().text(),
                HasSubstr("the lease of node1 ended on"));
    ASSERT_TRUE(tree::write_lease(prefix(), lease("node1", now + day)));
    ASSERT_TRUE(base::write_file(prefix() / ".sf-leases/node2-x.json", "{}"));
    EXPECT_THAT(tree::collect(prefix(), options()).error().text(), HasSubstr("node2-x.json"));
    ASSERT_TRUE(base::remove_file(prefix() / ".sf-leases/node2-x.json"));

    // One of before the last switch does not say what was started until then; nor, as clocks are,
    // does one of the minutes after it.
    for (const std::int64_t time : {now, now - day, now - day - 200}) {
        switched(time);
        EXPECT_THAT(tree::collect(prefix(), options()).error().text(),
                    HasSubstr("leases count from"));
        EXPECT_FALSE(remove("25.11.1"));
    }
    switched(now - day - 300);
    // slurm_install.sh has a link of its own, by which daemons are started.
    ASSERT_EQ(::symlink("views/25.11.4", (prefix() / "current").c_str()), 0);
    EXPECT_THAT(tree::collect(prefix(), options()).error().text(), HasSubstr("leases count from"));
    ASSERT_TRUE(base::remove_file(prefix() / "current"));
    // What anybody may have written is nobody's word.
    const auto file = prefix() / ".sf-leases" / tree::lease_file(lease("node1", now + day)).value();
    ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
    EXPECT_THAT(tree::collect(prefix(), options()).error().text(), HasSubstr("others can write"));
    ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(file.c_str(), 12345, 12345), 0);
        EXPECT_THAT(tree::collect(prefix(), options()).error().text(),
                    HasSubstr("belongs to user 12345"));
        ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
    }
    ASSERT_EQ(::chmod((prefix() / ".sf-leases").c_str(), 0777), 0);
    EXPECT_THAT(tree::collect(prefix(), options()).error().text(), HasSubstr("others can write"));
    ASSERT_EQ(::chmod((prefix() / ".sf-leases").c_str(), 0755), 0);

    // A fresh one: what it names stays.
    auto two = lease("node2", now + 1);
    two.generations = {2};
    two.packages = {package(2, "slurm")};
    ASSERT_TRUE(tree::write_lease(prefix(), two));
    const auto plan = gc();
    EXPECT_THAT(words(plan), HasSubstr("generation 2: leased by node2"));
    EXPECT_THAT(generations(), ElementsAre(2, 3, 4));
    EXPECT_EQ(ills(), "");
    EXPECT_THAT(remove("25.11.2").error().text(), HasSubstr("node2 says that it runs"));
    // It names a package alone: its whole generation stays.
    two.generations = {};
    ASSERT_TRUE(tree::write_lease(prefix(), two));
    EXPECT_THAT(words(gc()), HasSubstr("generation 2: leased by another host"));
    EXPECT_THAT(generations(), ElementsAre(2, 3, 4));

    ASSERT_TRUE(tree::drop_leases(prefix(), "node1"));
    ASSERT_TRUE(tree::drop_leases(prefix(), "node2"));
    EXPECT_FALSE(tree::collect(prefix(), options()));
    auto how = options();
    how.no_other_hosts = true;
    gc(how);
    EXPECT_THAT(generations(), ElementsAre(3, 4));
    EXPECT_THAT(before, Contains("generations/1"));
}

TEST_F(Removal, ALeaseIsWhatThisHostRuns) {
    four_generations();
    const base::Child job = start_from(package(1, "slurm"));
    const auto own = tree::lease_of_this_host(prefix(), now, day).value();
    EXPECT_EQ(own.host, tree::host_name().value());
    EXPECT_EQ(own.expires, now + day);
    EXPECT_THAT(own.generations, ElementsAre(1, 4));
    EXPECT_THAT(own.packages, ElementsAre(package(1, "slurm")));
    ASSERT_TRUE(tree::write_lease(prefix(), own));
    // After a restart another file takes its place.
    auto later = own;
    later.boot = "fedcba98-7654-3210-fedc-ba9876543210";
    ASSERT_TRUE(tree::write_lease(prefix(), later));
    EXPECT_THAT(base::list_dir(prefix() / ".sf-leases").value(),
                ElementsAre(own.host + '-' + later.boot + ".json"));
    // Our own does not make it a shared one.
    EXPECT_EQ(tree::why_shared(prefix(), tree::read_leases(prefix()).value()).value(), "");
}

TEST(Lease, HasOneText) {
    tree::Lease lease{
        "node1.example.org",       "01234567-89ab-cdef-0123-456789abcdef", 7, 9, {1, 12},
        {"slurm-25.11.2-01234567"}};
    const std::string text = tree::to_json(lease).value();
    EXPECT_EQ(tree::to_json(tree::lease_from_json(text).value()).value(), text);
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(tree::lease_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x15);
        if (const auto read = tree::lease_from_json(bent))
            EXPECT_EQ(tree::to_json(*read).value(), bent);
    }
    lease.host = "../x";
    EXPECT_FALSE(tree::to_json(lease));
    EXPECT_FALSE(tree::lease_from_json(base::replace_all(text, "node1.", "../")));
    EXPECT_FALSE(tree::lease_from_json(base::replace_all(text, "slurm-25", "../x")));
    EXPECT_FALSE(tree::lease_from_json(base::replace_all(text, "\"expires\":9", "\"expires\":6")));
}

TEST(FileSystems, OnlyThoseOfOneHostAreNotShared) {
    for (const unsigned long local : {0xEF53UL, 0x58465342UL, 0x01021994UL, 0x794C7630UL})
        EXPECT_EQ(tree::shared_file_system(local), "");
    EXPECT_EQ(tree::shared_file_system(0x6969), "NFS");
    EXPECT_EQ(tree::shared_file_system(0x0BD00BD0), "Lustre");
    EXPECT_EQ(tree::shared_file_system(0x47504653), "GPFS");
    EXPECT_EQ(tree::shared_file_system(0x12345678), "of type 0x12345678");
}

}  // namespace
}  // namespace sf::install
