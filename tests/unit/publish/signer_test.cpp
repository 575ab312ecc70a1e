// SPDX-License-Identifier: Apache-2.0
// What the signer signs of a run, and what not: with real keys, in its own process.
#include <gmock/gmock.h>

#include <fcntl.h>
#include <unistd.h>

#include "cache/gzip_text.hpp"
#include "cache/snapshot.hpp"
#include "signer_maker.hpp"
#include "trust/revocation_list.hpp"

namespace sf::publish {
namespace {

using ::testing::HasSubstr;
using trust::Evidence;
using trust::Paper;

std::string why(const base::Status& status) { return status ? "(fine)" : status.error().text(); }
template <class T>
std::string why(const base::Result<T>& result) {
    return result ? "(fine)" : result.error().text();
}

TEST_F(SignerApart, SignsAWholePublicationAndWhatFollowsIt) {
    cache::FileBackend place(at("cache"));
    {
        const auto signer = begun("25.11.2");
        x_other_signer = signer.get();
        const base::Status first = publish(build("25.11.2"), place);
        EXPECT_EQ(why(first), "(fine)");
        const base::Status again = publish(build("25.11.2"), place);
        EXPECT_EQ(why(again), "(fine)");
        EXPECT_EQ(x_bytes, 0U) << "other signatures, but the same packages";
    }
    // Another run: the deps are there, Slurm is new.
    const auto signer = begun("25.11.3", "two");
    x_other_signer = signer.get();
    const base::Status second = publish(build("25.11.3", "two"), place);
    EXPECT_EQ(why(second), "(fine)");
    cache::SubBackend main(place, "bookworm/slurm/25.11");
    const auto snapshot =
        cache::read_snapshot(main, {&*x_verifier, "bookworm/slurm/25.11", at("memory"), now});
    ASSERT_TRUE(snapshot && *snapshot) << why(snapshot);
    EXPECT_EQ((*snapshot)->snapshot.serial, 2U);
    EXPECT_EQ((*snapshot)->snapshot.files.size(), 2U * 5 + 2);
}

TEST_F(SignerApart, NothingBeforeThePlanAndNoneTwice) {
    const auto signer = start();
    const auto built = packages("25.11.2");
    const std::string text = model::to_json(built[0].package).value();
    EXPECT_THAT(why(signer->sign(Paper::package, text)), HasSubstr("has not said"));
    EXPECT_THAT(why(hand_over(*signer, built[0])), HasSubstr("has not said"));
    ASSERT_TRUE(say(*signer, plan_of(built)));
    EXPECT_THAT(why(say(*signer, plan_of(built))), HasSubstr("said once"));
    EXPECT_EQ(why(hand_over(*signer, built[0])), "(fine)");
    EXPECT_EQ(why(signer->sign(Paper::package, text)), "(fine)");
}

TEST_F(SignerApart, OnlyPapersThatWerePlanned) {
    const auto signer = start();
    const auto built = packages("25.11.2");
    SigningPlan plan = plan_of(built);
    plan.papers = {Paper::snapshot};
    ASSERT_TRUE(say(*signer, plan));
    ASSERT_TRUE(hand_over(*signer, built[0]));
    const std::string text = model::to_json(built[0].package).value();
    EXPECT_THAT(why(signer->sign(Paper::package, text)), HasSubstr("was not to sign a package"));
    trust::RevocationList list;
    list.serial = 1;
    list.issued = now;
    list.expires = now + 1000;
    EXPECT_THAT(why(signer->sign(Paper::revocations, trust::to_text(list).value())),
                HasSubstr("was not to sign a revocations"));
}

TEST_F(SignerApart, OnlyPackagesThatWerePlannedAsTheyAre) {
    const auto signer = start();
    auto built = packages("25.11.2");
    SigningPlan plan = plan_of(built);
    const auto munge = std::ranges::find(plan.packages, built[1].package.store_name(),
                                         &PlannedPackage::store_name);
    munge->manifest = base::sha256(model::to_json(built[1].package).value());
    ASSERT_TRUE(say(*signer, plan));
    const auto strange = test::make_package(at("strange"), "hwloc", "2.0", {{"bin/x", "x"}});
    EXPECT_THAT(why(hand_over(*signer, strange)), HasSubstr("no package of this run"));
    const auto other = test::make_slurm(at("other"), "25.11.2", "2");
    EXPECT_THAT(why(hand_over(*signer, other[2])), HasSubstr("no package of this run"));
    // It was built before the run, and is another now.
    auto changed = built[1];
    changed.package.license = "other";
    EXPECT_THAT(why(hand_over(*signer, changed)), HasSubstr("not what it was when this run began"));
    EXPECT_EQ(why(hand_over(*signer, built[1])), "(fine)");
    // It was built in this run, and is another now.
    ASSERT_TRUE(hand_over(*signer, built[2]));
    changed = built[2];
    changed.package.license = "other";
    EXPECT_THAT(why(hand_over(*signer, changed)), HasSubstr("not what it was when it was built"));
}

TEST_F(SignerApart, AdmittedThenAltered) {
    const auto signer = start();
    auto built = packages("25.11.2");
    ASSERT_TRUE(say(*signer, plan_of(built)));
    const base::Fd run = base::open_file(built[0].folder / "run.tar.zst", O_RDWR).value();
    ASSERT_TRUE(signer->admit_file(run.get()));
    // The file is changed through the very descriptor that the signer was given, and the manifest
    // follows it.
    ASSERT_EQ(::pwrite(run.get(), "x", 1, 10), 1);
    built[0].package.run.sha256 = base::sha256_fd(run.get()).value();
    const std::string text = model::to_json(built[0].package).value();
    EXPECT_THAT(why(signer->admit(Evidence::package, text)), HasSubstr("was not handed over"));
    EXPECT_THAT(why(signer->sign(Paper::package, text)), HasSubstr("was not handed over"));
}

TEST_F(SignerApart, ADigestThatWasNotHandedOverInEachPaper) {
    struct Case {
        Paper paper;
        std::string before;
        std::string reason;
    };
    const std::vector<Case> cases{
        {Paper::bundle_manifest, R"("file":"run.tar.zst")", "was not handed over"},
        {Paper::provenance, R"("subject":[{"digest":{"sha256":")", "was not signed in this run"},
        {Paper::provenance, "manifests/25.11.2.json", ""},
        {Paper::spec_manifest, "run.v1.tar+zstd", ""},
        {Paper::spec_manifest, "install.v2.tar+gzip", ""},
        {Paper::snapshot, R"("zlib": {)", ""},
    };
    for (const Case& each : cases) {
        cache::FileBackend place(at("cache"));
        const auto signer = begun("25.11.2");
        const Liar liar(*signer, each.paper, [&](std::string text) {
            const std::size_t at = text.find(each.before);
            EXPECT_NE(at, std::string::npos) << each.before << " in " << text;
            // The next digest, whatever it is called.
            for (std::size_t i = at + each.before.size(); i + 64 < text.size(); ++i) {
                if (!base::Digest::parse(std::string_view(text).substr(i, 64))) continue;
                text[i] = text[i] == '0' ? '1' : '0';
                return text;
            }
            ADD_FAILURE() << "no digest behind " << each.before;
            return text;
        });
        x_other_signer = &liar;
        const auto built = packages("25.11.2");
        const Origins from = origins(built);
        BundleRequest request;
        request.version = "25.11.2";
        request.toolchain = "bookworm";
        request.target = "x86_64_v3";
        request.builder = "slurm-factory 0.1.0";
        request.origins = from;
        for (const auto& package : built)
            request.packages.push_back({package.package, package.folder});
        const auto bundle = write_bundle(request, at("builds"), &liar);
        std::string said = why(bundle);
        if (bundle) {
            Machine machine{built, from, *bundle,
                            model::to_json(plan_bundle(request).value()).value()};
            said = why(publish(machine, place));
        }
        EXPECT_THAT(said, HasSubstr(each.reason.empty() ? "handed over" : each.reason))
            << static_cast<int>(each.paper) << ' ' << each.before;
        EXPECT_THAT(said, HasSubstr("asking the signer"));
    }
}

// In a cache the manifest of a bundle lies packed: that it is the one that was signed is known all
// the same, and of no other text.
TEST_F(SignerApart, AManifestOfABundleAsACacheStoresIt) {
    for (const bool genuine : {true, false}) {
        cache::FileBackend place(at(genuine ? "cache" : "other"));
        const std::string folder = genuine ? "one" : "two";
        const auto signer = begun("25.11.2", folder);
        x_other_signer = signer.get();
        const Machine machine = build("25.11.2", folder);
        std::string text = machine.manifest;
        if (!genuine) text += ' ';
        x_extra = {{std::string(cache::media::bundle), "gzip", cache::gzip(text).value()}};
        const std::string said = why(publish(machine, place));
        if (genuine) {
            EXPECT_EQ(said, "(fine)");
        } else {
            EXPECT_THAT(said, HasSubstr("a bundle's manifest was not signed in this run"));
        }
    }
}

TEST_F(SignerApart, ABundleThatHoldsSomethingElse) {
    const auto signer = begun("25.11.2");
    x_other_signer = signer.get();
    const Machine machine = build("25.11.2");
    const auto signed_as_it_is = base::open_file(machine.files.bundle, O_RDONLY).value();
    EXPECT_EQ(why(signer->sign_bundle(signed_as_it_is.get())), "(fine)");
    // The same manifest with its signature, over other files.
    const auto request_of = [](const std::vector<test::BuiltPackage>& built) {
        BundleRequest all;
        all.version = "25.11.2";
        all.toolchain = "bookworm";
        all.target = "x86_64_v3";
        all.builder = "slurm-factory 0.1.0";
        for (const auto& each : built) all.packages.push_back({each.package, each.folder});
        return all;
    };
    const BundleRequest good = request_of(machine.built);
    const BundleRequest evil = request_of(test::make_slurm(at("evil"), "25.11.2", "2"));
    const std::string evil_manifest = model::to_json(plan_bundle(evil).value()).value();
    const std::string signature = signer->sign(Paper::bundle_manifest, machine.manifest).value();
    const auto write = [&](const std::string& name, const BundleRequest& request,
                           const std::string& manifest, const std::string& manifest_signature) {
        auto file = base::open_file(at(name), O_RDWR | O_CREAT).value();
        base::FdSink sink(file.get(), at(name));
        EXPECT_TRUE(write_bundle_archive(request, plan_bundle(request).value(), manifest,
                                         manifest_signature, sink));
        return file;
    };
    const auto with_its_own = write("a", evil, evil_manifest, signature);
    EXPECT_THAT(why(signer->sign_bundle(with_its_own.get())),
                HasSubstr("was not signed in this run"));
    const auto with_ours = write("b", evil, machine.manifest, signature);
    EXPECT_THAT(why(signer->sign_bundle(with_ours.get())), HasSubstr("looking into the bundle"));
    const auto unsigned_one = write("c", good, machine.manifest, "");
    EXPECT_THAT(why(signer->sign_bundle(unsigned_one.get())),
                HasSubstr("was not signed in this run"));
    const auto as_it_should_be = write("e", good, machine.manifest, signature);
    EXPECT_EQ(why(signer->sign_bundle(as_it_should_be.get())), "(fine)");
    // What another paper's signature is made over is no tarball.
    ASSERT_TRUE(base::write_file(at("d"), machine.manifest));
    const auto text = base::open_file(at("d"), O_RDONLY).value();
    EXPECT_THAT(why(signer->sign_bundle(text.get())), HasSubstr("looking into the bundle"));
}

// Files of ours are as they were before the build.
TEST_F(SignerApart, OtherFilesOfOurs) {
    const auto signer = start();
    const auto built = packages("25.11.2");
    BundleRequest request;
    request.version = "25.11.2";
    request.toolchain = "bookworm";
    request.target = "x86_64_v3";
    request.builder = "slurm-factory 0.1.0";
    request.assets = {{"data/slurm_assets/25.11.2/slurm_install.sh", "#!/bin/sh\n", true}};
    for (const auto& each : built) request.packages.push_back({each.package, each.folder});
    SigningPlan plan = plan_of(built);
    plan.ours = {base::sha256("#!/bin/sh\n")};
    ASSERT_TRUE(say(*signer, plan));
    for (const auto& each : built) ASSERT_TRUE(hand_over(*signer, each));
    const auto manifest = [&] { return model::to_json(plan_bundle(request).value()).value(); };
    EXPECT_EQ(why(signer->sign(Paper::bundle_manifest, manifest())), "(fine)");
    request.assets[0].content = "#!/bin/sh\nevil\n";
    EXPECT_THAT(why(signer->sign(Paper::bundle_manifest, manifest())),
                HasSubstr("is not as it was when this run began"));
}

// A signature of somebody who is not believed admits nothing.
TEST_F(SignerApart, StrangersVouchForNothing) {
    cache::FileBackend place(at("cache"));
    test::Gnupg stranger;
    const auto key = trust::Fingerprint::parse(stranger.make_key("M <m@example.org>")).value();
    const auto theirs = trust::GpgSigner::create(trust::Keyring(stranger.home()), key, {}).value();
    const auto signer = begun("25.11.2");
    const cache::Snapshot snapshot{
        std::string(32, 'a'), "bookworm/slurm/deps", 7, now, now + 1000, {}, {}};
    const std::string text = cache::to_text(snapshot).value();
    EXPECT_THAT(why(signer->admit(Evidence::snapshot, theirs.clearsign(text).value())),
                HasSubstr("not trusted"));
    EXPECT_THAT(why(signer->admit(Evidence::manifest, theirs.clearsign(text).value())),
                HasSubstr("not trusted"));
    EXPECT_THAT(why(signer->admit(Evidence::snapshot, text)), HasSubstr("signed"));
    EXPECT_EQ(why(signer->admit(Evidence::snapshot, x_signer->clearsign(text).value())), "(fine)");
}

TEST_F(SignerApart, RevocationsAreNeverTakenOff) {
    const auto signer = start();
    SigningPlan plan = plan_of({});
    plan.papers = {Paper::revocations};
    ASSERT_TRUE(say(*signer, plan));
    trust::RevocationList list;
    list.serial = 1;
    list.issued = now;
    list.expires = now + 1000;
    list.builds = {{base::sha256("bad"), "bad", now}};
    const std::string first =
        signer->sign(Paper::revocations, trust::to_text(list).value()).value();
    ASSERT_TRUE(signer->admit(Evidence::revocations, first));
    list.serial = 2;
    const auto sign = [&] {
        return signer->sign(Paper::revocations, trust::to_text(list).value());
    };
    EXPECT_EQ(why(sign()), "(fine)");
    list.serial = 3;
    EXPECT_THAT(why(sign()), HasSubstr("cannot follow"));
    list.serial = 2;
    list.keys = {{*x_key, "me", now}};
    EXPECT_THAT(why(sign()), HasSubstr("does not take itself back"));
    list.keys.clear();
    list.builds.clear();
    EXPECT_THAT(why(sign()), HasSubstr("taken off"));
}

TEST_F(SignerApart, APlanHasOneText) {
    const auto built = packages("25.11.2");
    SigningPlan plan = plan_of(built);
    plan.packages[0].manifest = base::sha256("x");
    plan.ours = {base::sha256("a"), base::sha256("b")};
    plan.believed.withdrawn.emplace(*x_key, "stolen");
    plan.retired = {{"bookworm/slurm/25.11", {"abc", "abd"}}, {"bookworm/slurm/deps", {"abc"}}};
    const std::string text = to_json(plan).value();
    EXPECT_EQ(to_json(signing_plan_from_json(text).value()).value(), text);
    EXPECT_FALSE(signing_plan_from_json(text + " "));
    EXPECT_FALSE(signing_plan_from_json(text.substr(0, text.size() - 1)));
    std::string more = text;
    more.insert(1, R"("also":1,)");
    EXPECT_FALSE(signing_plan_from_json(more));
    std::swap(plan.packages[0], plan.packages[1]);
    EXPECT_FALSE(signing_plan_from_json(to_json(plan).value()));
}

}  // namespace
}  // namespace sf::publish
