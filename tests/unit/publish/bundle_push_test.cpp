// SPDX-License-Identifier: Apache-2.0
// Bundles, sources, keys and the page in a place: sent once, never changed, readable by plain gpg
// and sha256sum; with publishers that die, that are many, and that are not of one opinion.
#include "publish/bundle_push.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <unistd.h>
#include <utility>

#include "base/process.hpp"
#include "cache/layout.hpp"
#include "cache/mirror_part.hpp"
#include "cache/s3_backend.hpp"
#include "cache/source_list.hpp"
#include "cache/spec_manifest.hpp"
#include "publish/mirror_prune.hpp"
#include "unit/net/fake_s3.hpp"
#include "unit/publish/place_maker.hpp"

namespace sf::publish {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const std::string alias = "builds/25.11/bookworm/slurm-25.11-bookworm-software.tar.gz";
std::string twin(const std::string& version) {
    return fmt::format("builds/{0}/bookworm/amd64/slurm-{0}-bookworm-amd64-software.tar.gz",
                       version);
}
std::vector<std::string> bundle_of(const std::string& version) {
    std::vector<std::string> keys;
    for (const char* ending : {"", ".asc", ".sha256", ".spdx.json", ".intoto.jsonl"})
        keys.push_back(twin(version) + ending);
    return keys;
}

// Somebody else is at work there: right after a listing, once.
class Disturbed : public cache::FileBackend {
public:
    Disturbed(const fs::path& place, std::function<void()> meanwhile)
        : FileBackend(place), x_meanwhile(std::move(meanwhile)) {}
    base::Status list(const std::string& prefix, const Visitor& visit) override {
        SF_CHECK(FileBackend::list(prefix, visit));
        if (const auto meanwhile = std::exchange(x_meanwhile, nullptr)) meanwhile();
        return {};
    }

private:
    std::function<void()> x_meanwhile;
};

class BundlePushes : public PlaceMaker {
protected:
    BundlePushes() : x_place(at("cache")) {}

