// SPDX-License-Identifier: Apache-2.0
// The index of a cache: what is found in it, what a change writes, and that nothing else does.
#include "cache/package_index.hpp"

#include <gmock/gmock.h>

#include <map>

#include "base/text.hpp"
#include "cache/gzip_text.hpp"

namespace sf::cache {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A cache in memory: nodes by digest, and how many bytes were read and written.
class PackageIndexTest : public ::testing::Test {
protected:
    Snapshot snapshot;
    std::map<base::Digest, std::string> nodes;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    ReadNode read = [this](const Ref& ref) -> base::Result<std::string> {
        const auto known = nodes.find(ref.sha256);
        if (known == nodes.end()) return base::fail(base::Code::absent, "no such node");
        bytes_read += known->second.size();
        return known->second;
    };

    static std::string hash_of(std::string_view text) {
        return base::sha256(text).base32().substr(0, 32);
    }
    static NewBuild build(const std::string& name, const std::string& version,
                          const std::string& seed, const std::string& toolchain = "noble") {
        const std::string all = name + version + seed;
        return {name, version,
                Build{hash_of(all),
                      toolchain,
                      "x86_64_v3",
                      base::sha256(all),
                      {base::sha256("manifest of " + all), 1500},
                      0}};
    }
    base::Result<bool> publish(const std::vector<NewBuild>& builds) {
        SF_TRY(const IndexChange change, add_builds(snapshot, read, builds));
        for (const std::string& text : change.nodes) {
            bytes_written += text.size();
            nodes[base::sha256(text)] = text;
        }
        snapshot.names = change.names;
        ++snapshot.serial;
        return change.changed;
    }
    [[nodiscard]] PackageIndex index() const { return {snapshot, read}; }
};

TEST_F(PackageIndexTest, FindsWhatWasPublished) {
    const NewBuild one = build("slurm", "25.11.2", "a");
    const NewBuild two = build("slurm", "25.11.2", "b", "bookworm");
    ASSERT_TRUE(publish({one, build("munge", "0.5.18", "")}).value());
    ASSERT_TRUE(publish({two, build("slurm", "24.11.5", "")}).value());
    EXPECT_THAT(index().versions("slurm").value(), ElementsAre("24.11.5", "25.11.2"));
    const auto builds = index().builds("slurm", "25.11.2").value();
    ASSERT_THAT(builds, SizeIs(2));
    EXPECT_LT(builds[0].hash, builds[1].hash);
    EXPECT_TRUE(builds[0].hash == one.build.hash || builds[1].hash == one.build.hash);
    // The later one says so.
    for (const Build& each : builds) EXPECT_EQ(each.added, each.hash == one.build.hash ? 1U : 2U);
    EXPECT_THAT(index().versions("zlib").value(), IsEmpty());
    EXPECT_THAT(index().builds("slurm", "25.11.3").value(), IsEmpty());
    EXPECT_THAT(index().builds("zlib", "1").value(), IsEmpty());
}

TEST_F(PackageIndexTest, TheSameAgainChangesNothing) {
    const std::vector<NewBuild> builds{build("slurm", "25.11.2", "a"), build("munge", "1", "")};
    ASSERT_TRUE(publish(builds).value());
    const auto names = snapshot.names;
    const auto change = add_builds(snapshot, read, builds).value();
    EXPECT_FALSE(change.changed);
    EXPECT_THAT(change.nodes, IsEmpty());
    EXPECT_EQ(change.names, names);
}

TEST_F(PackageIndexTest, WhatWasPublishedNeverChanges) {
    ASSERT_TRUE(publish({build("slurm", "25.11.2", "a")}).value());
    NewBuild other = build("slurm", "25.11.2", "a");
    other.build.identity = base::sha256("something else");
    const auto refused = publish({build("munge", "1", ""), other});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("with another identity"));
    other = build("slurm", "25.11.2", "a");
    other.build.manifest.size = 1;
    EXPECT_THAT(publish({other}).error().text(), HasSubstr("with another manifest"));
    EXPECT_THAT(index().versions("munge").value(), IsEmpty());
    // But a manifest that was lost, and signed anew.
    other.renewed = true;
    ASSERT_TRUE(publish({other}).value());
    EXPECT_EQ(index().builds("slurm", "25.11.2").value()[0].manifest.size, 1U);
    other.build.identity = base::sha256("something else");
    EXPECT_FALSE(publish({other}));
}

