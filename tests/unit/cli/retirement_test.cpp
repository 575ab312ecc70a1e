// SPDX-License-Identifier: Apache-2.0
// cache prune --keep on real, signed mirrors: older versions leave the signed index, what stays
// needs stays, the newest never goes; their archives go later; who has a lock file is told.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/mirror_part.hpp"
#include "support/mirrors.hpp"
#include "support/own_munge.hpp"
#include "trust/trust_store.hpp"
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

// Slurm in small whose munge is a build of its own, of the version that everybody has.
std::vector<sf::test::BuiltPackage> make_slurm_with_munge_rebuilt(const fs::path& packages,
                                                                  const std::string& version,
                                                                  const std::string& salt) {
    auto built = sf::test::make_slurm(packages, version, salt);
    const std::string zlib = built[0].package.store_name();
    built[1] = sf::test::make_package(packages, "munge", "0.5.16",
                                      {{"lib/libmunge.so.2", "munge code " + salt}}, {zlib}, salt);
    const std::string munge = built[1].package.store_name();
    built[2] = sf::test::make_package(
        packages, "slurm", version,
        {{"bin/srun", "srun " + version, true},
         {"lib/slurm/libmunge.so.2", "../../../" + munge + "/lib/libmunge.so.2", false, true}},
        {munge, zlib}, salt);
    return built;
}

class Retirement : public TrustingCommandLine {
protected:
    Retirement() {
        trust(x_all.anna, "anna");
        for (const char* version : {"25.11.1", "25.11.2", "25.11.3"}) {
            x_all.built = sf::test::make_slurm_with_own_munge(x_all.at("packages"), version,
                                                              std::string(1, version[6]));
            x_built.push_back(x_all.built);
            x_place = x_all.publish_all();
        }
    }
    Said prune(std::vector<std::string> more) {
        more.insert(more.begin(), {"cache", "prune", x_place.native()});
        return run_here(std::move(more));
    }
    Said verify() { return run_here({"cache", "verify", x_place.native(), "--deep"}); }
    Said install(const std::string& spec, std::vector<std::string> more = {"--dry-run"}) {
        std::vector<std::string> words{"install", "--cache", x_place.native(), "--prefix",
                                       (folder() / "prefix").native()};
        if (!spec.empty()) words.insert(words.end(), {spec, "--toolchain", "bookworm"});
        words.insert(words.end(), more.begin(), more.end());
        return run_here(std::move(words));
    }
    // "slurm 25.11.1 munge 0.5.11": what is named, by the signed manifests that a walk finds.
    std::string named(const char* mirror) {
        cache::FileBackend backend(x_place / mirror);
        const auto there =
            cache::read_snapshot(backend, {&*x_all.anna.verifier, mirror, {}, x_all.now});
        if (!there || !*there) return "nothing";
        const auto walked = cache::walk_mirror(backend, *x_all.anna.verifier, (*there)->snapshot);
        if (!walked) return walked.error().text();
        std::vector<std::string> names;
        for (const cache::MirrorPackage& each : walked->packages)
            names.push_back(each.manifest.name + ' ' + each.manifest.version);
        return base::join(names, ", ");
    }
    [[nodiscard]] bool there(const char* mirror, std::size_t release, std::size_t which) const {
        const auto& package = x_built.at(release).at(which).package;
        return base::exists(x_place / mirror /
                            cache::key_of(cache::BlobName{package.run.sha256}).value());
    }
    // The same once more, as if for another distribution.
    void publish_noble() {
        for (const auto& release : x_built) {
            x_all.built = release;
            for (const char* mirror : {deps_folder, main_folder}) {
                publish::PushRequest request = x_all.request(mirror, x_all.anna);
                request.mirror = noble(mirror);
                cache::FileBackend backend(x_place / request.mirror);
                const auto pushed = publish::push(backend, request, x_all.quiet);
                ASSERT_TRUE(pushed) << pushed.error().text();
            }
        }
    }
    static std::string noble(const std::string& mirror) {
        return "noble" + mirror.substr(mirror.find('/'));
    }
    static std::string snapshot(const fs::path& place, const std::string& mirror) {
        return base::read_file(place / mirror / "_sf/snapshot.json").value_or(place.native());
    }
    static std::size_t builds_said(const fs::path& place, const std::string& mirror) {
        const std::string text = base::read_file(place / mirror / "_sf/part.json").value();
        return cache::mirror_part_from_json(text).value().builds.size();
    }
    void age_all(int days) {
        for (const auto& each : fs::recursive_directory_iterator(x_place))
            if (each.is_regular_file()) Mirrors::age(each.path(), days);
    }