    // Every file of the place, with its content.
    [[nodiscard]] std::map<std::string, std::string> files() const {
        std::map<std::string, std::string> all;
        for (const auto& each : fs::recursive_directory_iterator(at("cache")))
            if (each.is_regular_file() && !each.path().filename().string().starts_with(".sf-"))
                all[each.path().lexically_relative(at("cache")).native()] = read(each.path());
        return all;
    }
    // As if they had been written so many days ago, by the clock of these tests.
    void age(const std::vector<std::string>& keys, int days) const {
        const std::chrono::sys_seconds then{
            std::chrono::seconds(now - std::int64_t{86'400} * days)};
        for (const std::string& key : keys)
            fs::last_write_time(at("cache") / key, std::chrono::file_clock::from_sys(then));
    }
    // When they were written.
    std::vector<std::int64_t> times(const std::vector<std::string>& keys) {
        std::vector<std::int64_t> all;
        for (const std::string& key : keys) all.push_back(*x_place.look(key).value()->modified);
        return all;
    }
    // As people do it: with gpg and sha256sum, in a folder with what was downloaded.
    void plain_tools_accept(const std::string& key) {
        const fs::path archive = at("cache") / key;
        const test::Gnupg other;
        ASSERT_EQ(run({"gpg", "--homedir", other.home(), "--batch", "--import",
                       at("cache") / ("keys/" + x_key->text() + ".asc")}),
                  0);
        EXPECT_EQ(run({"gpg", "--homedir", other.home(), "--batch", "--verify",
                       archive.native() + ".asc", archive}),
                  0);
    }
    static int run(std::vector<std::string> arguments, const fs::path& folder = "/") {
        base::Command command;
        command.argv = std::move(arguments);
        command.directory = folder;
        const auto finished = base::run(command);
        EXPECT_TRUE(finished) << finished.error().text();
        return finished ? finished->exit.code : -1;
    }
    [[nodiscard]] cache::Snapshot snapshot() {
        const std::string text = read(at("cache") / "bookworm/slurm/25.11/_sf/snapshot.json");
        return cache::snapshot_from_text(x_verifier->verify_clearsigned(text, "snapshot")->text)
            .value();
    }
    // What the snapshot names lies there, and the alias is the newest of it.
    void is_consistent(const std::string& newest) {
        const cache::Snapshot names = snapshot();
        for (const auto& [key, ref] : names.files)
            EXPECT_EQ(base::sha256(read(at("cache") / key)), ref.sha256) << key;
        EXPECT_EQ(read(at("cache") / alias), read(at("cache") / twin(newest)));
        EXPECT_EQ(read(at("cache") / (alias + ".asc")),
                  read(at("cache") / (twin(newest) + ".asc")));
    }

    cache::FileBackend x_place;
};

void must(const base::Status& status) { ASSERT_TRUE(status) << status.error().text(); }

TEST_F(BundlePushes, ArriveWithEverythingAndSignedNames) {
    const Machine machine = build("25.11.2");
    must(publish(machine, x_place));
    is_consistent("25.11.2");
    EXPECT_THAT(snapshot().files, SizeIs(7));
    plain_tools_accept(twin("25.11.2"));
    plain_tools_accept(alias);
    const fs::path archive = at("cache") / twin("25.11.2");
    EXPECT_EQ(run({"sha256sum", "--quiet", "--check", archive.filename().string() + ".sha256"},
                  archive.parent_path()),
              0);
    for (const char* ending : {"", ".asc", ".sha256", ".spdx.json", ".intoto.jsonl"})
        EXPECT_EQ(read(archive.native() + ending), read(machine.files.bundle.native() + ending));
    EXPECT_THAT(read(at("cache") / "index.html"), HasSubstr(x_key->text()));
}

TEST_F(BundlePushes, TheSameAgainSendsNothing) {
    const Machine machine = build("25.11.2");
    must(publish(machine, x_place));
    EXPECT_GT(x_bytes, 1000U);
    const auto before = files();
    must(publish(machine, x_place));
    EXPECT_EQ(x_bytes, 0U);
    EXPECT_EQ(files(), before);
}

// With nothing but the cache: from the signed manifests to every source, and nothing else is there.
TEST_F(BundlePushes, EverySourceIsFoundFromTheSignedManifests) {
    const Machine machine = build("25.11.2");
    must(publish(machine, x_place));
    std::set<std::string> found;
    std::map<std::string, std::set<std::string>> paths;
    for (const std::string mirror : {"bookworm/slurm/deps", "bookworm/slurm/25.11"}) {
        cache::SubBackend place(x_place, mirror);
        must(place.list("v3/manifests/spec/", [&](const cache::ObjectInfo& object) -> base::Status {
            const std::string text = read(at("cache") / mirror / object.key);
            SF_TRY(const auto good, x_verifier->verify_clearsigned(text, object.key));
            SF_TRY(const auto manifest, cache::spec_manifest_from_json(good.text, object.key));
            const auto blob = std::ranges::find(manifest.others, cache::media::sources,
                                                &cache::BlobRecord::media_type);
            EXPECT_NE(blob, manifest.others.end());
            SF_TRY(const std::string name, cache::key_of(cache::BlobName{blob->sha256}));
            SF_TRY(const std::string bytes,
                   cache::read_ref(place, name, {blob->sha256, blob->size}));
            SF_TRY(const cache::SourceList list, cache::source_list_from_json(bytes));
            EXPECT_EQ(list.identity, manifest.identity);
            for (const cache::ListedSource& file : list.files) {
                SF_TRY(const std::string key, cache::key_of(cache::SourceName{file.sha256}));
                SF_CHECK(cache::read_ref(x_place, key, {file.sha256, file.size})
                             .map([](const std::string&) {}));
                found.insert(key);
                paths[list.name].insert(file.path.substr(file.path.rfind('/') + 1));
            }
            return {};
        }));
    }
    using Names = std::set<std::string>;
    EXPECT_EQ(paths["slurm"],
              (Names{"slurm-25.11.2.tar.gz", "one.patch", "recipe.yaml", "gcc", "bookworm.yaml"}));
    // What was only needed to build it is a source of it as well.
    EXPECT_EQ(paths["munge"], (Names{"munge-0.5.16.tar.gz", "flex-2.6.tar.gz", "recipe.yaml", "gcc",
                                     "bookworm.yaml"}));
    std::set<std::string> there;
    must(x_place.list("sources/", [&](const cache::ObjectInfo& object) -> base::Status {
        there.insert(object.key);
        return {};
    }));
    EXPECT_EQ(there, found);
    EXPECT_THAT(there, SizeIs(4 + 4 + 1 + 2));
}

TEST_F(BundlePushes, ASourceThatIsNotWholeIsNotNamed) {
    const Machine machine = build("25.11.2");
    const std::string key =
        cache::key_of(cache::SourceName{machine.origins.common[0].sha256}).value();
    ASSERT_TRUE(cache::put_text(x_place, key, "cut", "text/plain"));
    const base::Status refused = publish(machine, x_place);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::corrupt);
    EXPECT_THAT(refused.error().text(), HasSubstr("has 3 bytes, not 10"));
    must(x_place.remove(key));
    must(publish(machine, x_place));
}

// The archive changed on the disk of who publishes.
TEST_F(BundlePushes, ASourceThatIsNotTheOneIsNotSent) {
    const Machine machine = build("25.11.2");
    ASSERT_TRUE(base::write_file(at("sources/slurm-25.11.2.tar.gz"), "upstream's slurm 25.11.3"));
    const base::Status refused = publish(machine, x_place);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::corrupt) << refused.error().text();
}

TEST_F(BundlePushes, APublisherThatDiesLeavesTheOldStateAndGoesOn) {
    const Machine old = build("25.11.1");
    must(publish(old, x_place));
    const Machine machine = build("25.11.2");
    const auto before = files();
    for (const char* step : {"look", "sources", "bundle", ".asc", ".sha256", ".spdx.json",
                             ".intoto.jsonl", "sources slurm", "manifest slurm"}) {
        EXPECT_FALSE(publish(machine, x_place, step)) << step;
        for (const auto& [key, content] : before) {
            EXPECT_EQ(read(at("cache") / key), content) << step << ": " << key;
        }
        is_consistent("25.11.1");
    }
    // Named already; the alias is late, and the next who publishes brings it.
    for (const char* step : {"alias", "alias signature"}) {
        EXPECT_FALSE(publish(machine, x_place, step)) << step;
        plain_tools_accept(twin("25.11.2"));
        EXPECT_EQ(read(at("cache") / (alias + ".asc")),
                  read(at("cache") / (twin("25.11.1") + ".asc")));
    }
    must(publish(machine, x_place));
    is_consistent("25.11.2");
    must(publish(old, x_place, "", true));
    is_consistent("25.11.2");
    EXPECT_EQ(x_bytes, 0U);
}

TEST_F(BundlePushes, AnOlderReleaseIsRefusedBeforeAnythingIsSent) {
    must(publish(build("25.11.10"), x_place));
    const auto before = files();
    const Machine old = build("25.11.9");
    const base::Status refused = publish(old, x_place);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("25.11.10 for bookworm already"));
    EXPECT_THAT(refused.error().hint, HasSubstr("--allow-older"));
    EXPECT_EQ(files(), before);
    must(publish(old, x_place, "", true));
    is_consistent("25.11.10");  // the alias stays
    plain_tools_accept(twin("25.11.9"));
}

TEST_F(BundlePushes, OtherPackagesUnderTheSameNameAreRefused) {
    must(publish(build("25.11.2"), x_place));
    const auto before = files();
    const base::Status refused = publish(build("25.11.2", "two", "2"), x_place);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("another bundle of Slurm 25.11.2"));
    EXPECT_EQ(files(), before);
}

