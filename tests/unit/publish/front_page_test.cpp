// SPDX-License-Identifier: Apache-2.0
#include "publish/front_page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "cache/file_backend.hpp"
#include "cache/objects.hpp"

namespace sf::publish {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string fingerprint(40, 'A');

class FrontPages : public ::testing::Test {
protected:
    FrontPages()
        : x_folder(base::TempDir::create("/tmp", "sft-").value()),
          x_place(x_folder.path() / "cache") {
        x_request.public_key = "a public key\n";
        x_request.primary = fingerprint;
        x_request.mirrors = {{"bookworm", ""}, {"bookworm", "25.11"}, {"noble", "25.11"}};
    }
    void put(const std::string& key, const std::string& text) {
        ASSERT_TRUE(cache::put_text(x_place, key, text, "text/plain"));
    }
    [[nodiscard]] std::string page() {
        return cache::read_object(x_place, "index.html", 1 << 20).value().value().text;
    }

    base::TempDir x_folder;
    cache::FileBackend x_place;
    FrontPageRequest x_request;
};

TEST_F(FrontPages, SayWhatIsThere) {
    put("bookworm/slurm/25.11/_sf/snapshot.json", "x");
    put("bookworm/slurm/deps/_sf/snapshot.json", "x");
    for (const char* version : {"25.11.9", "25.11.10"})
        put(fmt::format("builds/{0}/bookworm/amd64/slurm-{0}-bookworm-amd64-software.tar.gz",
                        version),
            std::string(2048, 'x'));
    put("builds/25.11/bookworm/slurm-25.11-bookworm-software.tar.gz", "x");
    EXPECT_GT(put_front_page(x_place, x_request).value(), 0U);
    const std::string text = page();
    EXPECT_THAT(text, HasSubstr("<code class=\"key\">" + fingerprint));
    EXPECT_THAT(text, HasSubstr("href=\"./keys/" + fingerprint + ".asc\""));
    EXPECT_THAT(text, HasSubstr("href=\"./builds/25.11/bookworm/"
                                "slurm-25.11-bookworm-software.tar.gz\""));
    EXPECT_THAT(text, HasSubstr("gpg --verify slurm-25.11-bookworm-software.tar.gz.asc "
                                "slurm-25.11-bookworm-software.tar.gz"));
    EXPECT_THAT(text, HasSubstr("-software.tar.gz.intoto.jsonl\""));
    EXPECT_THAT(text, HasSubstr("2.0 KiB"));
    EXPECT_THAT(text, HasSubstr("install slurm@25.11 --toolchain bookworm --cache CACHE"));
    EXPECT_THAT(text, HasSubstr("spack install --cache-only slurm@25.11"));
    EXPECT_THAT(text, HasSubstr("CACHE/bookworm/slurm/deps"));
    EXPECT_THAT(text, Not(HasSubstr("noble")));
    EXPECT_LT(text.find(">25.11.10<"), text.find(">25.11.9<"));  // the newest first
    EXPECT_EQ(cache::read_object(x_place, "keys/" + fingerprint + ".asc", 100).value()->text,
              "a public key\n");
    // Again: the same.
    EXPECT_EQ(put_front_page(x_place, x_request).value(), 0U);
    EXPECT_EQ(page(), text);
    // A key whose expiry was moved is put in the place of the old one.
    x_request.public_key = "the key, prolonged\n";
    EXPECT_EQ(put_front_page(x_place, x_request).value(), x_request.public_key.size());
}

// Whoever can write to the place can put any name there, but not into the page.
TEST_F(FrontPages, NamesThatAreNoneOfOursAreLeftOut) {
    put("builds/25.11/x/y@+~=.html", "x");
    put("keys/scriptalert.asc", "x");
    put("builds/25.11.2/bookworm/amd64/slurm-25.11.3-bookworm-amd64-software.tar.gz", "x");
    ASSERT_TRUE(put_front_page(x_place, x_request));
    EXPECT_THAT(page(), Not(HasSubstr("y@+")));
    EXPECT_THAT(page(), Not(HasSubstr("alert")));
    EXPECT_THAT(page(), Not(HasSubstr("25.11.3")));
    EXPECT_THAT(page(), Not(HasSubstr("<script")));
}

TEST_F(FrontPages, NothingOddGetsIntoThePage) {
    PlaceContents contents;
    contents.keys = {"<script>"};
    EXPECT_FALSE(front_page(contents));
    contents.keys = {};
    contents.mirrors = {{"book\"worm", "25.11"}};
    EXPECT_FALSE(front_page(contents));
    contents.mirrors = {};
    contents.aliases = {{"25.11", "a&b"}};
    EXPECT_FALSE(front_page(contents));
}

// What was put there instead of a page, however large, does not stay.
TEST_F(FrontPages, ReplaceWhatIsNone) {
    put("index.html", "<script>");
    ASSERT_TRUE(put_front_page(x_place, x_request));
    EXPECT_THAT(page(), Not(HasSubstr("<script")));
    put("index.html", std::string(17U << 20, 'x'));
    ASSERT_TRUE(put_front_page(x_place, x_request));
    EXPECT_THAT(page(), HasSubstr("<h1>Slurm packages</h1>"));
}

TEST_F(FrontPages, APublisherThatDiesLeavesTheOldPage) {
    put("index.html", "old");
    for (const char* end : {"key", "page"}) {
        x_request.on_step = [&](std::string_view step) -> base::Status {
            if (step == end) return base::fail(base::Code::interrupted, "here");
            return {};
        };
        EXPECT_FALSE(put_front_page(x_place, x_request));
        EXPECT_EQ(page(), "old");
    }
}

}  // namespace
}  // namespace sf::publish
