// SPDX-License-Identifier: Apache-2.0
// Installing bundles: what is there afterwards, what stays untouched, what is refused, and that an
// end at any step leaves either the old state or the new one.
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <tuple>
#include <unistd.h>

#include "base/text.hpp"
#include "tree/prefix.hpp"
#include "tree/tree_matcher.hpp"
#include "unit/install/bundle_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

using Install = BundleTest;

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
}

TEST_F(Install, puts_everything_in_place) {
    const auto report = install(make(), prefix());
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_TRUE(report->changed);
    EXPECT_EQ(report->installed.size(), 3U);
    EXPECT_TRUE(report->kept.empty());
    EXPECT_EQ(report->prefix, prefix());
    EXPECT_EQ(read(prefix() / "view/bin/srun"), "srun 25.11.21");
    EXPECT_EQ(read(prefix() / "view/lib/libslurm.so.43"), "slurm code");
    EXPECT_EQ(read(prefix() / "view/lib/slurm/libmunge.so.2"), "munge code");
    EXPECT_EQ(fs::read_symlink(prefix() / "view"), "views/25.11.2");
    EXPECT_TRUE(base::exists(prefix() / "manifests/25.11.2.json"));
    EXPECT_TRUE(base::exists(prefix() / "manifests/25.11.2.json.asc"));

    // What the manifest says is what is there.
    const auto bundle = model::bundle_from_json(read(prefix() / "manifests/25.11.2.json")).value();
    for (const model::Package& package : bundle.packages) {
        EXPECT_TRUE(tree::match_folder(prefix() / "store" / package.store_name(), package.files));
    }
    EXPECT_EQ(base::list_dir(prefix() / ".sf-stage").value(), std::vector<std::string>{"lock"});
}

TEST_F(Install, modes_do_not_depend_on_the_umask) {
    const fs::path path = make();
    std::vector<mode_t> masks{0000U, 0077U};
    // With this one only root could enter the folders it makes.
    if (::geteuid() == 0) masks.push_back(0777U);
    for (const mode_t mask : masks) {
        const fs::path where = prefix(fmt::format("umask-{:o}", mask));
        const mode_t before = ::umask(0022);
        const auto verified = verify_bundle(path, x_policy);
        ASSERT_TRUE(verified);
        ::umask(mask);
        const auto report = install_bundle(*verified, where);
        ::umask(before);
        ASSERT_TRUE(report) << report.error().text();
        for (const char* name : {"", "store", "views", "manifests", "views/25.11.2"}) {
            EXPECT_EQ(mode_of(where / name), 0755U) << where / name;
        }
        EXPECT_EQ(mode_of(where / ".sf-stage") & 077U, 0U);
        EXPECT_EQ(mode_of(where / "manifests/25.11.2.json"), 0644U);
        EXPECT_EQ(mode_of(fs::canonical(where / "view/bin/srun")), 0755U);
    }
}