// The same packages, but the manifest inside was signed by another machine at another time.
TEST_F(BundlePushes, TheBundleOfAnotherMachineIsTaken) {
    const Machine one = build("25.11.2", "one");
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // signatures count seconds
    const Machine two = build("25.11.2", "two");
    ASSERT_EQ(one.manifest, two.manifest);
    ASSERT_NE(one.files.record.sha256, two.files.record.sha256);
    must(publish(one, x_place));
    const auto before = files();
    must(publish(two, x_place));
    EXPECT_EQ(x_bytes, 0U);
    EXPECT_EQ(files(), before);
}

// The other machine died when its bundle was there, and nothing said so yet.
TEST_F(BundlePushes, ABundleThatNobodyVouchesForIsNotTaken) {
    const Machine one = build("25.11.2", "one");
    Machine two = build("25.11.2", "two");
    // Of one second the signatures may be the same.
    ASSERT_TRUE(base::write_file(two.files.bundle, read(two.files.bundle) + "x"));
    EXPECT_FALSE(publish(two, x_place, ".intoto.jsonl"));
    const base::Status refused = publish(one, x_place);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("nobody vouches for it"));
    EXPECT_FALSE(base::exists(at("cache") / "bookworm/slurm/25.11/_sf/snapshot.json"));
}

