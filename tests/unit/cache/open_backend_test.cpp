// SPDX-License-Identifier: Apache-2.0
// Addresses of caches, as people write them.
#include "cache/open_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include "base/files.hpp"
#include "unit/cache/backend_probe.hpp"

namespace sf::cache {
namespace {

using base::Code;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string place_of(std::string_view address) {
    const auto backend = open_backend(address);
    return backend ? (*backend)->place() : "refused: " + backend.error().text();
}

TEST(OpenBackend, APathOrAFileAddressIsAFolder) {
    const std::string here = std::filesystem::current_path();
    EXPECT_EQ(place_of("/srv/cache"), "/srv/cache");
    EXPECT_EQ(place_of("/srv/cache//"), "/srv/cache");
    EXPECT_EQ(place_of("file:///srv/a%20cache"), "/srv/a cache");
    EXPECT_EQ(place_of("FILE:///srv/cache/"), "/srv/cache");
    EXPECT_EQ(place_of("file://localhost/srv/cache"), "/srv/cache");
    EXPECT_EQ(place_of("cache"), here + "/cache");
    EXPECT_EQ(place_of("a:b/c"), here + "/a:b/c");
    EXPECT_EQ(place_of("x/../y"), here + "/x/../y");
    EXPECT_EQ(place_of("/"), "/");
    EXPECT_EQ(place_of("/srv/\x1b[31m"), "/srv/\\x1b[31m");
}

TEST(OpenBackend, ARelativePathStaysWhereItWasWhenTheFolderChanges) {
    const base::TempDir folder = base::TempDir::create("/tmp", "sft-").value();
    const std::string before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    auto backend = open_backend("cache");
    std::filesystem::current_path(before);
    ASSERT_TRUE(backend);
    EXPECT_FALSE(base::exists(folder.path() / "cache")) << "nothing is made yet";
    ASSERT_TRUE(test::put(**backend, "k", "x"));
    EXPECT_EQ(*base::read_file(folder.path() / "cache/k"), "x");
    EXPECT_TRUE((*backend)->writable());
}

TEST(OpenBackend, AWebServerIsReadOnlyAndItsSecretsStayHidden) {
    EXPECT_EQ(place_of("https://example.org/cache"), "https://example.org/cache");
    EXPECT_EQ(place_of("HTTP://Example.org"), "http://example.org/");
    EXPECT_EQ(place_of("https://user:s3cret@example.org:8443/c"), "https://***@example.org:8443/c");
    EXPECT_FALSE((*open_backend("https://example.org/cache"))->writable());
}

TEST(OpenBackend, EverythingElseIsAnErrorOfUseThatSaysWhatThereIs) {
    for (const char* wrong :
         {"", "ftp://user:s3cret@example.org/x", "gopher://s3cret", "s3cret word://x", "://x",
          "https://user:s3cret@exa mple.org/", "https://user:s3cret@/x", "https://",
          "https://user:s3cret@example.org/c?token=s3cret", "http://example.org/?s3cret#x",
          "https:/user:s3cret@example.org", "https:user:s3cret@example.org", "s3:bucket",
          "file:/srv", "file://host/srv", "file:///a%00b", "s3://s3cret:s3cret@bucket/prefix",
          "S3://bucket", "https://user:s3cret@example.org:port/"}) {
        const auto backend = open_backend(wrong);
        ASSERT_FALSE(backend) << wrong;
        EXPECT_EQ(backend.error().code, Code::usage) << wrong;
        EXPECT_THAT(backend.error().text() + backend.error().hint, Not(HasSubstr("s3cret")));
    }
    EXPECT_EQ(open_backend(std::string_view("/srv\0/x", 7)).error().code, Code::usage);
    EXPECT_THAT(open_backend("ftp://x").error().text(),
                AllOf(HasSubstr("file://"), HasSubstr("https://"), HasSubstr("s3://"),
                      HasSubstr("ftp://")));
    EXPECT_EQ(open_backend("s3://bucket/prefix").value()->place(), "s3://bucket/prefix");
}

}  // namespace
}  // namespace sf::cache