TEST_F(Install, again_changes_nothing) {
    const fs::path path = make();
    ASSERT_TRUE(install(path, prefix()));
    struct stat before {};
    ASSERT_EQ(::stat((prefix() / "store").c_str(), &before), 0);
    const auto again = install(path, prefix());
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(again->kept.size(), 3U);
    struct stat after {};
    ASSERT_EQ(::stat((prefix() / "store").c_str(), &after), 0);
    EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST_F(Install, assets_belong_to_their_version) {
    ASSERT_TRUE(install(make("25.11.2"), prefix()));
    ASSERT_TRUE(install(make("25.11.7"), prefix()));
    for (const char* version : {"25.11.2", "25.11.7"}) {
        for (const auto& [path, content] : assets(version)) {
            EXPECT_EQ(read(prefix() / path), content) << path;
        }
    }
    EXPECT_EQ(mode_of(prefix() / "data/slurm_assets/25.11.2/slurm_install.sh"), 0755U);
    EXPECT_EQ(fs::read_symlink(prefix() / "data/slurm_assets/slurm_install.sh"),
              "25.11.7/slurm_install.sh");
    EXPECT_EQ(read(prefix() / "modules/slurm/.modulerc.lua"), "-- 25.11.7\n");
    // Kept out of the way: the links stay with the version that has them.
    InstallOptions options;
    options.switch_view = false;
    ASSERT_TRUE(install(make("25.11.2"), prefix(), options));
    EXPECT_EQ(read(prefix() / "modules/slurm/.modulerc.lua"), "-- 25.11.7\n");
    // What somebody changed there is put right: it is no place for changes.
    ASSERT_TRUE(base::write_file(prefix() / "data/slurm_assets/25.11.2/config/slurm.conf", "x"));
    ASSERT_TRUE(base::write_file(prefix() / "modules/slurm/25.11.2-bookworm.lua", "x"));
    const fs::path bundle = make("25.11.2");  // a signature has the second it was made in
    const auto mended = install(bundle, prefix(), options);
    ASSERT_TRUE(mended) << mended.error().text();
    EXPECT_TRUE(mended->changed);
    for (const auto& [path, content] : assets("25.11.2")) {
        EXPECT_EQ(read(prefix() / path), content) << path;
    }
    EXPECT_FALSE(install(bundle, prefix(), options)->changed);
}

TEST_F(Install, two_versions_leave_each_other_alone) {
    const fs::path first = make("25.11.2");
    const fs::path second = make("25.11.7");
    ASSERT_TRUE(install(first, prefix()));
    const std::vector<std::string> before = listing(prefix());
    const std::string srun = fs::canonical(prefix() / "view/bin/srun").native();
    const auto report = install(second, prefix());
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_EQ(report->installed.size(), 1U);
    EXPECT_EQ(report->kept.size(), 2U);  // munge and zlib are shared
    EXPECT_EQ(read(prefix() / "view/bin/srun"), "srun 25.11.71");
    EXPECT_EQ(read(prefix() / "views/25.11.2/bin/srun"), "srun 25.11.21");
    EXPECT_EQ(read(srun), "srun 25.11.21");
    const std::vector<std::string> after = listing(prefix());
    EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
    // And back: nothing to unpack, only the link.
    const auto back = install(first, prefix());
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_TRUE(back->installed.empty());
    EXPECT_TRUE(back->changed);
    EXPECT_EQ(fs::read_symlink(prefix() / "view"), "views/25.11.2");
}

TEST_F(Install, without_switching) {
    ASSERT_TRUE(install(make("25.11.2"), prefix()));
    InstallOptions options;
    options.switch_view = false;
    ASSERT_TRUE(install(make("25.11.7"), prefix(), options));
    EXPECT_EQ(fs::read_symlink(prefix() / "view"), "views/25.11.2");
    EXPECT_EQ(read(prefix() / "views/25.11.7/bin/srun"), "srun 25.11.71");
}

TEST_F(Install, another_build_of_the_same_version) {
    ASSERT_TRUE(install(make("25.11.2", "1"), prefix()));
    const auto report = install(make("25.11.2", "2", {}, "rebuilt"), prefix());
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_EQ(report->installed.size(), 1U);
    EXPECT_EQ(read(prefix() / "view/bin/srun"), "srun 25.11.22");
    const auto bundle = model::bundle_from_json(read(prefix() / "manifests/25.11.2.json")).value();
    EXPECT_TRUE(base::exists(prefix() / "store" / bundle.packages[2].store_name()));
}

// A program on its way through a view that is exchanged still finds it; later it goes.
TEST_F(Install, what_was_exchanged_stays_for_a_while) {
    ASSERT_TRUE(install(make("25.11.2", "1"), prefix()));
    const fs::path rebuilt = make("25.11.2", "2", {}, "rebuilt");
    const base::Fd view = base::open_file(prefix() / "views/25.11.2", O_PATH | O_DIRECTORY).value();
    ASSERT_TRUE(install(rebuilt, prefix()));
    EXPECT_EQ(::faccessat(view.get(), "bin/srun", F_OK, AT_SYMLINK_NOFOLLOW), 0);
    ASSERT_TRUE(install(rebuilt, prefix()));
    EXPECT_EQ(::faccessat(view.get(), "bin/srun", F_OK, AT_SYMLINK_NOFOLLOW), 0);

    const fs::path stages = prefix() / ".sf-stage";
    const std::vector<std::string> names = base::list_dir(stages).value();
    const auto as_if_made = [&](std::chrono::seconds from_now) {
        for (const std::string& name : names) {
            if (!name.starts_with("old-")) continue;
            fs::last_write_time(stages / name, fs::file_time_type::clock::now() + from_now);
        }
    };
    as_if_made(std::chrono::seconds(30));  // by a file server whose clock is ahead
    ASSERT_TRUE(install(rebuilt, prefix()));
    EXPECT_EQ(base::list_dir(stages).value().size(), names.size());
    as_if_made(-std::chrono::minutes(2));
    ASSERT_TRUE(install(rebuilt, prefix()));
    EXPECT_EQ(base::list_dir(stages).value(), std::vector<std::string>{"lock"});
}

// Whoever was on its way is any user, and whoever installs may be careful.
TEST_F(Install, what_was_exchanged_leads_every_user_to_the_store) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: becoming another user needs root";
    ASSERT_TRUE(install(make("25.11.2", "1"), prefix()));
    for (fs::path above = prefix(); above.has_relative_path(); above = above.parent_path()) {
        if ((mode_of(above) & S_IXOTH) == 0) ASSERT_EQ(::chmod(above.c_str(), 0711), 0);
    }
    const fs::path rebuilt = make("25.11.2", "2", {}, "rebuilt");
    const base::Fd view = base::open_file(prefix() / "views/25.11.2", O_PATH | O_DIRECTORY).value();
    const mode_t before = ::umask(0077);
    const auto report = install(rebuilt, prefix());
    ::umask(before);
    ASSERT_TRUE(report) << report.error().text();
    const pid_t child = ::fork();
    if (child == 0) {
        constexpr uid_t nobody = 65534;
        if (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0)
            ::_exit(2);
        ::_exit(::faccessat(view.get(), "bin/srun", R_OK, 0) == 0 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Install, a_package_somebody_changed_is_not_written_over) {
    const fs::path path = make();
    ASSERT_TRUE(install(path, prefix()));
    const fs::path srun = fs::canonical(prefix() / "view/bin/srun");
    ASSERT_TRUE(base::write_file(srun, "patched by hand", 0755));
    const auto report = install(path, prefix());
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, base::Code::refused);
    EXPECT_THAT(report.error().text(), HasSubstr("exists and is not what this bundle brings"));
    EXPECT_THAT(report.error().text(), HasSubstr("bin/srun"));
    EXPECT_EQ(read(srun), "patched by hand");
    // A file too many is a change as well.
    ASSERT_TRUE(base::write_file(srun, "srun 25.11.21", 0755));
    ASSERT_TRUE(install(path, prefix()));
    ASSERT_TRUE(base::write_file(srun.parent_path() / "new", "x"));
    EXPECT_FALSE(install(path, prefix()));
}

TEST_F(Install, lost_views_and_links_come_back) {
    const fs::path path = make();
    ASSERT_TRUE(install(path, prefix()));
    const auto before = listing(prefix());
    ASSERT_TRUE(base::remove_tree(prefix() / "views/25.11.2"));
    ASSERT_TRUE(base::remove_file(prefix() / "view"));
    ASSERT_TRUE(base::remove_file(prefix() / "manifests/25.11.2.json"));
    const auto report = install(path, prefix());
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_TRUE(report->changed);
    EXPECT_EQ(listing(prefix()), before);
}

TEST_F(Install, odd_names) {
    const fs::path path = make();
    for (const char* name :
         {"with space", "it's \"quoted\"", "\xC3\xA9t\xC3\xA9", "$HOME;`x`", "-rf", "a\nb"}) {
        const auto report = install(path, prefix(name));
        ASSERT_TRUE(report) << name << ": " << report.error().text();
        EXPECT_EQ(read(prefix(name) / "view/bin/srun"), "srun 25.11.21");
    }
}

TEST_F(Install, long_paths) {
    const fs::path path = make();
    fs::path deep = prefix();
    while (deep.native().size() < 3000) deep /= std::string(200, 'd');
    const auto fits = install(path, deep);
    ASSERT_TRUE(fits) << fits.error().text();
    while (deep.native().size() < 4000) deep /= std::string(100, 'd');
    const auto too_deep = install(path, deep);
    ASSERT_FALSE(too_deep);
    EXPECT_THAT(too_deep.error().text(), HasSubstr("too deep"));
    EXPECT_FALSE(base::exists(deep));
    const auto too_long = install(path, prefix(std::string(256, 'x')));
    ASSERT_FALSE(too_long);
    EXPECT_THAT(too_long.error().text(), HasSubstr("longer than 255 bytes"));
}

TEST_F(Install, relative_prefix) {
    const fs::path path = make();
    const fs::path before = fs::current_path();
    fs::current_path(x_folder.path());
    const auto report = install(path, "relative/./x/../here");
    fs::current_path(before);
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_EQ(report->prefix.filename(), "here");
}

class Refused : public BundleTest {
protected:
    // The message.
    std::string refused(const fs::path& path, const fs::path& where) const {
        const auto report = install(path, where);
        EXPECT_FALSE(report);
        if (report) return {};
        EXPECT_EQ(report.error().code, base::Code::refused) << report.error().text();
        return report.error().text();
    }
};

TEST_F(Refused, prefixes_that_others_could_change) {
    const fs::path path = make();
    const fs::path parent = x_folder.path() / "parent";
    ASSERT_TRUE(base::make_dirs(parent / "in"));
    ASSERT_EQ(::chmod(parent.c_str(), 0777), 0);
    EXPECT_THAT(refused(path, parent / "in"),
                HasSubstr(parent.native() + " can be written by others"));
    ASSERT_EQ(::chmod(parent.c_str(), 01777), 0);  // sticky, ours: like /tmp
    EXPECT_TRUE(install(path, parent / "in"));
    // But not as the prefix itself.
    EXPECT_THAT(refused(path, parent), HasSubstr("can be written by others"));
    ASSERT_EQ(::chmod(parent.c_str(), 0755), 0);
}

TEST_F(Refused, prefixes_of_others) {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT RUN: only root can give files to another user";
    const fs::path path = make();
    const fs::path parent = x_folder.path() / "parent";
    ASSERT_TRUE(base::make_dirs(parent / "in"));
    ASSERT_EQ(::chown(parent.c_str(), 12345, 12345), 0);
    EXPECT_THAT(refused(path, parent / "in"), HasSubstr("belongs to user 12345"));
    EXPECT_THAT(refused(path, parent), HasSubstr("belongs to user 12345"));
    ASSERT_EQ(::chown(parent.c_str(), 0, 12345), 0);
    ASSERT_EQ(::chmod(parent.c_str(), 0775), 0);
    EXPECT_THAT(refused(path, parent / "in"), HasSubstr("can be written by others"));
    ASSERT_EQ(::chmod(parent.c_str(), 0755), 0);
    fs::create_directory_symlink(parent / "in", x_folder.path() / "link");
    EXPECT_TRUE(install(path, x_folder.path() / "link"));
    ASSERT_EQ(::lchown((x_folder.path() / "link").c_str(), 12345, 12345), 0);
    EXPECT_THAT(refused(path, x_folder.path() / "link"), HasSubstr("belongs to user 12345"));
}

TEST_F(Install, things_in_the_way) {
    const fs::path path = make();
    for (const char* name : {"store", "views", "manifests", "view", ".sf-stage"}) {
        const fs::path where = prefix(std::string("way-") + name);
        ASSERT_TRUE(base::make_dirs(where));
        ASSERT_TRUE(base::write_file(where / name, "mine"));
        const auto report = install(path, where);
        ASSERT_FALSE(report) << name;
        EXPECT_THAT(report.error().text(), HasSubstr("is in the way")) << name;
        EXPECT_EQ(read(where / name), "mine");
    }
    // A symlinked store is not followed.
    const fs::path where = prefix("linked");
    ASSERT_TRUE(base::make_dirs(where));
    ASSERT_TRUE(base::make_dirs(prefix("elsewhere")));
    fs::create_directory_symlink(prefix("elsewhere"), where / "store");
    EXPECT_FALSE(install(path, where));
    EXPECT_TRUE(listing(prefix("elsewhere")).empty());
    const fs::path file = prefix("file");
    ASSERT_TRUE(base::write_file(file, "x"));
    EXPECT_THAT(install(path, file).error().text(), HasSubstr("is not a folder"));
}

TEST_F(Install, bundle_changed_between_verifying_and_unpacking) {
    const fs::path path = make();
    const auto verified = verify_bundle(path, x_policy);
    ASSERT_TRUE(verified);
    // Replaced under its name: what was verified is installed.
    const fs::path other = make("25.11.2", "2", {}, "other");
    fs::rename(other, path);
    ASSERT_TRUE(install_bundle(*verified, prefix("renamed")));
    EXPECT_EQ(read(prefix("renamed") / "view/bin/srun"), "srun 25.11.21");
    // Written over in place: refused, and nothing is visible.
    const fs::path second = make("25.11.2", "1", {}, "second");
    const auto again = verify_bundle(second, x_policy);
    ASSERT_TRUE(again);
    const std::string evil = read(make("25.11.2", "1",
                                       {.file =
                                            [](std::string& name, std::string& text) {
                                                if (name.ends_with("bin/srun")) text[0] ^= 1;
                                            }},
                                       "evil"));
    const base::Fd fd = base::open_file(second, O_WRONLY | O_TRUNC).value();
    ASSERT_TRUE(base::write_all(fd.get(), base::as_bytes(evil), second));
    const auto report = install_bundle(*again, prefix("written"));
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().text(), HasSubstr("not what the manifest says"));
    EXPECT_TRUE(listing(prefix("written")).empty());
    EXPECT_EQ(base::list_dir(prefix("written") / ".sf-stage").value().size(), 1U);
}

