// SPDX-License-Identifier: Apache-2.0
// install --cache A --cache B: the newest that one of them offers, by the keys of that one; what is
// said of one that cannot be reached; and cache mirror of some versions alone.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/mirror_part.hpp"
#include "support/mirrors.hpp"
#include "trusting.hpp"

namespace sf::cli::test {
namespace {

namespace fs = std::filesystem;
using sf::test::deps_folder;
using sf::test::main_folder;
using sf::test::Mirrors;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// Nobody listens there.
constexpr const char* nowhere = "http://127.0.0.1:9/cache";

class SeveralCaches : public TrustingCommandLine {
protected:
    SeveralCaches() {
        for (const char* name :
             {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})
            set(name, std::nullopt);
        trust(x_all.anna, "anna");
        x_all.publish_all("old");
        publish("new", "25.11.3", "2");
    }
    void publish(const std::string& place, const std::string& version, const std::string& salt) {
        x_all.built = sf::test::make_slurm(x_all.at("packages"), version, salt);
        x_all.publish_all(place);
    }
    Said install(std::vector<std::string> caches, const std::string& spec = "slurm@25.11",
                 std::vector<std::string> more = {"--dry-run"}) {
        std::vector<std::string> words{
            "--json", "install", spec, "--toolchain", "bookworm", "--prefix", prefix().native()};
        for (const std::string& cache : caches) {
            words.emplace_back("--cache");
            words.push_back(cache.find_first_of(":/") == std::string::npos &&
                                    !x_names.contains(cache)
                                ? x_all.at(cache).native()
                                : cache);
        }
        words.insert(words.end(), more.begin(), more.end());
        return run_here(std::move(words));
    }
    // "25.11.3 of new", or the message.
    std::string chosen(std::vector<std::string> caches, const std::string& spec = "slurm@25.11") {
        const Said said = install(std::move(caches), spec);
        for (const std::string& line : base::split(said.out, '\n')) {
            if (line.empty()) continue;
            const base::Json json = base::parse_json(line).value();
            if (json.value("event", "") != "resolved") continue;
            return json.at("version").get<std::string>() + " of " +
                   fs::path(json.at("cache").get<std::string>()).filename().native();
        }
        return said.err;
    }
    [[nodiscard]] fs::path prefix() const { return folder() / "prefix"; }

