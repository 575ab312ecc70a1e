// SPDX-License-Identifier: Apache-2.0
#include "cache/bundle_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sf::cache {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

NamedBundle bundle(const std::string& version, const std::string& salt = "",
                   const std::string& architecture = "amd64") {
    NamedBundle one{version, "bookworm", architecture, {}};
    for (const BundlePart part : {BundlePart::archive, BundlePart::signature, BundlePart::sha256,
                                  BundlePart::sbom, BundlePart::provenance}) {
        const std::string content = version + salt + std::to_string(static_cast<int>(part));
        one.parts[part] = {base::sha256(content), content.size()};
    }
    return one;
}

const std::string alias = "builds/25.11/bookworm/slurm-25.11-bookworm-software.tar.gz";

TEST(BundleFiles, AreNamedWithTheAliasOfTheNewest) {
    Snapshot snapshot;
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.9")).value());
    EXPECT_THAT(snapshot.files, SizeIs(7));
    EXPECT_EQ(snapshot.files.at(alias), bundle("25.11.9").parts.at(BundlePart::archive));
    EXPECT_EQ(snapshot.files.at(alias + ".asc"), bundle("25.11.9").parts.at(BundlePart::signature));
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.10")).value());
    EXPECT_EQ(snapshot.files.at(alias), bundle("25.11.10").parts.at(BundlePart::archive));
    // Never back.
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.2")).value());
    EXPECT_EQ(snapshot.files.at(alias), bundle("25.11.10").parts.at(BundlePart::archive));
    EXPECT_EQ(newest_bundle(snapshot).value()->version, "25.11.10");
    EXPECT_EQ(find_bundle(snapshot, "25.11.2", "bookworm", "amd64").value()->parts,
              bundle("25.11.2").parts);
    EXPECT_FALSE(find_bundle(snapshot, "25.11.3", "bookworm", "amd64").value());
}

TEST(BundleFiles, TheSameAgainChangesNothing) {
    Snapshot snapshot;
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.2")).value());
    const auto before = snapshot.files;
    EXPECT_FALSE(add_bundle(snapshot, bundle("25.11.2")).value());
    EXPECT_EQ(snapshot.files, before);
}

TEST(BundleFiles, NeverChange) {
    Snapshot snapshot;
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.2")).value());
    const auto refused = add_bundle(snapshot, bundle("25.11.2", "other"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Code::refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("is published already, with other bytes"));
}

// Aliases do not name the architecture.
TEST(BundleFiles, AnotherArchitectureHasNoAlias) {
    Snapshot snapshot;
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.3", "", "arm64")).value());
    EXPECT_THAT(snapshot.files, SizeIs(5));
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.2")).value());
    EXPECT_EQ(newest_bundle(snapshot).value()->version, "25.11.2");
}

TEST(BundleFiles, HalfABundleIsNone) {
    Snapshot snapshot;
    EXPECT_TRUE(add_bundle(snapshot, bundle("25.11.2")).value());
    snapshot.files.erase(
        "builds/25.11.2/bookworm/amd64/slurm-25.11.2-bookworm-amd64-software.tar.gz.sha256");
    EXPECT_EQ(find_bundle(snapshot, "25.11.2", "bookworm", "amd64").error().code,
              base::Code::corrupt);
}

}  // namespace
}  // namespace sf::cache