std::vector<std::string> steps_of(const std::function<void(const InstallOptions&)>& install) {
    std::vector<std::string> steps;
    InstallOptions options;
    options.on_step = [&](std::string_view step) -> base::Status {
        steps.emplace_back(step);
        return {};
    };
    install(options);
    return steps;
}

// What must hold whenever anybody looks.
void expect_sound(const fs::path& prefix) {
    const fs::path view = prefix / "view";
    if (base::exists(view)) {
        EXPECT_TRUE(fs::exists(view / "bin/srun"));
        EXPECT_TRUE(fs::exists(view / "lib/libslurm.so.43"));
    }
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(prefix / "views", error)) {
        for (const auto& program : fs::directory_iterator(entry.path() / "bin")) {
            EXPECT_TRUE(fs::exists(program.path())) << program.path();
        }
    }
    for (const auto& entry : fs::directory_iterator(prefix / "store", error)) {
        EXPECT_TRUE(fs::exists(entry.path() / "lib")) << entry.path();
    }
}

TEST_F(Install, an_error_at_any_step_leaves_nothing_half_made) {
    const fs::path old_bundle = make("25.11.2");
    const fs::path path = make("25.11.7");
    const auto steps = steps_of([&](const InstallOptions& options) {
        ASSERT_TRUE(install(old_bundle, prefix("first")));
        ASSERT_TRUE(install(path, prefix("first"), options));
    });
    EXPECT_GE(steps.size(), 7U);
    for (const std::string& stop_at : steps) {
        const fs::path where = prefix("stop-" + base::replace_all(stop_at, "/", "_"));
        ASSERT_TRUE(install(old_bundle, where));
        InstallOptions options;
        options.on_step = [&](std::string_view step) -> base::Status {
            if (step == stop_at) return base::fail(base::Code::failed, "stopped here");
            return {};
        };
        const auto report = install(path, where, options);
        ASSERT_FALSE(report) << stop_at;
        EXPECT_THAT(report.error().text(), HasSubstr("stopped here"));
        EXPECT_EQ(fs::read_symlink(where / "view"), "views/25.11.2") << stop_at;
        EXPECT_EQ(read(where / "view/bin/srun"), "srun 25.11.21");
        expect_sound(where);
        EXPECT_EQ(base::list_dir(where / ".sf-stage").value().size(), 1U) << stop_at;
        const auto again = install(path, where);
        ASSERT_TRUE(again) << stop_at << ": " << again.error().text();
        EXPECT_EQ(listing(where), listing(prefix("first")));
    }
}