    Mirrors x_all{state() / "keys/gnupg"};
    std::set<std::string> x_names;
};

TEST_F(SeveralCaches, TheNewestOfThemIsTakenAndOfEqualsTheFirst) {
    EXPECT_EQ(chosen({"old", "new"}), "25.11.3 of new");
    EXPECT_EQ(chosen({"new", "old"}), "25.11.3 of new");
    EXPECT_EQ(chosen({"new", "old"}, "slurm@25.11.2"), "25.11.2 of old");
    fs::copy(x_all.at("new"), x_all.at("same"), fs::copy_options::recursive);
    EXPECT_EQ(chosen({"new", "same"}), "25.11.3 of new");
    EXPECT_EQ(chosen({"same", "new"}), "25.11.3 of same");
    EXPECT_EQ(chosen({"old", "old"}), "25.11.2 of old");
    EXPECT_THAT(chosen({"old", "new"}, "slurm@25.11.9"),
                HasSubstr("none of the caches that were named has slurm@25.11.9"));
    EXPECT_THAT(chosen({"old", "new"}, "slurm@24.11"), HasSubstr("none of the caches"));
}

TEST_F(SeveralCaches, OneThatCannotBeReachedIsNoSilentDowngrade) {
    const Said series = install({nowhere, "old"});
    EXPECT_EQ(series.code, 0) << series.err;
    EXPECT_THAT(series.err,
                AllOf(HasSubstr("cannot be reached"), HasSubstr("slurm 25.11.2 is taken from"),
                      HasSubstr("may have a newer 25.11")));
    EXPECT_THAT(series.out, HasSubstr("cache_unreachable"));
    const Said exact = install({"old", nowhere}, "slurm@25.11.2");
    EXPECT_EQ(exact.code, 0) << exact.err;
    EXPECT_THAT(exact.err, AllOf(HasSubstr("is taken from"), Not(HasSubstr("may have a newer"))));
    const Said none = install({nowhere, "old"}, "slurm@25.11.3");
    EXPECT_EQ(none.code, 1);
    EXPECT_THAT(none.err, AllOf(HasSubstr("cannot be reached"),
                                HasSubstr("no other cache that was named has it")));
    EXPECT_EQ(install({nowhere}).code, 1);
}

// Whoever spoils one of them must not choose, by that, what is taken instead.
TEST_F(SeveralCaches, OneThatIsNotToBeBelievedEndsIt) {
    const fs::path snapshot = x_all.at("new") / main_folder / "_sf/snapshot.json";
    std::string text = base::read_file(snapshot).value();
    text[200] ^= 1;
    ASSERT_TRUE(base::write_file(snapshot, text));
    for (const std::vector<std::string>& both :
         {std::vector<std::string>{"old", "new"}, {"new", "old"}}) {
        const Said said = install(both);
        EXPECT_EQ(said.code, 1);
        EXPECT_THAT(said.err, AllOf(HasSubstr("(cache "), HasSubstr("leave that cache out")));
    }
    EXPECT_EQ(chosen({"old"}), "25.11.2 of old");
}

TEST_F(SeveralCaches, AKeyThatIsListedForOneVouchesForNothingOfAnother) {
    const sf::test::Publisher bert(x_all.at("keys-of-bert"), "bert");
    trust(bert, "bert");
    const auto add = [&](const std::string& name, const std::string& key) {
        const Said said = run_here({"cache", "add", name, x_all.at(name).native(), "--key", key});
        EXPECT_EQ(said.code, 0) << said.err;
        x_names.insert(name);
    };
    add("old", x_all.anna.primary());
    add("new", bert.primary());  // and anna signed it
    const Said said = install({"old", "new"});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, AllOf(HasSubstr("not trusted"), HasSubstr("(cache new")));
    EXPECT_EQ(chosen({"old"}), "25.11.2 of old");
    const Said lax = install({"old", "new"}, "slurm@25.11", {"--allow-unsigned"});
    EXPECT_EQ(lax.code, 2);
    EXPECT_THAT(lax.err, HasSubstr("is said of one cache"));
    const Said offline = install({"old", nowhere}, "slurm@25.11", {"--offline"});
    EXPECT_EQ(offline.code, 1);
    EXPECT_THAT(offline.err, HasSubstr("is on the network"));
}

TEST_F(SeveralCaches, ALockFileNamesItsCacheAndIsFoundInAnother) {
    const std::string lock = (folder() / "slurm.lock").native();
    const Said first =
        install({"new", "old"}, "slurm@25.11.2", {"--write-lock", lock, "--dry-run"});
    ASSERT_EQ(first.code, 0) << first.err;
    const base::Json json = base::parse_json(base::read_file(lock).value()).value();
    EXPECT_EQ(json.at("cache"), x_all.at("old").native());
    const auto frozen = [&](std::vector<std::string> caches) {
        std::vector<std::string> words{"install", "--frozen", lock, "--prefix", prefix().native()};
        for (const std::string& cache : caches) {
            words.emplace_back("--cache");
            words.push_back(cache);
        }
        return run_here(std::move(words));
    };
    // The first lacks it; that is no defect of it.
    const Said lacking = frozen({x_all.at("new").native()});
    EXPECT_EQ(lacking.code, 1);
    EXPECT_THAT(lacking.err, HasSubstr("as it is locked"));
    EXPECT_THAT(lacking.err, HasSubstr("another cache may have it"));
    const Said found = frozen({nowhere, x_all.at("new").native(), x_all.at("old").native()});
    EXPECT_EQ(found.code, 0) << found.err;
    EXPECT_THAT(found.err, HasSubstr("slurm 25.11.2 is taken from"));
    EXPECT_EQ(base::read_file(prefix() / "view/bin/srun").value(), "srun 25.11.21");
}

class MirrorOfVersions : public SeveralCaches {
protected:
    MirrorOfVersions() { publish("old", "25.11.3", "2"); }
    Said mirror(std::vector<std::string> more) {
        more.insert(more.begin(), {"cache", "mirror", x_all.at("old").native(), copy()});
        return run_here(std::move(more));
    }
    Said mirror_between(const std::string& from, const std::string& to,
                        std::vector<std::string> more = {}) {
        more.insert(more.begin(),
                    {"cache", "mirror", x_all.at(from).native(), x_all.at(to).native()});
        return run_here(std::move(more));
    }
    Said verify() { return run_here({"cache", "verify", copy(), "--deep"}); }
    [[nodiscard]] std::string copy() const { return x_all.at("copy").native(); }
    [[nodiscard]] fs::path mark(const std::string& place, const char* folder) const {
        return x_all.at(place) / folder / "_sf/part.json";
    }
    [[nodiscard]] cache::MirrorPart part(const std::string& place, const char* folder) const {
        return cache::mirror_part_from_json(base::read_file(mark(place, folder)).value()).value();
    }
    // All that the place says that it holds.
    [[nodiscard]] std::map<std::string, std::string> marks(const std::string& place) const {
        std::map<std::string, std::string> all;
        for (const auto& each : fs::recursive_directory_iterator(x_all.at(place)))
            if (each.path().filename() == "part.json")
                all[each.path().native()] = base::read_file(each.path()).value();
        return all;
    }
};

TEST_F(MirrorOfVersions, IsVerifiedInstalledFromAndGrows) {
    const Said copied = mirror({"--versions", "25.11.2", "--toolchains", "bookworm"});
    ASSERT_EQ(copied.code, 0) << copied.err;
    EXPECT_THAT(copied.out, HasSubstr("a part: 1 packages"));
    const Said verified = verify();
    EXPECT_EQ(verified.code, 0) << verified.out;
    EXPECT_THAT(verified.out, HasSubstr("25.11: good, and a part"));
    EXPECT_THAT(verified.out, HasSubstr("holds slurm 25.11.2: 1 of the 2 packages"));
    const Said newest = install({copy()});
    EXPECT_EQ(newest.code, 1);
    EXPECT_THAT(newest.err, HasSubstr("says that it holds slurm 25.11.2"));
    EXPECT_EQ(chosen({copy()}, "slurm@25.11.2"), "25.11.2 of copy");
    // Another cache has the other.
    EXPECT_EQ(chosen({copy(), "new"}, "slurm@25.11.3"), "25.11.3 of new");
    const Said refreshed = run_here({"cache", "refresh", copy(), "--force"});
    EXPECT_EQ(refreshed.code, 1);
    EXPECT_THAT(refreshed.err, HasSubstr("is not signed afresh here"));
    EXPECT_EQ(run_here({"cache", "prune", copy()}).code, 0);
    EXPECT_EQ(run_here({"cache", "index", copy()}).code, 0);
    // What was asked for before stays.
    const Said grown = mirror({"--versions", "25.11.3", "--no-sources"});
    ASSERT_EQ(grown.code, 0) << grown.err;
    EXPECT_THAT(grown.err, HasSubstr("says from now on that it has none (--no-sources)"));
    EXPECT_THAT(grown.out, HasSubstr("a part: 2 packages"));
    EXPECT_THAT(verify().out, HasSubstr("holds slurm 25.11.2, 25.11.3, without sources"));
    EXPECT_EQ(chosen({copy()}), "25.11.3 of copy");
    ASSERT_EQ(mirror({}).code, 0);
    EXPECT_THAT(verify().out, HasSubstr("25.11: good\n"));
}

TEST_F(MirrorOfVersions, SaysWhatThereIsNot) {
    const Said none = mirror({"--versions", "25.11.2,25.11.9"});
    EXPECT_EQ(none.code, 1);
    EXPECT_THAT(none.err, HasSubstr("has no Slurm 25.11.9"));
    EXPECT_THAT(none.err, HasSubstr("there is: 25.11.2, 25.11.3"));
    EXPECT_FALSE(base::exists(x_all.at("copy") / main_folder));
    EXPECT_EQ(mirror({"--versions", "x"}).code, 2);
    EXPECT_EQ(mirror({"--versions", "25.11.2", "--series", "25.11"}).code, 2);
    const Said elsewhere = mirror({"--toolchain", "bookworm,noble"});
    EXPECT_EQ(elsewhere.code, 1);
    EXPECT_THAT(elsewhere.err, HasSubstr("has nothing for noble"));
}

// As both releases need the same dependencies, those of a smaller part lack nothing.
TEST_F(MirrorOfVersions, ThatIsRefusedHasChangedNothing) {
    ASSERT_EQ(mirror_between("old", "small", {"--versions", "25.11.2"}).code, 0);
    ASSERT_EQ(mirror_between("old", "large", {"--versions", "25.11.2,25.11.3"}).code, 0);
    ASSERT_EQ(part("small", deps_folder).builds, part("large", deps_folder).builds);
    const auto before = marks("large");
    ASSERT_EQ(before.size(), 2U);
    const Said refused = mirror_between("small", "large");
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, AllOf(HasSubstr("says that it does not hold"),
                                   HasSubstr("copy from a place that holds them")));
    EXPECT_EQ(marks("large"), before);
    const Said again = mirror_between("old", "large", {"--versions", "25.11.2"});
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(marks("large"), before);
    // What one of the marks says is enough.
    fs::copy_file(mark("small", deps_folder), mark("large", deps_folder),
                  fs::copy_options::overwrite_existing);
    ASSERT_NE(marks("large"), before);
    const Said mended = mirror_between("old", "large", {"--versions", "25.11.2"});
    ASSERT_EQ(mended.code, 0) << mended.err;
    EXPECT_EQ(marks("large"), before);
}

