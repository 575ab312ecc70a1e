// SPDX-License-Identifier: Apache-2.0
// Names of objects: what may be one.
#include "cache/backend.hpp"

#include <gtest/gtest.h>

namespace sf::cache {
namespace {

TEST(Key, NamesAnObjectAndNothingElse) {
    for (const char* good :
         {"v3/layout.json", "a", "_sf/snapshot.json", ".nojekyll",
          "v3/manifests/spec/slurm/slurm-25.11.2-abc.spec.manifest.json", "sources/sha256/ab/abcd"})
        EXPECT_TRUE(check_key(good)) << good;
    for (const char* bad : {"", "/a", "a/", "a//b", ".", "a/../b", "..", "a/./b", "-a", "a/-b",
                            "a b", "a\\b", "a%2e", "a\nb", "\xc3\xa4", "a?b", "a#b"}) {
        const auto status = check_key(bad);
        ASSERT_FALSE(status) << bad;
        EXPECT_EQ(status.error().code, base::Code::refused);
    }
    EXPECT_TRUE(check_key(std::string(1024, 'a')));
    EXPECT_FALSE(check_key(std::string(1025, 'a')));
    EXPECT_FALSE(check_key(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace sf::cache