TEST_F(Install, a_prefix_that_others_make_meanwhile_is_refused) {
    const fs::path path = make();
    InstallOptions options;
    options.on_step = [&](std::string_view step) -> base::Status {
        if (step != "prepare") return {};
        fs::create_directories(prefix("race"));
        fs::permissions(prefix("race"), fs::perms(0777));
        return {};
    };
    const auto report = install(path, prefix("race"), options);
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().text(), HasSubstr("can be written by others"));
    EXPECT_TRUE(listing(prefix("race")).empty());
}

// Nor is anything made behind a link that somebody puts in the way.
TEST_F(Install, a_link_that_others_make_meanwhile_leads_nowhere) {
    const fs::path path = make();
    const fs::path elsewhere = x_folder.path() / "elsewhere";
    ASSERT_TRUE(base::make_dirs(elsewhere));
    InstallOptions options;
    options.on_step = [&](std::string_view step) -> base::Status {
        if (step == "prepare") fs::create_directory_symlink(elsewhere, prefix("way"));
        return {};
    };
    const auto report = install(path, prefix("way") / "below/it", options);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, base::Code::refused);
    EXPECT_THAT(report.error().text(), HasSubstr(prefix("way").native() + " is in the way"));
    EXPECT_TRUE(listing(elsewhere).empty());
}