TEST_F(MirrorOfVersions, AMarkThatCannotBeReadIsMended) {
    ASSERT_EQ(mirror({"--versions", "25.11.2"}).code, 0);
    const auto good = marks("copy");
    const auto spoil = [&] {
        for (const auto& [file, unused] : good) ASSERT_TRUE(base::write_file(file, "{}"));
        const Said bad = verify();
        EXPECT_EQ(bad.code, 1);
        EXPECT_THAT(bad.out, HasSubstr("copy again: slurm-factory cache mirror"));
    };
    spoil();
    const Said again = mirror({"--versions", "25.11.2"});
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_THAT(again.err, AllOf(HasSubstr("has to be named by --versions, too"),
                                 HasSubstr("which says it anew")));
    EXPECT_EQ(marks("copy"), good);
    EXPECT_EQ(verify().code, 0);
    // The other one knows what this one held.
    ASSERT_TRUE(base::write_file(mark("copy", main_folder), "{}"));
    const Said grown = mirror({"--versions", "25.11.3"});
    ASSERT_EQ(grown.code, 0) << grown.err;
    EXPECT_THAT(verify().out, HasSubstr("holds slurm 25.11.2, 25.11.3"));
    spoil();
    const Said whole = mirror({});
    ASSERT_EQ(whole.code, 0) << whole.err;
    EXPECT_TRUE(marks("copy").empty());
    const Said verified = verify();
    EXPECT_EQ(verified.code, 0) << verified.out;
    EXPECT_THAT(verified.out, HasSubstr("25.11: good\n"));
}

