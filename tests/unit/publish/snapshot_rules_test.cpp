// SPDX-License-Identifier: Apache-2.0
// Which snapshot may follow which: what was published stays, what is new was signed or verified.
#include "publish/snapshot_rules.hpp"

#include <gmock/gmock.h>

#include "cache/bundle_files.hpp"
#include "cache/gzip_text.hpp"
#include "cache/layout.hpp"

namespace sf::publish {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t now = 1'790'000'000;

class SnapshotRules : public ::testing::Test {
protected:
    SnapshotRules() {
        x_before.repository = std::string(32, 'a');
        x_before.mirror = "bookworm/slurm/25.11";
        x_before.serial = 4;
        x_before.issued = now - 1000;
        x_before.expires = now + 1000;
        // Published long ago: the run knows their nodes alone.
        x_before = after({build("zlib", "1.3", 'b'), build("slurm", "25.11.1", 'c')});
        x_before.serial = 4;
        x_known.manifests.clear();
        x_next = after({});
    }

    // Signed in this run.
    cache::NewBuild build(const std::string& name, const std::string& version, char letter) {
        cache::SpecManifest manifest;
        manifest.name = name;
        manifest.version = version;
        manifest.hash = std::string(32, letter);
        manifest.target = "x86_64_v3";
        manifest.toolchain = "bookworm";
        manifest.identity = base::sha256(name + version + letter);
        const std::string stored = "signed: " + name + version + letter;
        const cache::Ref ref{base::sha256(stored), stored.size()};
        x_known.blobs[ref.sha256] = ref.size;
        x_known.manifests[ref.sha256] = manifest;
        return {name,
                version,
                {manifest.hash, manifest.toolchain, manifest.target, manifest.identity, ref, 0},
                false};
    }
    cache::Ref hand_over_text(const base::Result<std::string>& text) {
        return hand_over(cache::gzip(text.value()).value());
    }
    cache::Ref hand_over(const std::string& packed) {
        const cache::Ref ref{base::sha256(packed), packed.size()};
        x_known.blobs[ref.sha256] = ref.size;
        x_nodes[ref.sha256] = packed;
        const auto text = cache::gunzip(packed, cache::max_index_node);
        if (!text) return ref;  // no node
        if (auto name = cache::name_node_from_json(*text)) x_known.names[ref.sha256] = *name;
        if (auto version = cache::version_node_from_json(*text))
            x_known.versions[ref.sha256] = *version;
        return ref;
    }
    // What an honest publisher makes of x_before.
    cache::Snapshot after(const std::vector<cache::NewBuild>& builds) {
        const auto change = cache::add_builds(
            x_before,
            [&](const cache::Ref& ref) -> base::Result<std::string> {
                return x_nodes.at(ref.sha256);
            },
            builds);
        EXPECT_TRUE(change) << change.error().text();
        for (const std::string& node : change->nodes) hand_over(node);
        cache::Snapshot next = x_before;
        next.names = change->names;
        ++next.serial;
        next.issued = now;
        next.expires = now + 86'400;
        return next;
    }
    [[nodiscard]] std::string verdict(const cache::Snapshot& next) const {
        const base::Status status = check_next_snapshot(x_before, next, x_known, now, x_retired);
        return status ? "" : status.error().text();
    }
    // `next`, where the version's node is changed by `edit`.
    cache::Snapshot edited(const std::string& name, const std::string& version,
                           const std::function<void(cache::VersionNode&)>& edit,
                           const cache::Snapshot& from) {
        cache::Snapshot next = from;
        cache::NameNode names = x_known.names.at(next.names.at(name).sha256);
        cache::VersionNode node = x_known.versions.at(names.versions.at(version).sha256);
        edit(node);
        names.versions[version] = hand_over_text(cache::to_json(node));
        next.names[name] = hand_over_text(cache::to_json(names));
        return next;
    }