TEST_F(BundlePushes, PapersThatSomebodyElsePutThereAreNotNamed) {
    const Machine machine = build("25.11.2");
    for (const char* ending : {".asc", ".sha256", ".spdx.json", ".intoto.jsonl"}) {
        ASSERT_TRUE(cache::put_text(x_place, twin("25.11.2") + ending, "{}\n", "text/plain"));
        EXPECT_FALSE(publish(machine, x_place)) << ending;
        EXPECT_FALSE(base::exists(at("cache") / "bookworm/slurm/25.11/_sf/snapshot.json"));
        must(x_place.remove(twin("25.11.2") + ending));
    }
    must(publish(machine, x_place));
    is_consistent("25.11.2");
}

TEST_F(BundlePushes, WhatIsGoneIsPutBack) {
    const Machine machine = build("25.11.2");
    must(publish(machine, x_place));
    const auto before = files();
    must(x_place.remove(twin("25.11.2")));
    must(x_place.remove(twin("25.11.2") + ".spdx.json"));
    must(x_place.remove(alias));
    must(publish(machine, x_place));
    EXPECT_EQ(files(), before);
    ASSERT_TRUE(base::write_file(at("cache") / twin("25.11.2"), "cut"));
    const base::Status refused = publish(machine, x_place);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("is not what the snapshot names"));
}

// `cache prune` may be taking it away at that moment. It stays whose it is, byte for byte.
TEST_F(BundlePushes, WhatIsOldAndUnnamedIsSentAgainAsItIs) {
    const Machine one = build("25.11.2", "one");
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // signatures count seconds
    const Machine two = build("25.11.2", "two");
    ASSERT_NE(one.files.record.sha256, two.files.record.sha256);
    const std::vector<std::string> keys = bundle_of("25.11.2");
    EXPECT_FALSE(publish(one, x_place, "manifest slurm"));
    const auto before = files();
    age(keys, 29);
    const auto young = times(keys);
    EXPECT_FALSE(publish(one, x_place, "manifest slurm"));
    EXPECT_EQ(times(keys), young);
    for (const Machine* machine : {&one, &two}) {
        age(keys, 1000);
        const auto old = times(keys);
        EXPECT_FALSE(publish(*machine, x_place, "manifest slurm"));
        const auto again = times(keys);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            EXPECT_GT(again[i], old[i]) << keys[i];
            EXPECT_EQ(read(at("cache") / keys[i]), before.at(keys[i])) << keys[i];
        }
    }
    // What is named is left alone, however old.
    must(publish(two, x_place));
    is_consistent("25.11.2");
    age(keys, 1000);
    const auto named = times(keys);
    must(publish(one, x_place));
    EXPECT_EQ(x_bytes, 0U);
    EXPECT_EQ(times(keys), named);
}

