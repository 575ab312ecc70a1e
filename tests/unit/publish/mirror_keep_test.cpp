// SPDX-License-Identifier: Apache-2.0
// What keeps a mirror: signing it afresh, making anew what Spack reads, copying it, and taking away
// what nothing names, with real keys; killed at each step, and two at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "cache/mirror_walk.hpp"
#include "cache/trusted_snapshot.hpp"
#include "publish/mirror_copy.hpp"
#include "publish/mirror_prune.hpp"
#include "support/mirrors.hpp"
#include "trust/gpg_signer.hpp"

namespace sf::publish {
namespace {

namespace fs = std::filesystem;
using test::deps_folder;
using test::main_folder;
using test::Mirrors;
using test::one_day;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Keeping : public ::testing::Test {
protected:
    IndexAuthority authority(const std::string& mirror, std::int64_t now) {
        IndexAuthority one;
        one.signer = &*x_all.anna.signer;
        one.verifier = &*x_all.anna.verifier;
        one.public_key = x_all.anna.public_key;
        one.primary = x_all.anna.primary();
        one.mirror = mirror;
        one.now = now;
        return one;
    }
    MirrorIndex::KeysOf keys_of() {
        return
            [this](
                const std::set<std::string>& signers) -> base::Result<std::vector<PublishedKey>> {
                EXPECT_EQ(signers, std::set{x_all.anna.primary()});
                return std::vector<PublishedKey>{{x_all.anna.primary(), x_all.anna.public_key}};
            };
    }
    CopyRequest copying(const std::string& mirror) {
        CopyRequest request;
        request.verifier = &*x_all.anna.verifier;
        request.keys_of = keys_of();
        request.mirror = mirror;
        request.memory = x_all.at("caches");
        request.work = x_all.at("work");
        request.now = x_all.now;
        return request;
    }
    base::Result<CopyReport> copy(const std::string& from, const std::string& to,
                                  const std::string& mirror = main_folder) {
        return copy(from, to, copying(mirror));
    }
    base::Result<CopyReport> copy(const std::string& from, const std::string& to,
                                  const CopyRequest& request) {
        cache::FileBackend source(x_all.at(from) / request.mirror);
        cache::FileBackend target(x_all.at(to) / request.mirror);
        return copy_mirror(source, target, request, x_all.quiet);
    }
    cache::SnapshotReading reading(const std::string& mirror) {
        return {&*x_all.anna.verifier, mirror, {}, x_all.now};
    }
    base::Result<std::optional<cache::TrustedSnapshot>> snapshot(const std::string& place,
                                                                 const std::string& mirror) {
        cache::FileBackend backend(x_all.at(place) / mirror);
        return cache::read_snapshot(backend, reading(mirror));
    }
    // "" or what is wrong, for a client.
    std::string judge(const std::string& place, const std::string& mirror = main_folder) {
        cache::FileBackend backend(x_all.at(place) / mirror);
        const auto there = cache::read_snapshot(backend, reading(mirror));
        if (!there) return there.error().text();
        if (!*there) return "nothing";
        const auto walked = cache::walk_mirror(backend, *x_all.anna.verifier, (*there)->snapshot);
        if (!walked) return walked.error().text();
        for (const auto& [key, ref] : walked->blobs) {
            const auto status = cache::check_ref(backend, key, ref);
            if (!status) return status.error().text();
        }
        return "";
    }
    static std::map<std::string, std::string> contents(const fs::path& place) {
        std::map<std::string, std::string> all;
        for (const std::string& key : Mirrors::keys(place))
            all[key] = base::read_file(place / key).value();
        return all;
    }
    base::Result<PruneReport> prune(const std::string& mirror, int keep_days,
                                    std::set<std::string> needed = {}, bool dry_run = false) {
        cache::FileBackend backend(x_all.at("cache") / mirror);
        PruneRequest request;
        request.reading = reading(mirror);
        request.needed = std::move(needed);
        request.keep_seconds = keep_days * one_day;
        request.dry_run = dry_run;
        request.on_object = [this](const cache::ObjectInfo& object) {
            x_gone.push_back(object.key);
        };
        return prune_mirror(backend, request);
    }

    Mirrors x_all;
    std::vector<std::string> x_gone;
};

// As std::stop: what happens at each step of what is killed there.
struct KillAt {
    int at;
    int step = 0;
    base::Status operator()(std::string_view) {
        if (step++ == at) return base::fail(base::Code::failed, "killed");
        return {};
    }
};

TEST_F(Keeping, WhatIsPublishedIsGood) {
    x_all.publish_all();
    EXPECT_EQ(judge("cache", deps_folder), "");
    EXPECT_EQ(judge("cache"), "");
    const auto again = x_all.push(x_all.at("cache"), main_folder);
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(again->bytes, 0U);
    EXPECT_THAT(Mirrors::keys(x_all.at("cache"), "bookworm/slurm/25.11/_sf/probe"), IsEmpty());
}

TEST_F(Keeping, RefreshSignsOnceHalfOfTheTimeIsOver) {
    x_all.now -= 20 * one_day;
    x_all.publish_all();
    cache::FileBackend mirror(x_all.at("cache") / main_folder);
    const std::int64_t start = x_all.now;
    const auto early =
        MirrorIndex(mirror, authority(main_folder, start + one_day), x_all.quiet).refresh(false);
    ASSERT_TRUE(early) << early.error().text();
    EXPECT_FALSE(early->changed);
    const auto forced =
        MirrorIndex(mirror, authority(main_folder, start + one_day), x_all.quiet).refresh(true);
    ASSERT_TRUE(forced) << forced.error().text();
    EXPECT_EQ(forced->serial, 2U);
    auto late = authority(main_folder, start + 20 * one_day);
    late.lifetime = std::chrono::hours(24 * 90);
    const auto due = MirrorIndex(mirror, late, x_all.quiet).refresh(false);
    ASSERT_TRUE(due) << due.error().text();
    EXPECT_TRUE(due->changed);
    EXPECT_EQ(due->serial, 3U);
    x_all.now = start + 20 * one_day;
    const auto read = snapshot("cache", main_folder).value().value().snapshot;
    EXPECT_EQ(read.issued, start + 20 * one_day);
    EXPECT_EQ(read.expires, start + 110 * one_day);
    EXPECT_EQ(judge("cache"), "");
}

TEST_F(Keeping, RefreshMakesNothingOutOfNothing) {
    cache::FileBackend mirror(x_all.at("cache") / main_folder);
    const auto refreshed =
        MirrorIndex(mirror, authority(main_folder, x_all.now), x_all.quiet).refresh(true);
    ASSERT_FALSE(refreshed);
    EXPECT_EQ(refreshed.error().code, base::Code::absent);
    EXPECT_THAT(Mirrors::keys(x_all.at("cache")), IsEmpty());
}

TEST_F(Keeping, RefreshAndPublishersAtOnceLoseNothing) {
    x_all.publish_all();
    std::atomic<int> refreshed = 0;
    std::string told;
    std::thread other([&] {
        cache::FileBackend mirror(x_all.at("cache") / deps_folder);
        test::Quiet quiet;
        for (int i = 0; i < 5; ++i) {
            const trust::Verifier verifier = trust::Verifier::create(x_all.anna.trusted).value();
            const trust::GpgSigner signer =
                trust::GpgSigner::create(x_all.anna.keyring, x_all.anna.key->primary.fingerprint,
                                         {})
                    .value();
            auto mine = authority(deps_folder, x_all.now);
            mine.verifier = &verifier;
            mine.signer = &signer;
            const auto done = MirrorIndex(mirror, mine, quiet).refresh(true);
            if (done)
                ++refreshed;
            else
                told = done.error().text();
        }
    });
    // Packages that were not there: the closure of another build.
    for (int i = 0; i < 3; ++i) {
        const auto more = test::make_slurm(x_all.at("packages"), "25.11.2", std::to_string(i + 2));
        auto request = x_all.request(deps_folder, x_all.anna);
        request.items = {{more.back().package.store_name(), {}}};
        request.closure = {{&more[0].package, more[0].folder},
                           {&more[1].package, more[1].folder},
                           {&more[2].package, more[2].folder}};
        cache::FileBackend mirror(x_all.at("cache") / deps_folder);
        const auto pushed = push(mirror, request, x_all.quiet);
        EXPECT_TRUE(pushed) << pushed.error().text();
    }
    other.join();
    EXPECT_EQ(refreshed, 5) << told;
    EXPECT_EQ(judge("cache", deps_folder), "");
    cache::FileBackend mirror(x_all.at("cache") / deps_folder);
    const auto read = snapshot("cache", deps_folder).value().value().snapshot;
    const auto walked = cache::walk_mirror(mirror, *x_all.anna.verifier, read).value();
    EXPECT_EQ(walked.packages.size(), 5U) << "zlib, munge and three builds of slurm";
    EXPECT_EQ(read.serial, 9U) << "one, and eight changes";
}

TEST_F(Keeping, APublisherWhoseClockIsAheadIsRefused) {
    x_all.now += 3600;
    const auto pushed = x_all.push(x_all.at("cache"), deps_folder);
    ASSERT_FALSE(pushed);
    EXPECT_EQ(pushed.error().code, base::Code::refused);
    EXPECT_THAT(pushed.error().text(), HasSubstr("s ahead of that of"));
    EXPECT_FALSE(base::exists(x_all.at("cache") / deps_folder / "_sf/snapshot.json"));
    EXPECT_THAT(Mirrors::keys(x_all.at("cache"), "bookworm/slurm/deps/_sf/probe"), IsEmpty());
}

TEST_F(Keeping, WhatSpackReadsIsMadeAnew) {
    const fs::path place = x_all.publish_all();
    const auto before = contents(place);
    cache::FileBackend mirror(place / deps_folder);
    auto no_signer = authority(deps_folder, x_all.now);
    no_signer.signer = nullptr;
    const auto untouched = MirrorIndex(mirror, no_signer, x_all.quiet).remake(keys_of());
    ASSERT_TRUE(untouched) << untouched.error().text();
    EXPECT_FALSE(untouched->changed);
    EXPECT_EQ(contents(place), before);
    const fs::path manifests = place / deps_folder / "v3/manifests";
    ASSERT_TRUE(base::write_file(manifests / "index/index.manifest.json", "{\"spoilt\":1}"));
    ASSERT_TRUE(base::remove_file(manifests / "key/keys.manifest.json"));
    ASSERT_TRUE(
        base::remove_file(manifests / ("key/" + x_all.anna.primary() + ".key.manifest.json")));
    const auto made = MirrorIndex(mirror, no_signer, x_all.quiet).remake(keys_of());
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_TRUE(made->changed);
    EXPECT_EQ(contents(place), before);
}

TEST_F(Keeping, ACopyIsTheSameAndNothingIsSentTwice) {
    const fs::path place = x_all.publish_all();
    for (const char* mirror : {deps_folder, main_folder}) {
        const auto copied = copy("cache", "copy", mirror);
        ASSERT_TRUE(copied) << copied.error().text();
        EXPECT_TRUE(copied->changed);
        EXPECT_EQ(copied->serial, 1U);
        EXPECT_EQ(judge("copy", mirror), "");
    }
    EXPECT_EQ(contents(x_all.at("copy")), contents(place));
    const auto again = copy("cache", "copy");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(again->sent, 0U);
    EXPECT_EQ(again->bytes, 0U);
    // What was lost is sent again, though the snapshot is there.
    const std::string lost =
        cache::key_of(cache::BlobName{x_all.built.back().package.run.sha256}).value();
    ASSERT_TRUE(base::remove_file(x_all.at("copy") / main_folder / lost));
    const auto mended = copy("cache", "copy");
    ASSERT_TRUE(mended) << mended.error().text();
    EXPECT_TRUE(mended->changed);
    EXPECT_EQ(mended->sent, 1U);
    EXPECT_EQ(contents(x_all.at("copy")), contents(place));
}

TEST_F(Keeping, ACopyFollowsAndNeverGoesBack) {
    x_all.publish_all();
    ASSERT_TRUE(copy("cache", "copy"));
    cache::FileBackend mirror(x_all.at("cache") / main_folder);
    ASSERT_TRUE(MirrorIndex(mirror, authority(main_folder, x_all.now), x_all.quiet).refresh(true));
    ASSERT_TRUE(copy("cache", "newer"));
    // Another machine, which has seen neither: the target alone tells.
    CopyRequest fresh = copying(main_folder);
    fresh.memory.clear();
    const auto back = copy("copy", "newer", fresh);
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, base::Code::refused);
    EXPECT_THAT(back.error().text(), HasSubstr("number 2 already"));
    EXPECT_EQ(snapshot("newer", main_folder).value()->snapshot.serial, 2U);
    const auto followed = copy("cache", "copy");
    ASSERT_TRUE(followed) << followed.error().text();
    EXPECT_EQ(followed->sent, 1U) << "the snapshot alone";
    EXPECT_EQ(snapshot("copy", main_folder).value()->snapshot.serial, 2U);
}

TEST_F(Keeping, ACopyDoesNotReplaceAnotherCache) {
    x_all.publish_all("cache");
    x_all.publish_all("other");
    const auto before = contents(x_all.at("other"));
    const auto copied = copy("cache", "other");
    ASSERT_FALSE(copied);
    EXPECT_THAT(copied.error().text(), HasSubstr("is another cache"));
    EXPECT_EQ(contents(x_all.at("other")), before);
}

TEST_F(Keeping, ACopyTakesNothingThatIsSpoilt) {
    const fs::path place = x_all.publish_all() / main_folder;
    const std::string run =
        cache::key_of(cache::BlobName{x_all.built.back().package.run.sha256}).value();
    std::string bytes = base::read_file(place / run).value();
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    ASSERT_TRUE(base::write_file(place / run, bytes));
    const auto copied = copy("cache", "copy");
    ASSERT_FALSE(copied);
    EXPECT_THAT(copied.error().text(), HasSubstr("is not what it should be"));
    EXPECT_EQ(judge("copy"), "nothing");
    EXPECT_FALSE(base::exists(x_all.at("copy") / main_folder / run));
}

TEST_F(Keeping, AKilledCopyLeavesTheTargetAsItWasAndTheNextOneGoesOn) {
    x_all.publish_all();
    ASSERT_TRUE(copy("cache", "old"));
    // Another build is published, so that there is something to send.
    const auto more = test::make_slurm(x_all.at("packages"), "25.11.3", "2");
    x_all.built = more;
    ASSERT_TRUE(x_all.push(x_all.at("cache"), main_folder));
    int steps = 0;
    for (int at = 0;; ++at) {
        ASSERT_LT(at, 20);
        const std::string name = "target" + std::to_string(at);
        fs::copy(x_all.at("old"), x_all.at(name), fs::copy_options::recursive);
        KillAt kill{at};
        CopyRequest request = copying(main_folder);
        request.memory.clear();
        request.on_step = std::ref(kill);
        const auto killed = copy("cache", name, request);
        EXPECT_EQ(judge(name), "") << "killed at step " << at;
        if (killed) {
            steps = at;
            break;
        }
        request.on_step = {};
        const auto resumed = copy("cache", name, request);
        ASSERT_TRUE(resumed) << resumed.error().text();
        EXPECT_EQ(snapshot(name, main_folder).value()->snapshot.serial, 2U);
        EXPECT_EQ(judge(name), "");
        EXPECT_EQ(contents(x_all.at(name) / main_folder), contents(x_all.at("cache") / main_folder))
            << "killed at step " << at;
    }
    EXPECT_EQ(steps, 6);
}

TEST_F(Keeping, TwoCopiesAtOnce) {
    x_all.publish_all();
    std::atomic<int> good = 0;
    const auto one = [&] {
        const trust::Verifier verifier = trust::Verifier::create(x_all.anna.trusted).value();
        CopyRequest request = copying(main_folder);
        request.verifier = &verifier;
        test::Quiet quiet;
        cache::FileBackend source(x_all.at("cache") / main_folder);
        cache::FileBackend target(x_all.at("copy") / main_folder);
        const auto copied = copy_mirror(source, target, request, quiet);
        EXPECT_TRUE(copied) << copied.error().text();
        if (copied) ++good;
    };
    std::thread other(one);
    one();
    other.join();
    EXPECT_EQ(good, 2);
    EXPECT_EQ(contents(x_all.at("copy") / main_folder), contents(x_all.at("cache") / main_folder));
}

TEST_F(Keeping, PruneTakesWhatAKilledPublisherLeftOnceItIsOld) {
    const fs::path place = x_all.publish_all() / main_folder;
    const auto good = contents(place);
    x_all.built = test::make_slurm(x_all.at("packages"), "25.11.3", "2");
    auto request = x_all.request(main_folder, x_all.anna);
    request.on_step = [](std::string_view step) -> base::Status {
        if (step == "index") return base::fail(base::Code::failed, "killed");
        return {};
    };
    cache::FileBackend mirror(place);
    ASSERT_FALSE(push(mirror, request, x_all.quiet));
    ASSERT_GT(contents(place).size(), good.size());
    const auto young = prune(main_folder, 60);
    ASSERT_TRUE(young) << young.error().text();
    EXPECT_EQ(young->removed, 0U);
    EXPECT_EQ(young->young, contents(place).size() - good.size());
    for (const auto& [key, unused] : contents(place)) Mirrors::age(place / key, 61);
    const auto dry = prune(main_folder, 60, {}, true);
    ASSERT_TRUE(dry) << dry.error().text();
    EXPECT_EQ(dry->removed, contents(place).size() - good.size());
    x_gone.clear();
    const auto pruned = prune(main_folder, 60);
    ASSERT_TRUE(pruned) << pruned.error().text();
    EXPECT_EQ(pruned->removed, dry->removed);
    EXPECT_EQ(contents(place), good);
    ASSERT_FALSE(x_gone.empty());
    EXPECT_THAT(x_gone.front(), HasSubstr("spec.manifest.json")) << "what names goes first";
    EXPECT_EQ(judge("cache"), "");
}

TEST_F(Keeping, PruneLeavesWhatOtherMirrorsNeedAndWhatIsNotOurs) {
    const fs::path place = x_all.publish_all() / deps_folder;
    const std::string needed = cache::key_of(cache::BlobName{base::sha256("an archive")}).value();
    const std::string litter = cache::key_of(cache::BlobName{base::sha256("litter")}).value();
    for (const auto& [key, text] : std::map<std::string, std::string>{
             {needed, "an archive"}, {litter, "litter"}, {"notes.txt", "a person's"}}) {
        ASSERT_TRUE(base::make_dirs((place / key).parent_path()));
        ASSERT_TRUE(base::write_file(place / key, text));
        Mirrors::age(place / key, 100);
    }
    ASSERT_TRUE(prune(deps_folder, 60, {needed}));
    EXPECT_EQ(x_gone, std::vector{litter});
    cache::FileBackend main(x_all.at("cache") / main_folder);
    const auto keys = keys_needed(main, reading(main_folder));
    ASSERT_TRUE(keys) << keys.error().text();
    for (const auto& each : x_all.built)
        EXPECT_TRUE(
            keys->contains(cache::key_of(cache::BlobName{each.package.run.sha256}).value()));
}

TEST_F(Keeping, PruneRemovesNothingFromWhatItCannotRead) {
    const fs::path place = x_all.publish_all() / deps_folder;
    const std::string litter = cache::key_of(cache::BlobName{base::sha256("litter")}).value();
    ASSERT_TRUE(base::make_dirs((place / litter).parent_path()));
    ASSERT_TRUE(base::write_file(place / litter, "litter"));
    Mirrors::age(place / litter, 100);
    const auto refused = [&](const std::string& key) {
        const std::string good = base::read_file(place / key).value();
        std::string bad = good;
        bad[good.size() / 2] = static_cast<char>(bad[good.size() / 2] ^ 1);
        EXPECT_TRUE(base::write_file(place / key, bad));
        EXPECT_FALSE(prune(deps_folder, 60)) << key;
        EXPECT_TRUE(base::exists(place / litter)) << key;
        EXPECT_TRUE(base::write_file(place / key, good));
    };
    int looked = 0;
    for (const std::string& key : Mirrors::keys(place)) {
        if (!key.starts_with("_sf/") && !key.starts_with("v3/manifests/spec/")) continue;
        refused(key);
        ++looked;
    }
    EXPECT_EQ(looked, 7) << "snapshot, two nodes for each of two names, two manifests";
    ASSERT_TRUE(prune(deps_folder, 60));
    EXPECT_FALSE(base::exists(place / litter));
}

// Prune would take them at any moment: they are made young again, the manifest too.
TEST_F(Keeping, APublisherSendsAgainWhatIsOldAndUnnamed) {
    const fs::path place = x_all.at("cache") / main_folder;
    auto request = x_all.request(main_folder, x_all.anna);
    request.on_step = [](std::string_view step) -> base::Status {
        if (step == "index") return base::fail(base::Code::failed, "killed");
        return {};
    };
    cache::FileBackend mirror(place);
    ASSERT_FALSE(push(mirror, request, x_all.quiet));
    const auto left = contents(place);
    for (const auto& [key, unused] : left) Mirrors::age(place / key, 61);
    const auto pushed = x_all.push(x_all.at("cache"), main_folder);
    ASSERT_TRUE(pushed) << pushed.error().text();
    EXPECT_EQ(pushed->added.size(), 1U);
    const auto read = snapshot("cache", main_folder).value()->snapshot;
    const auto named = cache::walk_mirror(mirror, *x_all.anna.verifier, read).value();
    std::vector<std::string> keys{named.packages.front().key};
    for (const auto& [key, unused] : named.blobs) keys.push_back(key);
    EXPECT_EQ(keys.size(), 8U);
    for (const std::string& key : keys)
        EXPECT_GT(mirror.look(key).value()->modified.value_or(0), x_all.now - one_day) << key;
    EXPECT_EQ(judge("cache"), "");
    // What is named is left alone, however old.
    for (const auto& [key, unused] : contents(place)) Mirrors::age(place / key, 61);
    const auto again = x_all.push(x_all.at("cache"), main_folder);
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(again->bytes, 0U);
}

}  // namespace
}  // namespace sf::publish