using InstallDeathTest = Install;

TEST_F(InstallDeathTest, killed_at_any_step) {
    const fs::path old_bundle = make("25.11.2");
    const fs::path path = make("25.11.7");
    const auto verified = verify_bundle(path, x_policy);
    ASSERT_TRUE(verified);
    const auto steps = steps_of([&](const InstallOptions& options) {
        ASSERT_TRUE(install(old_bundle, prefix("first")));
        ASSERT_TRUE(install_bundle(*verified, prefix("first"), options));
    });
    for (const std::string& stop_at : steps) {
        const fs::path where = prefix("kill-" + stop_at);
        ASSERT_TRUE(install(old_bundle, where));
        InstallOptions options;
        options.on_step = [&](std::string_view step) -> base::Status {
            if (step == stop_at) ::_exit(9);
            return {};
        };
        EXPECT_EXIT(std::ignore = install_bundle(*verified, where, options),
                    ::testing::ExitedWithCode(9), "");
        EXPECT_EQ(fs::read_symlink(where / "view"), "views/25.11.2") << stop_at;
        expect_sound(where);
        const auto again = install(path, where);
        ASSERT_TRUE(again) << stop_at << ": " << again.error().text();
        EXPECT_EQ(listing(where), listing(prefix("first")));
        EXPECT_EQ(base::list_dir(where / ".sf-stage").value().size(), 1U) << stop_at;
    }
}