    cache::Snapshot x_before, x_next;
    KnownObjects x_known;
    std::map<base::Digest, std::string> x_nodes;
    std::set<std::string> x_retired;  // as the run has said
};

TEST_F(SnapshotRules, SignedAfreshAndAddedTo) {
    EXPECT_EQ(verdict(x_next), "");
    EXPECT_EQ(verdict(after({build("slurm", "25.11.1", 'd'), build("slurm", "25.11.2", 'e'),
                             build("munge", "0.5", 'f')})),
              "");
}

TEST_F(SnapshotRules, TheFirstOfAMirror) {
    cache::Snapshot first = x_next;
    first.names.clear();
    first.serial = 1;
    EXPECT_TRUE(check_next_snapshot(std::nullopt, first, x_known, now));
    first.serial = 2;
    EXPECT_FALSE(check_next_snapshot(std::nullopt, first, x_known, now));
    first.serial = 1;
    first.names = x_next.names;
    const auto unknown = check_next_snapshot(std::nullopt, first, x_known, now);
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().text(), HasSubstr("neither signed nor verified"));
}

TEST_F(SnapshotRules, OfAnotherCacheOrOutOfOrder) {
    cache::Snapshot next = x_next;
    next.repository = std::string(32, 'b');
    EXPECT_THAT(verdict(next), HasSubstr("another cache"));
    next = x_next;
    for (const std::uint64_t serial : {1U, 4U, 6U, 1'000'000U}) {
        next.serial = serial;
        EXPECT_THAT(verdict(next), HasSubstr("cannot follow"));
    }
    next = x_next;
    next.issued = now - 2000;
    EXPECT_THAT(verdict(next), HasSubstr("older"));
    next.issued = now + 601;
    EXPECT_THAT(verdict(next), HasSubstr("future"));
    next = x_next;
    next.expires = now + 400 * 86'400;
    EXPECT_THAT(verdict(next), HasSubstr("more than a year"));
}

TEST_F(SnapshotRules, WhatWasPublishedIsGone) {
    cache::Snapshot next = x_next;
    next.names.erase("zlib");
    EXPECT_THAT(verdict(next), HasSubstr("names zlib no more"));
    const cache::NameNode no_versions{"zlib", {}};
    next = x_next;
    next.names["zlib"] = hand_over_text(cache::to_json(no_versions));
    EXPECT_THAT(verdict(next), HasSubstr("zlib 1.3 no more"));
    next = edited(
        "zlib", "1.3", [](cache::VersionNode& node) { node.builds.clear(); }, x_next);
    EXPECT_THAT(verdict(next), HasSubstr("no more"));
}

TEST_F(SnapshotRules, WhatWasPublishedIsOther) {
    const auto of_zlib = [&](const std::function<void(cache::Build&)>& edit) {
        return verdict(edited(
            "zlib", "1.3", [&](cache::VersionNode& node) { edit(node.builds[0]); }, x_next));
    };
    EXPECT_THAT(of_zlib([](cache::Build& build) { build.identity = base::sha256("x"); }),
                HasSubstr("something else"));
    EXPECT_THAT(of_zlib([](cache::Build& build) { build.added = 3; }), HasSubstr("something else"));
    // Another manifest of the same build, that nobody signed here.
    EXPECT_THAT(of_zlib([](cache::Build& build) { build.manifest.sha256 = base::sha256("x"); }),
                HasSubstr("neither signed nor verified"));
    // It was lost, and has been signed anew.
    const auto again = build("zlib", "1.3", 'b');
    const std::string other = "signed again";
    const cache::Ref ref{base::sha256(other), other.size()};
    x_known.blobs[ref.sha256] = ref.size;
    x_known.manifests[ref.sha256] = x_known.manifests.at(again.build.manifest.sha256);
    EXPECT_EQ(of_zlib([&](cache::Build& build) { build.manifest = ref; }), "");
}

