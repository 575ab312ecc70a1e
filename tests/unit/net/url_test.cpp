// SPDX-License-Identifier: Apache-2.0
#include "net/url.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sf::net {
namespace {

Url url(std::string_view text) {
    auto parsed = Url::parse(text);
    EXPECT_TRUE(parsed) << text;
    return *parsed;
}

TEST(Url, TakesAnAddressApart) {
    const Url all = url("HTTPS://user:pass@Host.Example:8443/a/b%20c?x=1#part");
    EXPECT_EQ(all.scheme(), "https");
    EXPECT_EQ(all.host(), "host.example");
    EXPECT_EQ(all.port(), 8443);
    EXPECT_EQ(all.path(), "/a/b%20c");
    EXPECT_EQ(all.file_name(), "b c");
    EXPECT_EQ(all.with_secrets(), "https://user:pass@host.example:8443/a/b%20c?x=1");
    EXPECT_EQ(url("http://h").path(), "/");
    EXPECT_EQ(url("http://h").port(), 80);
    EXPECT_EQ(url("https://h").port(), 443);
    EXPECT_EQ(url("http://[::1]:81/").host(), "[::1]");
    EXPECT_EQ(url("http://[::1]:81/").port(), 81);
    EXPECT_EQ(url("http://[::1]/").port(), 80);
    EXPECT_EQ(url("file:///a%20b").file_path().value(), "/a b");
    EXPECT_EQ(url("file://localhost/a").file_path().value(), "/a");
    EXPECT_FALSE(url("file:///a%00b").file_path());
}

TEST(Url, PrintsNoSecret) {
    EXPECT_EQ(url("https://user:pass@h/p?token=x").redacted(), "https://***@h/p?***");
    EXPECT_EQ(url("https://h/p").redacted(), "https://h/p");
    // An @ in the password stays on the secret side.
    EXPECT_EQ(url("https://u:p@ss@h/p").redacted(), "https://***@h/p");
    EXPECT_EQ(url("https://u:p@ss@h/p").host(), "h");
    for (const char* bad : {"https://user:geheim@h h/", "gopher://user:geheim@h/",
                            "https://user:geheim@/", "https://user:geheim@h:99999/"}) {
        const auto parsed = Url::parse(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().text().find("geheim"), std::string::npos);
    }
}

TEST(Url, RefusesWhatIsNoAddress) {
    for (const std::string_view bad : {std::string_view(""),
                                       std::string_view("h"),
                                       std::string_view("http:/h"),
                                       std::string_view("http://"),
                                       std::string_view("http:///p"),
                                       std::string_view("ftp://h/"),
                                       std::string_view("javascript://h/"),
                                       std::string_view("http://h/\r\nHost: x"),
                                       std::string_view("http://h/a b"),
                                       std::string_view("http://h/\0", 10),
                                       std::string_view("http://h\\@x/"),
                                       std::string_view("http://-h/"),
                                       std::string_view("http://h:0/"),
                                       std::string_view("http://h:-1/"),
                                       std::string_view("http://h:/"),
                                       std::string_view("http://h:8o/"),
                                       std::string_view("http://[::1/"),
                                       std::string_view("http://[]/"),
                                       std::string_view("http://h\xc3\xa4/"),
                                       std::string_view("file://host/p"),
                                       std::string_view("file:///p?q"),
                                       std::string_view("http://a/b@c:d e")}) {
        EXPECT_FALSE(Url::parse(bad)) << bad;
    }
    EXPECT_FALSE(Url::parse("http://h/" + std::string(9000, 'a')));
}

TEST(Url, ComparesOrigins) {
    EXPECT_TRUE(url("http://h/a").same_origin(url("http://H:80/b")));
    EXPECT_FALSE(url("http://h/").same_origin(url("https://h/")));
    EXPECT_FALSE(url("http://h/").same_origin(url("http://h:81/")));
    EXPECT_FALSE(url("http://h/").same_origin(url("http://h.x/")));
}

TEST(Url, Below) {
    EXPECT_EQ(url("http://u:p@h/a?q").below("b/c").with_secrets(), "http://u:p@h/a/b/c");
    EXPECT_EQ(url("http://h/a/").below("b").with_secrets(), "http://h/a/b");
    EXPECT_EQ(url("http://u:p@h/a").without_user().with_secrets(), "http://h/a");
    EXPECT_EQ(percent_encode("a+b c/d~1"), "a%2Bb%20c/d~1");
    EXPECT_EQ(percent_decode("a%2Bb%20c%zz%4"), "a+b c%zz%4");
}

TEST(Url, AnyBytesAreAnAddressOrNot) {
    std::mt19937 random(1);
    const std::string start = "https://user:pass@host.example:8443/a/b?x=1#y";
    for (int i = 0; i < 20'000; ++i) {
        std::string text = start;
        for (int changes = 0; changes < 4; ++changes) {
            text[random() % text.size()] = static_cast<char>(random());
            if (random() % 3 == 0) text.erase(random() % text.size(), 1);
        }
        const auto parsed = Url::parse(text);
        if (!parsed) continue;
        // What was taken apart once is the same when taken apart again.
        const auto again = Url::parse(parsed->with_secrets());
        ASSERT_TRUE(again) << text;
        EXPECT_EQ(again->host(), parsed->host());
        EXPECT_EQ(again->with_secrets(), parsed->with_secrets());
    }
}

}  // namespace
}  // namespace sf::net