    Mirrors x_all{state() / "keys/gnupg"};
    fs::path x_place;
    std::vector<std::vector<sf::test::BuiltPackage>> x_built;
};

TEST_F(Retirement, OlderVersionsAreNamedNoMoreAndTheirArchivesGoLater) {
    ASSERT_EQ(named(main_folder), "slurm 25.11.1, slurm 25.11.2, slurm 25.11.3");
    const std::string lock = (folder() / "slurm.lock").native();
    ASSERT_EQ(install("slurm@25.11.1", {"--write-lock", lock, "--dry-run"}).code, 0);
    age_all(61);
    const Said dry = prune({"--keep", "2", "--dry-run"});
    EXPECT_EQ(dry.code, 0) << dry.err;
    EXPECT_THAT(dry.out,
                AllOf(HasSubstr("would retire slurm 25.11.1"),
                      HasSubstr("would retire munge 0.5.11"), Not(HasSubstr("slurm 25.11.2"))));
    EXPECT_EQ(named(main_folder), "slurm 25.11.1, slurm 25.11.2, slurm 25.11.3");
    const Said done = prune({"--keep", "2"});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_THAT(done.out, HasSubstr("retired slurm 25.11.1"));
    EXPECT_EQ(named(main_folder), "slurm 25.11.2, slurm 25.11.3");
    EXPECT_EQ(named(deps_folder), "munge 0.5.12, munge 0.5.13, zlib 1.3.1");
    const Said verified = verify();
    EXPECT_EQ(verified.code, 0) << verified.out;
    // Who asks for it is told what there is.
    const Said gone = install("slurm@25.11.1");
    EXPECT_EQ(gone.code, 1);
    EXPECT_THAT(gone.err, HasSubstr("there is: 25.11.2, 25.11.3"));
    EXPECT_EQ(install("slurm@25.11").code, 0);
    // Its archives are old, and stay for the days that were said: lock files are good till then.
    ASSERT_EQ(prune({}).code, 0);
    EXPECT_TRUE(there(main_folder, 0, 2));
    EXPECT_TRUE(there(deps_folder, 0, 1));
    EXPECT_EQ(install("", {"--frozen", lock, "--dry-run"}).code, 0);
    // Where all of it is installed nothing is fetched, and nothing has to be there.
    const std::string kept = (folder() / "kept").native();
    const auto frozen = [&] {
        return run_here(
            {"install", "--frozen", lock, "--cache", x_place.native(), "--prefix", kept});
    };
    EXPECT_EQ(frozen().code, 0);
    age_all(61);
    const Said removed = prune({});
    ASSERT_EQ(removed.code, 0) << removed.err;
    EXPECT_FALSE(there(main_folder, 0, 2));
    EXPECT_FALSE(there(deps_folder, 0, 1));
    EXPECT_TRUE(there(main_folder, 1, 2));
    EXPECT_EQ(verify().code, 0);
    const Said installed = frozen();
    EXPECT_EQ(installed.code, 0) << installed.err;
    EXPECT_EQ(install("", {"--frozen", lock}).code, 1) << "nor in another prefix";
    ASSERT_TRUE(base::remove_tree(state() / "caches/objects"));
    const Said locked = install("", {"--frozen", lock});
    EXPECT_EQ(locked.code, 1);
    EXPECT_THAT(locked.err, AllOf(HasSubstr("as it is locked"), HasSubstr("may have retired it")));
    // Nothing more to do.
    const Said again = prune({"--keep", "2"});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_THAT(again.out, HasSubstr("nothing to retire"));
}