TEST_F(Install, leftovers_are_removed_by_the_next_run) {
    const fs::path path = make();
    ASSERT_TRUE(base::make_dirs(prefix() / ".sf-stage/new-abcdef/store/x"));
    ASSERT_TRUE(base::write_file(prefix() / ".sf-stage/new-abcdef/store/x/y", "z"));
    ASSERT_TRUE(install(path, prefix()));
    EXPECT_EQ(base::list_dir(prefix() / ".sf-stage").value(), std::vector<std::string>{"lock"});
}

TEST_F(Install, many_at_once) {
    const fs::path first = make("25.11.2");
    const fs::path second = make("25.11.7");
    std::vector<VerifiedBundle> bundles;
    for (int i = 0; i < 8; ++i) {
        bundles.push_back(verify_bundle(i % 2 == 0 ? first : second, x_policy).value());
    }
    std::vector<std::string> errors(bundles.size());
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < bundles.size(); ++i) {
        threads.emplace_back([&, i] {
            const auto report = install_bundle(bundles[i], prefix());
            if (!report) errors[i] = report.error().text();
        });
    }
    threads.clear();
    for (const std::string& error : errors) EXPECT_EQ(error, "");
    expect_sound(prefix());
    EXPECT_EQ(read(prefix() / "views/25.11.2/bin/srun"), "srun 25.11.21");
    EXPECT_EQ(read(prefix() / "views/25.11.7/bin/srun"), "srun 25.11.71");
}