// What was asked for before is not left behind by what is asked for now.
TEST_F(MirrorOfVersions, WhatTheTargetHoldsBesideIsSaidToBeMissing) {
    constexpr const char* other = "bookworm/slurm/24.11";
    x_all.built = sf::test::make_slurm(x_all.at("packages"), "24.11.1", "3");
    const auto pushed = x_all.push(x_all.at("old"), other);
    ASSERT_TRUE(pushed) << pushed.error().text();
    ASSERT_EQ(mirror_between("old", "small", {"--versions", "25.11.2"}).code, 0);
    // In the same series, and in another.
    for (const std::string& more : {std::string("25.11.3"), std::string("24.11.1")}) {
        const std::string place = "with-" + more;
        ASSERT_EQ(mirror_between("old", place, {"--versions", "25.11.2," + more}).code, 0);
        const auto before = marks(place);
        const Said refused = mirror_between("small", place, {"--versions", "25.11.2"});
        EXPECT_EQ(refused.code, 1);
        EXPECT_THAT(refused.err,
                    AllOf(HasSubstr("holds slurm " + more + " too, which is kept up to date"),
                          HasSubstr("copy from a place that has both"),
                          Not(HasSubstr("name a version that it holds"))));
        EXPECT_EQ(marks(place), before);
    }
    // Of what is copied nothing is lost, and dependencies of the rest stay said.
    const auto before = marks("with-24.11.1");
    const Said followed = mirror_between("small", "with-24.11.1");
    EXPECT_EQ(followed.code, 0) << followed.err;
    EXPECT_EQ(marks("with-24.11.1"), before);
    EXPECT_THAT(part("with-24.11.1", deps_folder).versions, ElementsAre("24.11.1", "25.11.2"));
    // What the user names and is not there is said as it is.
    const Said asked = mirror_between("small", "fresh", {"--versions", "25.11.3"});
    EXPECT_EQ(asked.code, 1);
    EXPECT_THAT(asked.err, HasSubstr("name a version that it holds"));
}

}  // namespace
}  // namespace sf::cli::test
