// SPDX-License-Identifier: Apache-2.0
// The whole way of a package through a cache in a folder, with real signatures: published,
// resolved, installed; by several publishers, with publishers that die; and what an attacker who
// can write to the cache, but cannot sign, gets out of it: nothing.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <unistd.h>

#include "base/text.hpp"
#include "cache/file_backend.hpp"
#include "cache/layout.hpp"
#include "cache/objects.hpp"
#include "cache/spack_index.hpp"
#include "install/cache_install.hpp"
#include "publish/bundle.hpp"
#include "publish/mirror_push.hpp"
#include "support/gnupg.hpp"
#include "support/packages.hpp"
#include "tree/rollback.hpp"
#include "trust/gpg_signer.hpp"

namespace sf::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t now = 1'790'000'000;

struct Heard : base::Reporter {
    std::string text;
    void message(base::Level, const std::string& said) override { text += said + '\n'; }
};

class CachePath : public ::testing::Test {
protected:
    CachePath() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {
        const trust::Keyring keyring(x_gpg.home());
        x_key.emplace(trust::Fingerprint::parse(x_gpg.make_key("Release <r@example.org>")).value());
        x_signer.emplace(trust::GpgSigner::create(keyring, *x_key, {}).value());
        x_public = x_gpg.export_key(x_key->text());
        x_verifier.emplace(verifier_for(*x_key, x_public));
    }
    static trust::Verifier verifier_for(const trust::Fingerprint& key, const std::string& text) {
        return trust::Verifier::create(trust::trusted_from({{key, "release"}}, {text}).value())
            .value();
    }

    [[nodiscard]] fs::path at(const std::string& name) const { return x_folder.path() / name; }
    [[nodiscard]] fs::path cache() const { return at("cache"); }
    static std::string read(const fs::path& path) {
        return base::read_file(path).value_or("(unreadable)");
    }

    // Both mirrors of one build. `end_at`: the step that fails.
    base::Status publish(const std::string& version, const std::string& salt = "1",
                         const std::string& end_at = {}, std::int64_t when = now) {
        SF_TRY(const base::TempDir work, base::TempDir::create(x_folder.path(), "work-"));
        const fs::path packages = work.path() / "packages";
        auto built = test::make_slurm(packages, version, salt);
        if (!x_bytes_of_srun.empty()) {
            const model::Package slurm = built[2].package;
            built[2] =
                test::make_package(packages, "slurm", version,
                                   {{"bin/srun", x_bytes_of_srun, true}}, slurm.dependencies, salt);
        }
        publish::BundleRequest bundle;
        bundle.version = version;
        bundle.toolchain = "bookworm";
        bundle.target = "x86_64_v3";
        bundle.builder = "slurm-factory test";
        bundle.assets = {
            {"data/slurm_assets/" + version + "/slurm_install.sh", "#!/bin/sh\n", true}};
        publish::PushRequest push;
        for (const auto& each : built) {
            bundle.packages.push_back({each.package, each.folder});
            push.closure.push_back({&each.package, each.folder, each.package.name == x_taken});
        }
        SF_TRY(const model::Bundle planned, publish::plan_bundle(bundle));
        SF_TRY(const std::string manifest, model::to_json(planned));
        SF_TRY(const std::string signature, x_signer->sign_bytes(manifest));
        std::string assets;
        {
            auto out = base::AtomicFile::create(work.path() / "assets").value();
            auto writer = pack::ArchiveWriter::create(out).value();
            for (const auto& each : bundle.assets)
                SF_CHECK(writer.add_memory(each.path, each.content, each.executable));
            SF_CHECK(writer.finish("assets.tar.zst").map([](const auto&) {}));
            SF_CHECK(out.commit());
            assets = read(work.path() / "assets");
        }
        push.libc = "glibc 2.36-9+deb12u10";
        push.work = work.path();
        push.signer = &*x_signer;
        push.verifier = x_publishers != nullptr ? x_publishers : &*x_verifier;
        push.public_key = x_public;
        push.primary = x_key->text();
        push.memory = x_publisher_memory ? at("publisher") : fs::path();
        push.now = when;
        cache::FileBackend place(cache());
        cache::SubBackend dependencies(place, "bookworm/slurm/deps");
        cache::SubBackend main(place, "bookworm/slurm/" + version.substr(0, 5));
        push.mirror = "bookworm/slurm/deps";
        push.items = {{built[0].package.store_name(), {}}, {built[1].package.store_name(), {}}};
        SF_TRY(x_deps_report, publish::push(dependencies, push, x_reporter));
        push.mirror = "bookworm/slurm/" + version.substr(0, 5);
        push.on_step = [&](std::string_view step) -> base::Status {
            if (end_at.empty() || step.find(end_at) == std::string_view::npos) return {};
            return base::fail(base::Code::interrupted, "here");
        };
        push.items = {{built[2].package.store_name(),
                       {{std::string(cache::media::bundle), "none", manifest},
                        {std::string(cache::media::signature), "none", signature},
                        {std::string(cache::media::assets), "zstd", assets}}}};
        SF_TRY(x_report, publish::push(main, push, x_reporter));
        return {};
    }