TEST_F(Install, the_view_is_there_at_every_moment) {
    const fs::path first = make("25.11.2");
    const fs::path second = make("25.11.7");
    const fs::path rebuilt = make("25.11.7", "2", {}, "rebuilt");
    ASSERT_TRUE(install(first, prefix()));
    std::atomic<bool> done = false;
    std::atomic<int> misses = 0;
    std::jthread reader([&] {
        while (!done) {
            struct stat status {};
            if (::stat((prefix() / "view/bin/srun").c_str(), &status) != 0) ++misses;
        }
    });
    for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(install(second, prefix()));
        EXPECT_TRUE(install(rebuilt, prefix()));
        EXPECT_TRUE(install(first, prefix()));
    }
    done = true;
    reader.join();
    EXPECT_EQ(misses, 0);
}

class Mounted : public Install {
protected:
    // Skips where the kernel does not let us mount.
    bool mount_tmpfs(const fs::path& path, const std::string& options) {
        EXPECT_TRUE(base::make_dirs(path));
        if (::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) != 0) return false;
        x_mounted = path;
        return true;
    }
    static const char* no_tmpfs() {
        return ::geteuid() == 0 ? "NOT RUN: this machine does not let root mount a tmpfs"
                                : "NOT RUN: mounting a small file system needs root";
    }
    void TearDown() override {
        if (!x_mounted.empty()) ::umount2(x_mounted.c_str(), MNT_DETACH);
    }
    fs::path x_mounted;
};

TEST_F(Mounted, read_only_target) {
    const fs::path path = make();
    const fs::path where = prefix("ro");
    if (!mount_tmpfs(where, "mode=755")) GTEST_SKIP() << no_tmpfs();
    ASSERT_EQ(::mount(nullptr, where.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    const auto report = install(path, where);
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().text(), HasSubstr("Read-only file system"));
    EXPECT_THAT(report.error().text(), HasSubstr(where.native()));
}

TEST_F(Mounted, full_target) {
    const fs::path path = make();
    const fs::path where = prefix("full");
    if (!mount_tmpfs(where, "mode=755,size=100k")) GTEST_SKIP() << no_tmpfs();
    const auto report = install(path, where);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, base::Code::exhausted);
    EXPECT_THAT(report.error().text(), HasSubstr("are free"));
    EXPECT_TRUE(listing(where).empty());
}

TEST_F(Mounted, out_of_inodes_midway) {
    const fs::path path = make();
    const fs::path where = prefix("inodes");
    if (!mount_tmpfs(where, "mode=755,nr_inodes=12")) {
        GTEST_SKIP() << no_tmpfs();
    }
    const auto report = install(path, where);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, base::Code::exhausted) << report.error().text();
    EXPECT_TRUE(listing(where).empty());
    EXPECT_EQ(base::list_dir(where / ".sf-stage").value().size(), 1U);
}

TEST(Prefix, resolves_as_the_kernel_does) {
    const base::TempDir folder = base::TempDir::create("/tmp", "sft-").value();
    const fs::path top = fs::canonical(folder.path());
    ASSERT_TRUE(base::make_dirs(top / "a/b"));
    fs::create_directory_symlink("a/b", top / "link");
    EXPECT_EQ(tree::check_prefix(top / "link/..").value(), top / "a");
    EXPECT_EQ(tree::check_prefix(top / "link/new/deeper").value(), top / "a/b/new/deeper");
    EXPECT_EQ(tree::check_prefix(top / "a//b/.").value(), top / "a/b");
    fs::create_directory_symlink("loop", top / "loop");
    EXPECT_FALSE(tree::check_prefix(top / "loop/x"));
    EXPECT_FALSE(tree::check_prefix(""));
    // What comes back from a folder that is not there is looked at all the same.
    ASSERT_TRUE(base::make_dirs(top / "open"));
    fs::permissions(top / "open", fs::perms(0777));
    EXPECT_FALSE(tree::check_prefix(top / "open"));
    EXPECT_FALSE(tree::check_prefix(top / "nothing/../open"));
    EXPECT_EQ(tree::check_prefix(top / "nothing/../link").value(), top / "a/b");
    EXPECT_EQ(tree::check_prefix(top / "nothing/deep/../x").value(), top / "nothing/x");
    EXPECT_TRUE(tree::check_path_length("/opt", "x"));
    EXPECT_FALSE(tree::check_path_length("/opt", std::string(4091, 'x')));
    EXPECT_TRUE(tree::check_path_length("/opt", std::string(4090, 'x')));
}

}  // namespace
}  // namespace sf::install