TEST_F(SnapshotRules, OlderVersionsAreRetiredAsTheRunHasSaid) {
    x_before = after({build("slurm", "25.11.2", 'd'), build("slurm", "25.11.10", 'e'),
                      build("slurm", "25.11.10", 'f')});
    const auto without = [&](const cache::BuildsByVersion& builds) {
        const auto change = cache::remove_builds(
            x_before,
            [&](const cache::Ref& ref) -> base::Result<std::string> {
                return x_nodes.at(ref.sha256);
            },
            builds);
        EXPECT_TRUE(change) << change.error().text();
        cache::Snapshot next = x_before;
        for (const std::string& node : change->nodes) hand_over(node);
        next.names = change->names;
        ++next.serial;
        return next;
    };
    const std::string c(32, 'c'), d(32, 'd'), e(32, 'e'), f(32, 'f');
    const cache::Snapshot next =
        without({{"slurm", {{"25.11.1", {c}}, {"25.11.2", {d}}}}, {"other", {{"1", {c}}}}});
    EXPECT_THAT(verdict(next), HasSubstr("no more")) << "nobody has said so";
    x_retired = {c};
    EXPECT_THAT(verdict(next), HasSubstr("slurm 25.11.2 no more")) << "of that one nobody has";
    x_retired = {c, d};
    EXPECT_EQ(verdict(next), "");
    // The newest stays, by its number and not by its letters, and so does each build of it.
    x_retired = {c, d, e, f};
    EXPECT_THAT(verdict(without({{"slurm", {{"25.11.10", {e, f}}}}})),
                HasSubstr("the newest slurm, 25.11.10, cannot be retired"));
    EXPECT_THAT(verdict(without({{"slurm", {{"25.11.10", {e}}}}})), HasSubstr("no more"));
    EXPECT_FALSE(cache::remove_builds(
        x_before,
        [&](const cache::Ref& ref) -> base::Result<std::string> { return x_nodes.at(ref.sha256); },
        {{"zlib", {{"1.3", {std::string(32, 'b')}}}}}));
    cache::Snapshot none = next;
    none.names.erase("zlib");
    x_retired.insert(std::string(32, 'b'));
    EXPECT_THAT(verdict(none), HasSubstr("names zlib no more"));
    // What is left is not changed on the occasion.
    const auto edited_too = edited(
        "slurm", "25.11.10",
        [](cache::VersionNode& node) { node.builds[0].identity = base::sha256("x"); }, next);
    EXPECT_THAT(verdict(edited_too), HasSubstr("something else"));
}

TEST_F(SnapshotRules, ABundleGoesWithItsVersionAlone) {
    using cache::BundlePart;
    x_before = after({build("slurm", "25.11.2", 'd')});
    for (const char* version : {"25.11.1", "25.11.2"})
        for (const BundlePart part : {BundlePart::archive, BundlePart::signature,
                                      BundlePart::sha256, BundlePart::sbom, BundlePart::provenance})
            x_before.files[cache::key_of(cache::BundleName{version, "bookworm", "amd64", part})
                               .value()] =
                hand_over(version + std::to_string(static_cast<int>(part)));
    x_retired = {std::string(32, 'c')};
    const auto change = cache::remove_builds(
        x_before,
        [&](const cache::Ref& ref) -> base::Result<std::string> { return x_nodes.at(ref.sha256); },
        {{"slurm", {{"25.11.1", x_retired}}}});
    ASSERT_TRUE(change) << change.error().text();
    EXPECT_EQ(change->gone.size(), 1U);
    for (const std::string& node : change->nodes) hand_over(node);
    cache::Snapshot next = x_before;
    next.names = change->names;
    ++next.serial;
    EXPECT_EQ(verdict(next), "") << "it may stay named";
    const auto drop = [](cache::Snapshot from, const std::string& version) {
        std::erase_if(from.files, [&](const auto& each) {
            return each.first.find(version) != std::string::npos;
        });
        return from;
    };
    EXPECT_EQ(verdict(drop(next, "25.11.1")), "");
    EXPECT_THAT(verdict(drop(next, "25.11.2")), HasSubstr("no more"));
    cache::Snapshot same = x_before;
    ++same.serial;
    EXPECT_THAT(verdict(drop(same, "25.11.1")), HasSubstr("no more")) << "the version is there";
}