TEST_F(Retirement, WhatStaysAndWhatItNeedsStays) {
    const Said done = prune({"--keep", "1", "--keep-version", "25.11.1"});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_EQ(named(main_folder), "slurm 25.11.1, slurm 25.11.3");
    EXPECT_EQ(named(deps_folder), "munge 0.5.11, munge 0.5.13, zlib 1.3.1")
        << "the older munge is needed";
    EXPECT_EQ(verify().code, 0);
    EXPECT_EQ(install("slurm@25.11.1").code, 0);
    // A series stays whole.
    const Said series = prune({"--keep", "1", "--keep-version", "25.11"});
    EXPECT_THAT(series.out, HasSubstr("nothing to retire"));
    EXPECT_EQ(prune({"--keep-version", "25.11"}).code, 2);
    EXPECT_EQ(prune({"--keep", "0"}).code, 2);
    EXPECT_EQ(prune({"--keep", "1", "--keep-version", "../x"}).code, 2);
}

// A copy of a part follows, also where nothing is left of what was asked for.
TEST_F(Retirement, ACopyOfWhatIsRetiredIsKeptUpToDate) {
    constexpr const char* other = "bookworm/slurm/24.11";
    x_all.built = sf::test::make_slurm_with_own_munge(x_all.at("packages"), "24.11.1", "4");
    for (const char* mirror : {deps_folder, other}) {
        const auto pushed = x_all.push(x_place, mirror);
        ASSERT_TRUE(pushed) << pushed.error().text();
    }
    const std::string part = x_all.at("part").native();
    const auto copy = [&](const char* versions) {
        return run_here({"cache", "mirror", x_place.native(), part, "--versions", versions});
    };
    const Said first = copy("24.11.1,25.11.1");
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(snapshot(part, main_folder), snapshot(x_place, main_folder));
    age_all(61);
    ASSERT_EQ(prune({"--keep", "1"}).code, 0);
    EXPECT_NE(snapshot(part, main_folder), snapshot(x_place, main_folder));
    const Said again = copy("24.11.1");
    ASSERT_EQ(again.code, 0) << again.err;
    EXPECT_EQ(snapshot(part, main_folder), snapshot(x_place, main_folder));
    const Said verified = run_here({"cache", "verify", part, "--deep"});
    EXPECT_EQ(verified.code, 0) << verified.out;
    // What is asked for now, and is gone, is said.
    const Said gone = copy("25.11.1");
    EXPECT_EQ(gone.code, 1);
    EXPECT_THAT(gone.err, HasSubstr("has no Slurm 25.11.1"));
}

// Also where another distribution still has it.
TEST_F(Retirement, ACopyFollowsWhereAllThatWasAskedForIsGone) {
    publish_noble();
    const std::string part = x_all.at("part").native();
    const auto copy = [&] {
        return run_here({"cache", "mirror", x_place.native(), part, "--versions", "25.11.1"});
    };
    const Said first = copy();
    ASSERT_EQ(first.code, 0) << first.err;
    const auto follows = [&] {
        for (const char* mirror : {deps_folder, main_folder})
            EXPECT_EQ(snapshot(part, noble(mirror)), snapshot(x_place, noble(mirror))) << mirror;
    };
    follows();
    ASSERT_EQ(prune({"--keep", "1", "--toolchain", "noble"}).code, 0);
    ASSERT_NE(snapshot(part, noble(main_folder)), snapshot(x_place, noble(main_folder)));
    ASSERT_EQ(named(noble(main_folder).c_str()), "slurm 25.11.3");
    ASSERT_EQ(named(main_folder), "slurm 25.11.1, slurm 25.11.2, slurm 25.11.3");
    const Said again = copy();
    ASSERT_EQ(again.code, 0) << again.err;
    follows();
    const Said verified = run_here({"cache", "verify", part, "--deep"});
    EXPECT_EQ(verified.code, 0) << verified.out;
}