TEST_F(PackageIndexTest, OrderDoesNotMatter) {
    std::vector<NewBuild> builds;
    for (int i = 0; i < 20; ++i)
        builds.push_back(
            build("p" + std::to_string(i % 3), std::to_string(i % 4), std::to_string(i)));
    ASSERT_TRUE(publish(builds).value());
    const auto names = snapshot.names;
    snapshot = {};
    std::ranges::reverse(builds);
    for (const NewBuild& each : builds) {
        snapshot.serial = 0;
        ASSERT_TRUE(publish({each}).value());
    }
    EXPECT_EQ(snapshot.names, names);
}

TEST_F(PackageIndexTest, NoOtherBytesAreBelieved) {
    ASSERT_TRUE(publish({build("slurm", "25.11.2", "a"), build("munge", "1", "")}).value());
    auto& text = nodes.at(snapshot.names.at("slurm").sha256);
    const std::string good = text;
    for (std::size_t i = 0; i < good.size(); ++i) {
        text = good;
        text[i] = static_cast<char>(text[i] ^ 1);
        EXPECT_EQ(index().versions("slurm").error().code, base::Code::corrupt);
    }
    text = good + ' ';
    EXPECT_FALSE(index().versions("slurm"));
    text = good;
    // A signed node of another package under this name: whoever signed it was wrong.
    snapshot.names["slurm"] = snapshot.names["munge"];
    EXPECT_THAT(index().versions("slurm").error().text(), HasSubstr("is that of munge"));
    snapshot.names["slurm"].size = max_index_node + 1;
    EXPECT_THAT(index().versions("slurm").error().text(), HasSubstr("too large"));
}

TEST_F(PackageIndexTest, ReadersAreTotal) {
    ASSERT_TRUE(publish({build("slurm", "25.11.2", "a"), build("slurm", "25.11.2", "b")}).value());
    for (const auto& [digest, packed] : nodes) {
        const std::string text = gunzip(packed, max_index_node).value();
        for (std::size_t i = 0; i < text.size(); ++i) {
            EXPECT_FALSE(name_node_from_json(text.substr(0, i)));
            EXPECT_FALSE(version_node_from_json(text.substr(0, i)));
            std::string bent = text;
            bent[i] = static_cast<char>(bent[i] ^ 0x15);
            if (const auto node = name_node_from_json(bent)) EXPECT_EQ(to_json(*node), bent);
            if (const auto node = version_node_from_json(bent)) EXPECT_EQ(to_json(*node), bent);
        }
    }
    VersionNode twice{"slurm", "1", {build("slurm", "1", "").build, build("slurm", "1", "").build}};
    EXPECT_FALSE(to_json(twice));
    twice.builds.pop_back();
    twice.builds[0].hash[3] = '1';
    EXPECT_FALSE(to_json(twice));
}

// Of ten thousand packages, one costs two small nodes beside the snapshot, to find and to add.
TEST_F(PackageIndexTest, StaysSmallInALargeCache) {
    std::vector<NewBuild> builds;
    for (int i = 0; i < 10'000; ++i)
        builds.push_back(build("package-" + std::to_string(i % 50),
                               "1." + std::to_string(i / 50 % 20), std::to_string(i)));
    ASSERT_TRUE(publish(builds).value());
    snapshot.repository = "00112233445566778899aabbccddeeff";
    snapshot.mirror = "noble/slurm/deps";
    snapshot.serial = 1;
    snapshot.expires = 1;
    EXPECT_LT(to_text(snapshot).value().size(), 8'000U);
    bytes_read = bytes_written = 0;
    ASSERT_THAT(index().builds("package-7", "1.3").value(), SizeIs(10));
    EXPECT_LT(bytes_read, 3'500U);
    ASSERT_TRUE(publish({build("package-7", "1.3", "new")}).value());
    EXPECT_LT(bytes_written, 4'000U);
}

}  // namespace
}  // namespace sf::cache
