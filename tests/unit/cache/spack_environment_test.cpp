// SPDX-License-Identifier: Apache-2.0
// The two files of a Spack environment, as real Spacks took them (tools/spack-interop.sh), and the
// addresses that may stand in them.
#include "cache/spack_environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/files.hpp"
#include "base/json.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SpackSpec example() {
    return spack_spec_from_json(base::read_file(SF_GOLDEN "/cache/slurm.spec.json").value())
        .value();
}

SpackEnvironment made_of(const SpackSpec& spec) {
    return spack_environment({&spec, "https://example.org/slurm cache", "bookworm",
                              "0123456789ABCDEF0123456789ABCDEF01234567"})
        .value();
}

void is_golden(const std::string& text, const std::string& name) {
    const base::fs::path golden = base::fs::path(SF_GOLDEN) / "cache" / name;
    if (std::getenv("SF_UPDATE_GOLDEN") != nullptr) {
        ASSERT_TRUE(base::write_file(golden, text));
    }
    EXPECT_EQ(text, base::read_file(golden).value());
}

TEST(SpackEnvironment, IsTheTextsThatSpackTook) {
    const SpackSpec spec = example();
    const SpackEnvironment made = made_of(spec);
    is_golden(made.yaml, "environment.spack.yaml");
    is_golden(made.lock, "environment.spack.lock");
}

// Spack solves again, unless the lock's roots are the environment's.
TEST(SpackEnvironment, TheLockIsOfTheSpecsThatStandInIt) {
    const SpackSpec spec = example();
    const SpackEnvironment made = made_of(spec);
    const base::Json lock = base::parse_json(made.lock).value();
    ASSERT_EQ(lock.at("roots").size(), 1U);
    const base::Json& root = lock.at("roots").at(0);
    EXPECT_EQ(root.at("hash"), spec.root().hash);
    EXPECT_THAT(made.yaml, HasSubstr("  - " + root.at("spec").dump() + "\n"));
    ASSERT_EQ(lock.at("concrete_specs").size(), spec.nodes.size());
    for (const SpackNode& node : spec.nodes) {
        const base::Json& held = lock.at("concrete_specs").at(node.hash);
        EXPECT_EQ(node_from_json(held).value(), node) << "order and all: the hash says so";
    }
}

TEST(SpackEnvironment, ASeriesIsAMirrorOfItsOwn) {
    SpackSpec spec = example();
    spec.nodes.front().version = "24.11.7";
    spec.nodes.front() = seal(spec.nodes.front()).value();
    const SpackEnvironment made = made_of(spec);
    EXPECT_THAT(made.yaml, HasSubstr("slurm-factory-bookworm-24.11:\n"));
    EXPECT_THAT(made.yaml, HasSubstr("/bookworm/slurm/24.11\"\n"));
    EXPECT_THAT(made.yaml, HasSubstr("/bookworm/slurm/deps\"\n"));
    EXPECT_THAT(made.yaml, HasSubstr("slurm@=24.11.7 target=x86_64_v3"));
}

TEST(SpackEnvironment, AToolchainThatCannotBeInANameIsRefused) {
    const SpackSpec spec = example();
    for (const char* toolchain : {"", "..", "book/worm", "book\nworm"}) {
        const auto made = spack_environment({&spec, "https://example.org", toolchain, "01"});
        ASSERT_FALSE(made) << toolchain;
        EXPECT_EQ(made.error().code, base::Code::refused) << toolchain;
    }
}

TEST(SpackAddress, IsWhatSpackTakes) {
    const auto address = [](std::string_view text) { return spack_address(text).value(); };
    EXPECT_EQ(address("/srv/slurm cache/"), "file:///srv/slurm%20cache");
    EXPECT_EQ(address("file:///srv/cache"), "file:///srv/cache");
    EXPECT_EQ(address("https://Example.org:8443/a/b//"), "https://example.org:8443/a/b");
    EXPECT_EQ(address("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    EXPECT_EQ(address("s3://bucket/prefix/"), "s3://bucket/prefix");
    EXPECT_THAT(address("cache"), ::testing::EndsWith("/cache"));
    EXPECT_THAT(address("cache"), ::testing::StartsWith("file:///"));
}

TEST(SpackAddress, HoldsNoSecret) {
    for (const char* text : {"https://me:secret@example.org/cache", "https://me@example.org/cache",
                             "s3://me:secret@bucket/prefix"}) {
        const auto made = spack_address(text);
        ASSERT_FALSE(made) << text;
        EXPECT_EQ(made.error().code, base::Code::usage) << text;
        EXPECT_THAT(made.error().message, Not(HasSubstr("secret")));
    }
    EXPECT_FALSE(spack_address("ftp://example.org/cache"));
    EXPECT_FALSE(spack_address("https://example.org/cache?token=secret"));
}

}  // namespace
}  // namespace sf::cache