    base::Result<install::InstallReport> install(const std::string& version,
                                                 std::int64_t when = now + 1,
                                                 const std::string& cpu = "x86_64_v4",
                                                 const std::string& toolchain = "bookworm") {
        cache::FileBackend place(cache());
        cache::SubBackend dependencies(place, "bookworm/slurm/deps");
        cache::SubBackend main(place, "bookworm/slurm/" + version.substr(0, 5));
        install::ReaderOptions options{"bookworm/slurm/" + version.substr(0, 5), at("memory"), when,
                                       x_accept_expired};
        SF_TRY(const install::MirrorReader reader,
               install::MirrorReader::open(main, *x_verifier, options, x_reporter));
        SF_TRY(const install::Resolved found, reader.resolve({"slurm", version, toolchain, cpu}));
        install::InstallOptions how;
        how.record = tree::NewGeneration{{}, when};
        x_fetched = {};
        return install::install_from_cache(found, {&main, &dependencies, 4}, at("prefix"), how,
                                           x_fetched);
    }
    // "" or the message; nothing is in the prefix after a refusal.
    std::string refusal(const std::string& version = "25.11", std::int64_t when = now + 1) {
        const auto report = install(version, when);
        if (report) return "installed";
        EXPECT_FALSE(base::exists(at("prefix") / "view"));
        EXPECT_FALSE(base::exists(at("prefix") / "views"));
        return report.error().text();
    }
    [[nodiscard]] std::string srun() const { return read(at("prefix") / "view/bin/srun"); }

    // Every file of the cache below `folder`.
    [[nodiscard]] std::vector<fs::path> files(const std::string& folder) const {
        std::vector<fs::path> list;
        for (const auto& each : fs::recursive_directory_iterator(cache() / folder)) {
            if (each.is_regular_file()) list.push_back(each.path());
        }
        std::ranges::sort(list);
        return list;
    }
    [[nodiscard]] fs::path snapshot(const std::string& mirror = "25.11") const {
        return cache() / "bookworm/slurm" / mirror / "_sf/snapshot.json";
    }
    // As Spack reads it.
    [[nodiscard]] cache::SpackIndex spack_index(const std::string& mirror = "25.11") const {
        const fs::path folder = cache() / "bookworm/slurm" / mirror;
        const auto blob =
            cache::blob_of_manifest(read(folder / "v3/manifests/index/index.manifest.json"),
                                    cache::media::spack_index)
                .value();
        const std::string key = cache::key_of(cache::BlobName{blob.sha256}).value();
        return cache::spack_index_from_json(read(folder / key)).value();
    }

    test::Gnupg x_gpg;
    base::TempDir x_folder;
    std::optional<trust::Fingerprint> x_key;
    std::optional<trust::GpgSigner> x_signer;
    std::optional<trust::Verifier> x_verifier;
    const trust::Verifier* x_publishers = nullptr;  // if it is another
    std::string x_public;
    Heard x_reporter;
    publish::PushReport x_report, x_deps_report;
    install::FetchReport x_fetched;
    bool x_accept_expired = false;
    std::string x_bytes_of_srun;
    std::string x_taken;  // a package that the publisher has from elsewhere
    bool x_publisher_memory = true;
};