TEST_F(BundlePushes, PruneLeavesWhatIsPublishedMeanwhile) {
    must(publish(build("25.11.2"), x_place));
    const Machine older = build("25.11.1", "older");
    const std::vector<std::string> keys = bundle_of("25.11.1");
    const auto send = [&] { EXPECT_FALSE(publish(older, x_place, "manifest slurm", true)); };
    send();
    age(keys, 1000);
    PruneRequest request;
    request.reading = {&*x_verifier, "bookworm/slurm/25.11", at("memory"), now};
    request.keep_seconds = std::int64_t{86'400} * 500;
    const auto prune = [&](const std::function<void()>& meanwhile) {
        Disturbed place(at("cache"), meanwhile);
        return prune_bundles(place, {"bookworm", "25.11"}, request).value();
    };
    request.dry_run = true;
    EXPECT_EQ(prune({}).removed, keys.size());
    request.dry_run = false;
    // It is sent again, and is about to be named.
    const PruneReport sent = prune(send);
    EXPECT_EQ(sent.removed, 0U);
    EXPECT_EQ(sent.young, keys.size());
    // It is named.
    age(keys, 1000);
    const PruneReport named = prune([&] {
        must(publish(older, x_place, "", true));
        age(keys, 1000);
    });
    EXPECT_EQ(named.removed, 0U);
    EXPECT_EQ(named.kept, keys.size());
    is_consistent("25.11.2");
    plain_tools_accept(twin("25.11.1"));
}

TEST_F(BundlePushes, PruneTakesAnOldBundleThatNothingNames) {
    must(publish(build("25.11.2"), x_place));
    const auto before = files();
    EXPECT_FALSE(publish(build("25.11.1", "older"), x_place, "manifest slurm", true));
    age(bundle_of("25.11.1"), 1000);
    PruneRequest request;
    request.reading = {&*x_verifier, "bookworm/slurm/25.11", at("memory"), now};
    request.keep_seconds = std::int64_t{86'400} * 500;
    const auto pruned = prune_bundles(x_place, {"bookworm", "25.11"}, request);
    ASSERT_TRUE(pruned) << pruned.error().text();
    EXPECT_EQ(pruned->removed, 5U);
    for (const std::string& key : bundle_of("25.11.1"))
        EXPECT_FALSE(base::exists(at("cache") / key)) << key;
    for (const std::string& key : bundle_of("25.11.2"))
        EXPECT_EQ(read(at("cache") / key), before.at(key)) << key;
}

// Nobody would look for it there.
TEST_F(BundlePushes, NothingIsPublishedToACopyOfAPart) {
    must(publish(build("25.11.2"), x_place));
    const Machine machine = build("25.11.3", "newer");
    cache::MirrorPart part;
    part.versions = {"25.11.2"};
    for (const char* mirror : {"bookworm/slurm/deps", "bookworm/slurm/25.11"}) {
        const fs::path mark = at("cache") / mirror / "_sf/part.json";
        ASSERT_TRUE(base::write_file(mark, cache::to_json(part).value()));
        auto before = files();
        const base::Status refused = publish(machine, x_place);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, base::Code::refused);
        EXPECT_THAT(refused.error().text(), HasSubstr("is a copy of a part of a cache"));
        EXPECT_THAT(refused.error().hint, HasSubstr("cache mirror FROM TO"));
        EXPECT_EQ(files(), before);
        ASSERT_TRUE(base::write_file(mark, "{}"));
        before = files();
        const base::Status spoilt = publish(machine, x_place);
        ASSERT_FALSE(spoilt);
        EXPECT_EQ(spoilt.error().code, base::Code::corrupt) << spoilt.error().text();
        EXPECT_THAT(spoilt.error().text(), HasSubstr("_sf/part.json"));
        EXPECT_THAT(spoilt.error().hint, HasSubstr("remove that file"));
        EXPECT_EQ(files(), before);
        ASSERT_TRUE(base::remove_file(mark));
    }
    must(publish(machine, x_place));
    is_consistent("25.11.3");
}

TEST_F(BundlePushes, ManyPublishersAgree) {
    std::vector<Machine> machines;
    for (const char* folder : {"one", "two"}) {
        machines.push_back(build("25.11.1", std::string(folder) + "a"));
        machines.push_back(build("25.11.2", std::string(folder) + "b"));
    }
    x_patience = 60;
    std::vector<pid_t> children;
    for (const Machine& machine : machines) {
        const pid_t child = ::fork();
        if (child == 0) {
            bool done = false;
            {
                // Each has its own, as processes do; the one of the test is the parent's.
                const trust::Verifier own = verifier();
                x_publishers = &own;
                const base::Status status = publish(machine, x_place, "", true);
                if (!status) std::fprintf(stderr, "%s\n", status.error().text().c_str());
                done = status.has_value();
            }
            ::_exit(done ? 0 : 1);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    is_consistent("25.11.2");
    EXPECT_THAT(snapshot().files, SizeIs(12));
    plain_tools_accept(twin("25.11.1"));
    plain_tools_accept(alias);
    must(publish(machines[1], x_place));
    EXPECT_EQ(x_bytes, 0U);
}

std::unique_ptr<cache::S3Backend> bucket_at(const test::FakeS3& fake) {
    ::setenv("no_proxy", "*", 1);
    net::S3Options options;
    options.endpoint = fake.endpoint();
    options.http.first_pause = std::chrono::milliseconds(2);
    return cache::S3Backend::create({"bucket", "cache/x"}, options,
                                    std::make_shared<test::FixedKeys>(test::FakeS3::keys()))
        .value();
}

TEST_F(BundlePushes, ThroughABucket) {
    test::FakeS3 fake;
    const auto bucket = bucket_at(fake);
    const Machine machine = build("25.11.2");
    must(publish(machine, *bucket));
    const auto before = fake.objects();
    EXPECT_EQ(before.at("cache/x/" + alias).bytes, read(machine.files.bundle));
    EXPECT_EQ(before.at("cache/x/" + twin("25.11.2") + ".intoto.jsonl").bytes,
              read(machine.files.provenance));
    EXPECT_TRUE(before.contains("cache/x/index.html"));
    must(publish(machine, *bucket));
    EXPECT_EQ(x_bytes, 0U);
    EXPECT_EQ(fake.objects().size(), before.size());
}

// It takes conditions and writes all the same: two publishers would lose each other's work.
TEST_F(BundlePushes, ABucketThatKeepsNoConditionsIsRefused) {
    test::FakeS3Flaws flaws;
    flaws.no_conditions = true;
    test::FakeS3 fake(flaws);
    const auto bucket = bucket_at(fake);
    const base::Status refused = publish(build("25.11.2"), *bucket);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(),
                HasSubstr("does not keep conditions: it writes over what another publisher wrote "
                          "in the same moment"));
    EXPECT_THAT(refused.error().text(), HasSubstr("s3://bucket/cache/x"));
    EXPECT_THAT(refused.error().hint, HasSubstr("If-None-Match and If-Match"));
    EXPECT_TRUE(fake.objects().empty()) << fake.objects().begin()->first;
    EXPECT_EQ(fake.uploads(), 0U);
}

}  // namespace
}  // namespace sf::publish
