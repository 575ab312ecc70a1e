// SPDX-License-Identifier: Apache-2.0
// A cache behind a web server: what is asked, and what the answers become.
#include "cache/http_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "unit/cache/backend_probe.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::cache {
namespace {

using base::Code;
using std::chrono::milliseconds;
using test::answer;
using test::Kept;
using test::RawServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Connection = RawServer::Connection;
using Request = RawServer::Request;

net::HttpOptions quick() {
    net::HttpOptions options;
    options.connect_timeout = milliseconds(1000);
    options.deadline = milliseconds(8000);
    options.attempts = 3;
    options.first_pause = milliseconds(5);
    options.longest_pause = milliseconds(50);
    return options;
}

class HttpBackendTest : public ::testing::Test {
protected:
    // Whatever proxy the machine has, the loopback is not behind it.
    void SetUp() override { ::setenv("no_proxy", "*", 1); }

    static HttpBackend backend_of(const std::string& address) {
        return HttpBackend(net::Url::parse(address).value(), quick());
    }
    static HttpBackend backend_of(const RawServer& server) {
        return backend_of(server.url("/cache"));
    }
    // What get() says to an answer.
    static base::Result<Got> after(const std::string& text, GetOptions options, Kept& kept) {
        RawServer server([&](const Request&, Connection& to) { to.send(text); });
        return backend_of(server).get("k", options, kept);
    }
};

TEST_F(HttpBackendTest, GetsAnObjectBelowItsAddress) {
    RawServer server([](const Request&, Connection& to) {
        to.send(answer("200 OK", "ETag: \"e\"\r\n", "bytes"));
    });
    HttpBackend backend = backend_of(server);
    Kept kept;
    const auto got = backend.get("v3/a+b=c@d~e", {0, 5, 0, {}}, kept);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_FALSE(got->unchanged);
    EXPECT_EQ(got->object.key, "v3/a+b=c@d~e");
    EXPECT_EQ(got->object.size, 5U);
    EXPECT_EQ(got->object.etag, "\"e\"");
    EXPECT_EQ(kept.text, "bytes");
    EXPECT_EQ(server.seen()[0].path, "/cache/v3/a%2Bb%3Dc%40d~e");
    EXPECT_EQ(server.seen()[0].field("If-None-Match"), "");
    EXPECT_EQ(server.seen()[0].field("Range"), "");
}

TEST_F(HttpBackendTest, GoesOnWhereTheReceiverStands) {
    RawServer server([](const Request&, Connection& to) {
        to.send(answer("206 Partial Content", "Content-Range: bytes 4-9/10\r\n", "456789"));
    });
    HttpBackend backend = backend_of(server);
    Kept kept;
    kept.text = "0123";
    const auto got = backend.get("k", {4, 10, 0, {}}, kept);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(kept.text, "0123456789");
    EXPECT_THAT(kept.begins, ElementsAre(4U));
    EXPECT_EQ(got->object.size, 10U);
    EXPECT_EQ(server.seen()[0].field("Range"), "bytes=4-");
}

TEST_F(HttpBackendTest, AServerThatCannotGoOnStartsAgain) {
    Kept kept;
    kept.text = "xxxx";
    const auto got = after(answer("200 OK", "", "0123456789"), {4, 10, 0, {}}, kept);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(kept.text, "0123456789");
    EXPECT_THAT(kept.begins, ElementsAre(0U));
}

TEST_F(HttpBackendTest, ACutConnectionIsResumed) {
    const std::string content(300'000, 'x');
    RawServer server([&](const Request& request, Connection& to) {
        const std::size_t from = request.range();
        if (from == 0) {
            to.send("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 300000\r\n\r\n");
            to.send(content.substr(0, 100'000));
            std::this_thread::sleep_for(milliseconds(20));
            to.reset();
            return;
        }
        to.send(answer(
            "206 Partial Content",
            "ETag: \"e\"\r\nContent-Range: bytes " + std::to_string(from) + "-299999/300000\r\n",
            content.substr(from)));
    });
    HttpBackend backend = backend_of(server);
    Kept kept;
    const auto got = backend.get("k", {0, 300'000, 0, {}}, kept);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(kept.text, content);
    EXPECT_EQ(got->object.size, content.size());
    EXPECT_EQ(server.requests(), 2);
}

TEST_F(HttpBackendTest, UnchangedBringsNothing) {
    RawServer server([](const Request& request, Connection& to) {
        if (request.field("If-None-Match") == "\"e\"")
            to.send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\nETag: \"e\"\r\n\r\n");
        else
            to.send(answer("200 OK", "ETag: \"f\"\r\n", "new"));
    });
    HttpBackend backend = backend_of(server);
    Kept kept;
    auto got = backend.get("k", {0, 5, 0, "\"e\""}, kept);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_TRUE(got->unchanged);
    EXPECT_EQ(got->object.etag, "\"e\"");
    EXPECT_THAT(kept.begins, IsEmpty());
    got = backend.get("k", {0, {}, 10, "\"d\""}, kept);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_FALSE(got->unchanged);
    EXPECT_EQ(got->object.etag, "\"f\"");
    EXPECT_EQ(kept.text, "new");
}

// A spoilt record cannot become a header line, nor a condition that everything fulfils.
TEST_F(HttpBackendTest, WhatIsNoEtagIsNotSent) {
    RawServer server([](const Request&, Connection& to) { to.send(answer("200 OK", "", "x")); });
    HttpBackend backend = backend_of(server);
    int sent = 0;
    for (const char* wrong : {"*", "e", "\"", "\"e", "\"a\"b\"", "\"a\r\nX: y\"", "\"e\", *",
                              "\"a b\"", "w/\"e\"", "W/e"}) {
        Kept kept;
        EXPECT_TRUE(backend.get("k", {0, 1, 0, wrong}, kept));
        EXPECT_THAT(server.seen()[static_cast<std::size_t>(sent++)].text,
                    Not(HasSubstr("If-None-Match")))
            << wrong;
    }
    Kept kept;
    EXPECT_TRUE(backend.get("k", {0, 1, 0, "W/\"e\""}, kept));
    EXPECT_EQ(server.seen().back().field("If-None-Match"), "W/\"e\"");
}

// A 304 that nobody asked for is not "unchanged".
TEST_F(HttpBackendTest, AnUnaskedNotModifiedIsAnError) {
    Kept kept;
    EXPECT_FALSE(
        after("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", {0, {}, 10, {}}, kept));
}

TEST_F(HttpBackendTest, AbsentUnreachableCorruptAndRefusedAreFourAnswers) {
    const auto code_after = [](const std::string& text, GetOptions options) {
        Kept kept;
        const auto got = after(text, options, kept);
        EXPECT_FALSE(got) << text;
        if (!got) EXPECT_THAT(got.error().text(), HasSubstr("/cache/k"));
        return got ? Code::failed : got.error().code;
    };
    EXPECT_EQ(code_after(answer("404 Not Found", "", ""), {0, {}, 10, {}}), Code::absent);
    EXPECT_EQ(code_after(answer("410 Gone", "", ""), {0, {}, 10, {}}), Code::absent);
    EXPECT_EQ(code_after(answer("403 Forbidden", "", ""), {0, {}, 10, {}}), Code::refused);
    EXPECT_EQ(code_after(answer("503 Unavailable", "", ""), {0, {}, 10, {}}), Code::unreachable);
    EXPECT_EQ(code_after(answer("200 OK", "", "12345"), {0, 4, 0, {}}), Code::corrupt);
    EXPECT_EQ(code_after(answer("200 OK", "", "12345"), {0, 6, 0, {}}), Code::corrupt);
    EXPECT_EQ(code_after(answer("200 OK", "", "12345"), {0, {}, 4, {}}), Code::corrupt);
    EXPECT_EQ(code_after("HTTP/1.0 200 OK\r\n\r\n12345", {0, {}, 4, {}}), Code::corrupt);
    EXPECT_EQ(code_after("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234", {0, 9, 0, {}}),
              Code::corrupt);
    HttpBackend nobody = backend_of("http://127.0.0.1:9/");
    Kept kept;
    EXPECT_EQ(nobody.get("k", {0, {}, 10, {}}, kept).error().code, Code::unreachable);
}

TEST_F(HttpBackendTest, LooksWithoutReading) {
    RawServer server([](const Request& request, Connection& to) {
        EXPECT_TRUE(request.is_head());
        if (request.path == "/cache/absent")
            to.send(answer("404 Not Found", "", ""));
        else if (request.path == "/cache/endless")
            to.send("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        else if (request.path == "/cache/closed")
            to.send(answer("401 Unauthorized", "", ""));
        else
            to.send(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\nETag: \"e\"\r\n\r\n");
    });
    HttpBackend backend = backend_of(server);
    const auto there = backend.look("there");
    ASSERT_TRUE(there && *there);
    EXPECT_EQ((*there)->key, "there");
    EXPECT_EQ((*there)->size, 7U);
    EXPECT_EQ((*there)->etag, "\"e\"");
    const auto absent = backend.look("absent");
    ASSERT_TRUE(absent);
    EXPECT_FALSE(*absent);
    EXPECT_EQ(backend.look("endless").error().code, Code::corrupt);
    EXPECT_EQ(backend.look("closed").error().code, Code::refused);
}

TEST_F(HttpBackendTest, WritesAndListsNothingAndSaysWhatToDo) {
    HttpBackend backend = backend_of("https://user:secret@example.org/cache");
    EXPECT_FALSE(backend.writable());
    EXPECT_FALSE(*backend.keeps_conditions());
    EXPECT_EQ(backend.place(), "https://***@example.org/cache");
    const auto refused = [](const base::Error& error) {
        EXPECT_EQ(error.code, Code::refused);
        EXPECT_THAT(error.text(), HasSubstr("only read"));
        EXPECT_THAT(error.text(), HasSubstr("https://***@example.org/cache"));
        EXPECT_THAT(error.hint, HasSubstr("folder"));
        EXPECT_THAT(error.hint, HasSubstr("s3://"));
    };
    refused(backend.list("", [](const ObjectInfo&) { return base::Status(); }).error());
    refused(test::put(backend, "k", "x").error());
    refused(backend.remove("k").error());
}

TEST_F(HttpBackendTest, NamesThatAreNoKeysAreNotAsked) {
    RawServer server([](const Request&, Connection& to) { to.send(answer("200 OK", "", "x")); });
    HttpBackend backend = backend_of(server);
    for (const char* key : {"../x", "/x", "", "a?b", "a#b", "a%2e", "a b"}) {
        Kept kept;
        EXPECT_EQ(backend.get(key, {0, 1, 0, {}}, kept).error().code, Code::refused) << key;
        EXPECT_EQ(backend.look(key).error().code, Code::refused) << key;
    }
    EXPECT_EQ(server.requests(), 0);
}

TEST_F(HttpBackendTest, SecretsGoToTheServerAndIntoNoMessage) {
    RawServer server([](const Request&, Connection& to) {
        to.send(answer("500 Internal Server Error", "", ""));
    });
    HttpBackend backend =
        backend_of("http://user:s3cret@127.0.0.1:" + std::to_string(server.port()) + "/c");
    Kept kept;
    const auto got = backend.get("k", {0, 1, 0, {}}, kept);
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error().text() + got.error().hint, Not(HasSubstr("s3cret")));
    EXPECT_EQ(server.seen()[0].field("Authorization"), "Basic dXNlcjpzM2NyZXQ=");
}

}  // namespace
}  // namespace sf::cache