TEST_F(SnapshotRules, AManifestOfSomethingElse) {
    const auto next = after({build("munge", "0.5", 'f')});
    EXPECT_EQ(verdict(next), "");
    const auto munge = [&](const std::function<void(cache::Build&)>& edit) {
        return verdict(edited(
            "munge", "0.5", [&](cache::VersionNode& node) { edit(node.builds[0]); }, next));
    };
    EXPECT_THAT(munge([](cache::Build& build) { build.hash = std::string(32, 'q'); }),
                HasSubstr("than its manifest"));
    EXPECT_THAT(munge([](cache::Build& build) { build.toolchain = "trixie"; }),
                HasSubstr("than its manifest"));
    EXPECT_THAT(munge([](cache::Build& build) { build.target = "x86_64_v4"; }),
                HasSubstr("than its manifest"));
    EXPECT_THAT(munge([](cache::Build& build) { build.added = 99; }),
                HasSubstr("than its manifest"));
    EXPECT_THAT(munge([](cache::Build& build) { build.manifest.size += 1; }),
                HasSubstr("neither signed nor verified"));
    // A node of one package as that of another.
    cache::Snapshot swapped = next;
    swapped.names["munge"] = x_next.names.at("zlib");
    EXPECT_THAT(verdict(swapped), HasSubstr("is that of zlib"));
}

TEST_F(SnapshotRules, NodesThatWereNotHandedOver) {
    cache::Snapshot next = x_next;
    next.names["munge"] = {base::sha256("x"), 10};
    EXPECT_THAT(verdict(next), HasSubstr("not handed over"));
    next = x_next;
    next.names["zlib"].size += 1;
    EXPECT_THAT(verdict(next), HasSubstr("not handed over"));
}

TEST_F(SnapshotRules, BundlesAreVouchedForAndAliasesAreTheNewest) {
    using cache::BundlePart;
    const auto bundle = [&](const std::string& version) {
        cache::NamedBundle named{version, "bookworm", "amd64", {}};
        for (const BundlePart part : {BundlePart::archive, BundlePart::signature,
                                      BundlePart::sha256, BundlePart::sbom, BundlePart::provenance})
            named.parts[part] = hand_over(version + std::to_string(static_cast<int>(part)));
        return named;
    };
    const cache::NamedBundle two = bundle("25.11.2");
    cache::Snapshot next = x_next;
    ASSERT_TRUE(cache::add_bundle(next, two));
    EXPECT_THAT(verdict(next), HasSubstr("nobody has signed how"));
    const auto vouch = [&](const cache::NamedBundle& named) {
        x_known.bundles[named.parts.at(BundlePart::archive).sha256] = {
            "slurm-" + named.version + "-bookworm-amd64-software.tar.gz",
            named.parts.at(BundlePart::sbom).sha256};
    };
    vouch(two);
    // What was vouched for under the name of another version is not this one.
    x_known.bundles.begin()->second.file = "slurm-25.11.1-bookworm-amd64-software.tar.gz";
    EXPECT_THAT(verdict(next), HasSubstr("nobody has signed how"));
    vouch(two);
    EXPECT_EQ(verdict(next), "");
    // Another file beside it.
    cache::Snapshot other = next;
    const std::string sums =
        cache::key_of(cache::BundleName{"25.11.2", "bookworm", "amd64", BundlePart::sha256})
            .value();
    other.files[sums].sha256 = base::sha256("x");
    EXPECT_THAT(verdict(other), HasSubstr("not handed over"));
    other = next;
    other.files["bookworm/slurm/25.11/v3/layout.json"] = hand_over("{}");
    EXPECT_NE(verdict(other), "");
    // What is published stays, and the alias never goes back.
    x_before = next;
    const cache::NamedBundle three = bundle("25.11.3");
    vouch(three);
    cache::Snapshot newer = after({});
    ASSERT_TRUE(cache::add_bundle(newer, three));
    EXPECT_EQ(verdict(newer), "");
    other = newer;
    const std::string alias = cache::key_of(cache::BundleAliasName{"25.11", "bookworm"}).value();
    other.files[alias] = hand_over("something else");
    EXPECT_THAT(verdict(other), HasSubstr("not the newest"));
    other = newer;
    other.files[sums] = hand_over("something else");
    EXPECT_THAT(verdict(other), HasSubstr("with other bytes"));
    other = newer;
    other.files.erase(sums);
    EXPECT_THAT(verdict(other), HasSubstr("no more"));
    x_before = newer;
    other = after({});
    other.files[alias] = two.parts.at(BundlePart::archive);
    EXPECT_THAT(verdict(other), HasSubstr("not the newest"));
}

}  // namespace
}  // namespace sf::publish