void must(const base::Status& status) { ASSERT_TRUE(status) << status.error().text(); }

TEST_F(CachePath, PublishedThenInstalled) {
    must(publish("25.11.2"));
    EXPECT_THAT(x_report.added, SizeIs(1));
    EXPECT_THAT(x_deps_report.added, SizeIs(2));
    const auto report = install("25.11");
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_THAT(report->installed, SizeIs(3));
    EXPECT_EQ(report->generation, 1U);
    EXPECT_EQ(x_fetched.archives, 4U);
    EXPECT_EQ(srun(), "srun 25.11.21");
    EXPECT_EQ(read(at("prefix") / "view/lib/slurm/libmunge.so.2"), "munge code");
    EXPECT_EQ(read(at("prefix") / "data/slurm_assets/slurm_install.sh"), "#!/bin/sh\n");
    EXPECT_TRUE(base::exists(at("prefix") / "manifests/25.11.2.json.asc"));
    // Again: nothing is fetched, nothing changes.
    const auto again = install("25.11.2");
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(x_fetched.archives, 0U);
}

TEST_F(CachePath, TheSameAgainSendsNothing) {
    must(publish("25.11.2"));
    const std::uint64_t serial = x_report.serial;
    const auto before = files("");
    must(publish("25.11.2"));
    EXPECT_FALSE(x_report.changed);
    EXPECT_FALSE(x_deps_report.changed);
    EXPECT_EQ(x_report.bytes, 0U);
    EXPECT_EQ(x_report.serial, serial);
    EXPECT_THAT(x_report.added, IsEmpty());
    EXPECT_EQ(files(""), before);
    // After half of its time it is signed afresh, with what it holds.
    must(publish("25.11.2", "1", "", now + 16 * 86'400));
    EXPECT_EQ(x_report.serial, serial + 1);
    EXPECT_TRUE(install("25.11", now + 40 * 86'400));
}

TEST_F(CachePath, TheNewestThatFitsIsTaken) {
    must(publish("25.11.2"));
    must(publish("25.11.10"));
    must(publish("25.11.9"));
    must(publish("25.11.10", "2"));  // built once more
    must(publish("24.11.5"));
    ASSERT_TRUE(install("25.11"));
    EXPECT_EQ(srun(), "srun 25.11.102");
    ASSERT_TRUE(install("25.11.9"));
    EXPECT_EQ(srun(), "srun 25.11.91");
    // The dependencies are the same: two packages were there, one came.
    EXPECT_EQ(x_fetched.archives, 2U);
    const auto none = install("25.11.3");
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().text(), HasSubstr("has no slurm 25.11.3"));
    EXPECT_EQ(none.error().hint, "there is: 25.11.2, 25.11.9, 25.11.10");
    EXPECT_THAT(install("25.11", now + 1, "x86_64_v2").error().text(),
                HasSubstr("for bookworm on a x86_64_v2 processor"));
    EXPECT_THAT(install("25.11", now + 1, "x86_64_v4", "noble").error().text(),
                HasSubstr("for noble on a"));
    EXPECT_THAT(install("23.11").error().text(), HasSubstr("nothing was published to"));
    const auto first = tree::return_to_generation(at("prefix"), 1);
    ASSERT_TRUE(first) << first.error().text();
    EXPECT_EQ(srun(), "srun 25.11.102");
}

TEST_F(CachePath, APublisherThatDiesLeavesTheOldStateAndGoesOn) {
    must(publish("25.11.1"));
    for (const char* step : {"look", "archive slurm", "blobs slurm", "manifest slurm", "index"}) {
        EXPECT_FALSE(publish("25.11.2", "1", step)) << step;
        ASSERT_TRUE(install("25.11")) << step;
        EXPECT_EQ(srun(), "srun 25.11.11") << step;
    }
    must(publish("25.11.2"));
    ASSERT_TRUE(install("25.11"));
    EXPECT_EQ(srun(), "srun 25.11.21");
}

TEST_F(CachePath, ManyPublishersLoseNothing) {
    constexpr int publishers = 6;
    std::vector<pid_t> children;
    for (int i = 0; i < publishers; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            bool done = false;
            {
                // Each has its own, as processes do; the one of the test is the parent's.
                const trust::Verifier own = verifier_for(*x_key, x_public);
                x_publishers = &own;
                const base::Status status = publish("25.11." + std::to_string(i + 1));
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
    for (int i = 0; i < publishers; ++i) {
        const std::string version = "25.11." + std::to_string(i + 1);
        const auto report = install(version);
        ASSERT_TRUE(report) << report.error().text();
        EXPECT_EQ(srun(), "srun " + version + "1");
    }
    // Nor does Spack's index lack any of them.
    const cache::SpackIndex index = spack_index();
    std::set<std::string> listed;
    for (const auto& [hash, entry] : index.entries) {
        if (entry.in_buildcache) listed.insert(entry.node.name + ' ' + entry.node.version);
    }
    EXPECT_THAT(listed, SizeIs(publishers));
    for (int i = 0; i < publishers; ++i)
        EXPECT_TRUE(listed.contains(fmt::format("slurm 25.11.{}", i + 1))) << i + 1;
    const cache::SpackIndex dependencies = spack_index("deps");
    EXPECT_EQ(std::ranges::count_if(dependencies.entries,
                                    [](const auto& each) { return each.second.in_buildcache; }),
              2);
}

TEST_F(CachePath, WhatWasTakenFromElsewhereIsPublishedWhereItIsAlready) {
    x_taken = "munge";
    const base::Status refused = publish("25.11.2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("which was taken from another cache"));
    EXPECT_FALSE(base::exists(snapshot("deps")));
    x_taken.clear();
    must(publish("25.11.2"));
    x_taken = "munge";
    must(publish("25.11.3"));
    EXPECT_THAT(x_deps_report.there, SizeIs(2));
    EXPECT_TRUE(install("25.11.3"));
}

// As if a build were not reproducible.
TEST_F(CachePath, OtherBytesForTheSameInputsAreRefused) {
    must(publish("25.11.2"));
    const auto before = files("");
    x_bytes_of_srun = "another program";
    const base::Status refused = publish("25.11.2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("with other bytes for the same inputs"));
    EXPECT_EQ(files(""), before);
}

// Whoever can write to the cache but cannot sign.
TEST_F(CachePath, ASingleBitAnywhereIsSeen) {
    must(publish("25.11.2"));
    int refused = 0;
    for (const fs::path& file : files("bookworm/slurm/25.11")) {
        const std::string name = file.lexically_relative(cache()).native();
        const bool spacks = name.find("/v3/layout") != std::string::npos ||
                            name.find("/v3/manifests/index") != std::string::npos ||
                            name.find("/v3/manifests/key") != std::string::npos;
        const std::string good = read(file);
        for (const std::size_t where : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
            std::string bent = good;
            bent[where] = static_cast<char>(bent[where] ^ 4);
            ASSERT_TRUE(base::write_file(file, bent));
            ASSERT_TRUE(base::remove_tree(at("prefix")));
            ASSERT_TRUE(base::remove_tree(at("memory")));
            const auto report = install("25.11");
            if (report) {
                // What our client does not read: Spack's own files and blobs.
                EXPECT_TRUE(spacks || name.find("/blobs/") != std::string::npos) << name;
                EXPECT_EQ(srun(), "srun 25.11.21");
            } else {
                EXPECT_FALSE(base::exists(at("prefix") / "view")) << name;
                ++refused;
            }
        }
        ASSERT_TRUE(base::write_file(file, good));
    }
    // Snapshot, two nodes, manifest, bundle, its signature, assets, run archive: three times each,
    // but for bits of armour that change nothing.
    EXPECT_GE(refused, 18);
}

TEST_F(CachePath, AnotherPackagesManifestIsNotTaken) {
    must(publish("25.11.1"));
    must(publish("25.11.2"));
    std::vector<fs::path> manifests;
    for (const fs::path& file : files("bookworm/slurm/25.11/v3/manifests/spec"))
        manifests.push_back(file);
    ASSERT_THAT(manifests, SizeIs(2));
    const std::string one = read(manifests[0]);
    ASSERT_TRUE(base::write_file(manifests[0], read(manifests[1])));
    ASSERT_TRUE(base::write_file(manifests[1], one));
    EXPECT_THAT(refusal("25.11.1"), HasSubstr("not what it should be"));
    EXPECT_THAT(refusal("25.11.2"), HasSubstr("not what it should be"));
}

TEST_F(CachePath, AnOldSnapshotIsNotTakenAgain) {
    must(publish("25.11.1"));
    const std::string old = read(snapshot());
    must(publish("25.11.2"));
    ASSERT_TRUE(install("25.11"));
    ASSERT_TRUE(base::write_file(snapshot(), old));
    const auto refused = install("25.11");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("gone back: its snapshot is number 1, number 2"));
    EXPECT_EQ(srun(), "srun 25.11.21");
}

// Nor signed afresh by the publisher, who would make it good.
TEST_F(CachePath, APublisherIsNotLedBackEither) {
    must(publish("25.11.1"));
    const std::string old = read(snapshot());
    must(publish("25.11.2"));
    ASSERT_TRUE(base::write_file(snapshot(), old));
    const base::Status back = publish("25.11.3");
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, base::Code::refused);
    EXPECT_THAT(back.error().text(), HasSubstr("gone back"));
    EXPECT_EQ(read(snapshot()), old);
    ASSERT_TRUE(base::remove_file(snapshot()));
    const base::Status gone = publish("25.11.3");
    ASSERT_FALSE(gone);
    EXPECT_THAT(gone.error().text(), HasSubstr("its snapshot is gone: number 2 was seen"));
    EXPECT_FALSE(base::exists(snapshot()));
    ASSERT_TRUE(install("25.11").error().code == base::Code::absent);
}

TEST_F(CachePath, ASnapshotOfAnotherMirrorIsNotTaken) {
    must(publish("25.11.2"));
    must(publish("24.11.5"));
    ASSERT_TRUE(base::write_file(snapshot(), read(snapshot("24.11"))));
    EXPECT_THAT(refusal(), HasSubstr("was signed for bookworm/slurm/24.11, not for "));
    // It was not remembered: the true one is taken still.
    ASSERT_TRUE(base::remove_file(snapshot()));
    EXPECT_THAT(refusal(), HasSubstr("nothing was published"));
}

TEST_F(CachePath, ASnapshotThatExpiredIsSaid) {
    must(publish("25.11.2"));
    const std::int64_t later = now + 31 * 86'400;
    EXPECT_THAT(refusal("25.11", later), HasSubstr("expired 1 days ago"));
    x_accept_expired = true;
    EXPECT_TRUE(install("25.11", later));
}

TEST_F(CachePath, OnlyTheTrustedPublisherCounts) {
    must(publish("25.11.2"));
    const std::string stranger = x_gpg.make_key("Stranger <s@example.org>");
    x_verifier.emplace(
        verifier_for(trust::Fingerprint::parse(stranger).value(), x_gpg.export_key(stranger)));
    EXPECT_THAT(refusal(), HasSubstr("snapshot.json"));
    // And nobody publishes into what somebody else has signed.
    const base::Status published = publish("25.11.3");
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code, base::Code::refused);
}

TEST_F(CachePath, ABlobThatIsNotWholeIsNotNamed) {
    const auto built = test::make_slurm(at("packages"), "25.11.2", "1");
    const std::string key = cache::key_of(cache::BlobName{built[2].package.run.sha256}).value();
    const fs::path blob = cache() / "bookworm/slurm/25.11" / key;
    ASSERT_TRUE(base::make_dirs(blob.parent_path()));
    ASSERT_TRUE(base::write_file(blob, "cut"));
    const base::Status refused = publish("25.11.2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::corrupt);
    EXPECT_THAT(refused.error().text(), HasSubstr("has 3 bytes, not "));
    EXPECT_FALSE(base::exists(snapshot()));
    ASSERT_TRUE(base::remove_file(blob));
    must(publish("25.11.2"));
    EXPECT_TRUE(install("25.11"));
}

TEST_F(CachePath, AManifestThatWasLostIsPublishedAgain) {
    must(publish("25.11.2"));
    for (const fs::path& file : files("bookworm/slurm/25.11/v3/manifests/spec"))
        ASSERT_TRUE(base::remove_file(file));
    EXPECT_THAT(refusal(), HasSubstr("25.11.2"));
    must(publish("25.11.2"));
    EXPECT_THAT(x_report.added, SizeIs(1));
    ASSERT_TRUE(install("25.11"));
}

// It is not signed, and anybody may have written it: Spack's own update-index, for one.
TEST_F(CachePath, WhatSpackReadsIsMadeAgain) {
    must(publish("25.11.1"));
    const fs::path mirror = cache() / "bookworm/slurm/25.11/v3/manifests";
    const std::string huge = cache::manifest_of({std::string(cache::media::spack_index), "none",
                                                 std::uint64_t{1} << 50, base::sha256("x")})
                                 .value();
    for (const std::string& text : {std::string("{}"), std::string("not JSON"), huge}) {
        ASSERT_TRUE(base::write_file(mirror / "index/index.manifest.json", text));
        ASSERT_TRUE(base::write_file(mirror / "key/keys.manifest.json", text));
        must(publish("25.11.2"));
        EXPECT_THAT(x_reporter.text, HasSubstr("is made again"));
        const cache::SpackIndex index = spack_index();
        // Both versions of Slurm, from the signed manifests.
        EXPECT_EQ(std::ranges::count_if(index.entries,
                                        [](const auto& each) { return each.second.in_buildcache; }),
                  2);
    }
}

TEST_F(CachePath, WhatSomebodyDamagedIsMended) {
    must(publish("25.11.2"));
    ASSERT_TRUE(install("25.11"));
    const auto built = test::make_slurm(at("packages"), "25.11.2", "1");
    const std::string munge = built[1].package.store_name();
    ASSERT_TRUE(base::remove_tree(at("prefix") / "store" / munge));
    const auto report = install("25.11");
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_THAT(report->installed, ElementsAre(munge));
    EXPECT_EQ(x_fetched.archives, 1U);
    ASSERT_TRUE(base::remove_file(at("prefix") / "views/25.11.2/bin/srun"));
    ASSERT_TRUE(install("25.11")) << "the view";
    EXPECT_EQ(srun(), "srun 25.11.21");
    ASSERT_TRUE(base::remove_file(at("prefix") / "manifests/25.11.2.json.asc"));
    ASSERT_TRUE(install("25.11")) << "the signature";
    EXPECT_TRUE(base::exists(at("prefix") / "manifests/25.11.2.json.asc"));
    EXPECT_THAT(tree::list_generations(at("prefix")).value(), SizeIs(1));
}

TEST_F(CachePath, WhatIsMissingIsSaid) {
    must(publish("25.11.2"));
    const auto built = test::make_slurm(at("packages"), "25.11.2", "1");
    for (const auto& [mirror, package] :
         {std::pair{"deps", &built[0].package}, {"25.11", &built[2].package}}) {
        SCOPED_TRACE(mirror);
        const std::string key = cache::key_of(cache::BlobName{package->run.sha256}).value();
        const fs::path blob = cache() / "bookworm/slurm" / mirror / key;
        const std::string good = read(blob);
        std::string other = good;
        other[other.size() / 2] ^= 1;
        ASSERT_TRUE(base::remove_file(blob));
        const auto missing = install("25.11");
        ASSERT_FALSE(missing);
        EXPECT_EQ(missing.error().code, base::Code::absent) << missing.error().text();
        EXPECT_THAT(missing.error().text(), HasSubstr("fetching " + package->store_name()));
        // What is there and is not it is another thing than what is not there.
        for (const std::string& bytes : {other, good.substr(0, good.size() / 2), std::string()}) {
            ASSERT_TRUE(base::write_file(blob, bytes));
            const auto changed = install("25.11");
            ASSERT_FALSE(changed);
            EXPECT_EQ(changed.error().code, base::Code::corrupt) << changed.error().text();
            EXPECT_THAT(changed.error().text(), HasSubstr("fetching " + package->store_name()));
        }
        EXPECT_FALSE(base::exists(at("prefix") / "view"));
        ASSERT_TRUE(base::write_file(blob, good));
    }
    EXPECT_TRUE(install("25.11"));
}

// What is asked of a mirror, by several threads at once.
struct Counting : cache::SubBackend {
    using SubBackend::SubBackend;
    base::Result<cache::Got> get(const std::string& key, const cache::GetOptions& options,
                                 net::Receiver& to) override {
        auto got = SubBackend::get(key, options, to);
        const std::lock_guard lock(mutex);
        asked.push_back(key + (got && got->unchanged ? " unchanged" : ""));
        return got;
    }
    std::mutex mutex;
    std::vector<std::string> asked;
};

TEST_F(CachePath, TheSameAgainAsksWhetherTheSnapshotHasChanged) {
    must(publish("25.11.2"));
    cache::FileBackend place(cache());
    const auto install_counting = [&](const std::string& prefix) {
        Counting main(place, "bookworm/slurm/25.11");
        Counting deps(place, "bookworm/slurm/deps");
        const auto reader = install::MirrorReader::open(
            main, *x_verifier, {"bookworm/slurm/25.11", at("memory"), now + 1, false}, x_reporter);
        if (!reader) ADD_FAILURE() << reader.error().text();
        const auto found = reader.value().resolve({"slurm", "25.11", "bookworm", "x86_64_v4"});
        if (!found) ADD_FAILURE() << found.error().text();
        install::InstallOptions how;
        how.record = tree::NewGeneration{{}, now};
        EXPECT_TRUE(install::install_from_cache(found.value(), {&main, &deps, 1}, at(prefix), how,
                                                x_fetched));
        EXPECT_TRUE(deps.asked.empty() || prefix != "prefix" || main.asked.size() > 1);
        main.asked.insert(main.asked.end(), deps.asked.begin(), deps.asked.end());
        return main.asked;
    };
    EXPECT_THAT(install_counting("prefix"), SizeIs(10));
    EXPECT_THAT(install_counting("prefix"), ElementsAre("_sf/snapshot.json unchanged"));
    // Archives are not kept twice.
    EXPECT_THAT(install_counting("another"), SizeIs(5));
    // What has changed is asked for, and no more.
    must(publish("25.11.3"));
    EXPECT_THAT(install_counting("prefix"), SizeIs(8));
    EXPECT_EQ(srun(), "srun 25.11.31");
    // What is kept is believed no more than a server.
    for (const std::size_t part : {2, 3, 5, 7}) {
        for (const auto& each : fs::directory_iterator(at("memory") / "objects")) {
            std::string text = read(each.path());
            text[text.size() / part] ^= 1;
            ASSERT_TRUE(base::write_file(each.path(), text));
        }
        EXPECT_THAT(install_counting("prefix"), SizeIs(testing::Ge(5U)));
        EXPECT_EQ(srun(), "srun 25.11.31");
    }
}

class Frozen : public CachePath {
protected:
    base::Result<install::LockFile> lock(const std::string& version) {
        cache::FileBackend place(cache());
        cache::SubBackend main(place, "bookworm/slurm/25.11");
        SF_TRY(const auto reader,
               install::MirrorReader::open(main, *x_verifier, reading(), x_reporter));
        SF_TRY(const auto found, reader.resolve({"slurm", version, "bookworm", "x86_64_v4"}));
        return install::lock_of(found, "bookworm/slurm/25.11");
    }
    base::Result<install::InstallReport> install_locked(const install::LockFile& lock) {
        cache::FileBackend place(cache());
        cache::SubBackend dependencies(place, "bookworm/slurm/deps");
        Counting main(place, "bookworm/slurm/25.11");
        SF_TRY(const auto found,
               install::MirrorReader::locked(main, *x_verifier, reading(), lock, x_reporter));
        install::InstallOptions how;
        how.record = tree::NewGeneration{{}, now};
        auto report = install::install_from_cache(found, {&main, &dependencies, 4}, at("prefix"),
                                                  how, x_fetched);
        EXPECT_THAT(main.asked, ::testing::Not(::testing::Contains(HasSubstr("snapshot"))));
        EXPECT_THAT(main.asked, ::testing::Not(::testing::Contains(HasSubstr("_sf/index"))));
        return report;
    }
    // Nothing is remembered: another machine.
    [[nodiscard]] install::ReaderOptions reading() const {
        return {"bookworm/slurm/25.11", {}, now + 1, false};
    }
};

TEST_F(Frozen, TheSameComesWhenTheCacheHasMovedOn) {
    must(publish("25.11.2"));
    const install::LockFile first = lock("25.11").value();
    const std::string text = install::to_json(first).value();
    must(publish("25.11.3"));
    must(publish("25.11.2", "2"));  // built once more
    const auto read_again = install::lock_from_json(text).value();
    const auto report = install_locked(read_again);
    ASSERT_TRUE(report) << report.error().text();
    EXPECT_EQ(srun(), "srun 25.11.21");
    // Nor does it need a snapshot at all, or one whose time is not over.
    ASSERT_TRUE(base::remove_file(snapshot()));
    ASSERT_TRUE(base::remove_tree(at("prefix")));
    ASSERT_TRUE(install_locked(read_again));
    EXPECT_EQ(srun(), "srun 25.11.21");
}

TEST_F(Frozen, ALockSaysWhatNotWhomToTrust) {
    must(publish("25.11.2"));
    const install::LockFile good = lock("25.11").value();
    const std::string stranger = x_gpg.make_key("Eve <eve@example.org>");
    x_verifier.emplace(
        verifier_for(trust::Fingerprint::parse(stranger).value(), x_gpg.export_key(stranger)));
    EXPECT_FALSE(install_locked(good));
    EXPECT_FALSE(base::exists(at("prefix")));
    x_verifier.emplace(verifier_for(*x_key, x_public));
    for (int which = 0; which < 4; ++which) {
        install::LockFile bent = good;
        if (which == 0) bent.build.manifest.sha256 = base::sha256("another");
        if (which == 1) bent.packages[0].archive.size += 1;
        if (which == 2)
            bent.packages.pop_back(), bent.packages.back().identity = bent.build.identity;
        if (which == 3) bent.packages[1].name = "munge-0.5.99-01234567";
        EXPECT_FALSE(install_locked(bent)) << which;
        EXPECT_FALSE(base::exists(at("prefix"))) << which;
    }
    ASSERT_TRUE(install_locked(good));
    // Archives that were changed since.
    for (const fs::path& file : files("bookworm/slurm/deps/blobs")) {
        std::string text = read(file);
        text[text.size() / 2] ^= 1;
        ASSERT_TRUE(base::write_file(file, text));
    }
    ASSERT_TRUE(base::remove_tree(at("prefix")));
    EXPECT_FALSE(install_locked(good));
}

TEST_F(Frozen, ALockHasOneText) {
    must(publish("25.11.2"));
    const std::string text = install::to_json(lock("25.11").value()).value();
    EXPECT_EQ(install::to_json(install::lock_from_json(text).value()).value(), text);
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(install::lock_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x15);
        if (const auto read = install::lock_from_json(bent))
            EXPECT_EQ(install::to_json(*read).value(), bent);
    }
    const auto changed = [&](const char* from, const char* to) {
        return install::lock_from_json(base::replace_all(text, from, to)).has_value();
    };
    EXPECT_FALSE(changed("\"schema\":1", "\"schema\":2"));
    EXPECT_FALSE(changed("slurm/25.11\"", "slurm/24.11\""));
    EXPECT_FALSE(changed("\"bookworm\"", "\"noble\""));
    EXPECT_FALSE(changed("\"name\":\"munge-", "\"name\":\"../munge-"));
    EXPECT_FALSE(install::lock_from_json(text + text));
}

}  // namespace
}  // namespace sf::cli