// An older build of a dependency stays named where versions are counted; a part that needs it no
// more says so, and its copy still goes on.
TEST_F(Retirement, ACopyOfAPartFollowsAsWell) {
    const fs::path chain = x_all.at("chain");
    for (const char* salt : {"7", "8"}) {
        x_all.built =
            make_slurm_with_munge_rebuilt(x_all.at("packages"), std::string("25.11.") + salt, salt);
        x_all.publish_all("chain");
    }
    const fs::path part = x_all.at("part");
    const fs::path inside = x_all.at("inside");
    const auto copy = [&](const fs::path& from, const fs::path& to,
                          std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"cache", "mirror", from.native(), to.native()});
        const Said said = run_here(std::move(more));
        EXPECT_EQ(said.code, 0) << said.err;
    };
    copy(chain, part, {"--versions", "25.11.7,25.11.8"});
    copy(part, inside);
    ASSERT_EQ(builds_said(inside, deps_folder), 3U);
    ASSERT_EQ(run_here({"cache", "prune", chain.native(), "--keep", "1"}).code, 0);
    copy(chain, part, {"--versions", "25.11.8"});
    ASSERT_EQ(builds_said(part, deps_folder), 2U) << "the older munge is named, and not needed";
    copy(part, inside);
    for (const char* mirror : {deps_folder, main_folder})
        EXPECT_EQ(snapshot(inside, mirror), snapshot(chain, mirror)) << mirror;
    EXPECT_EQ(builds_said(inside, deps_folder), 3U);
    EXPECT_EQ(builds_said(inside, main_folder), 1U);
    const Said verified = run_here({"cache", "verify", inside.native(), "--deep"});
    EXPECT_EQ(verified.code, 0) << verified.out;
    copy(part, inside);
}

TEST_F(Retirement, ByThePublisherAloneAndNotFromWhatIsBrokenOrAPart) {
    const sf::test::Publisher bert(x_all.at("keys-of-bert"), "bert");
    auto trusted = trust::TrustStore::open(x_all.at("only-bert")).value();
    ASSERT_TRUE(trusted.add({bert.key->primary.fingerprint, "bert"}, bert.public_key));
    const Said foreign = prune({"--keep", "1", "--trust-dir", x_all.at("only-bert")});
    EXPECT_EQ(foreign.code, 1);
    const std::string part = x_all.at("part").native();
    ASSERT_EQ(run_here({"cache", "mirror", x_place.native(), part, "--versions", "25.11.1"}).code,
              0);
    EXPECT_FALSE(
        base::exists(fs::path(part) / deps_folder /
                     cache::key_of(cache::BlobName{x_built[1][1].package.run.sha256}).value()))
        << "the munge of another version";
    const Said of_part = run_here({"cache", "prune", part, "--keep", "1"});
    EXPECT_EQ(of_part.code, 1);
    EXPECT_THAT(of_part.err, HasSubstr("nothing is retired here"));
    const auto& lost = x_built[2][2].package.run.sha256;
    ASSERT_TRUE(
        base::remove_file(x_place / main_folder / cache::key_of(cache::BlobName{lost}).value()));
    const Said broken = prune({"--keep", "1"});
    EXPECT_EQ(broken.code, 1);
    EXPECT_THAT(broken.err, HasSubstr("is not signed afresh"));
    EXPECT_EQ(named(main_folder), "slurm 25.11.1, slurm 25.11.2, slurm 25.11.3");
}

}  // namespace
}  // namespace sf::cli::test
