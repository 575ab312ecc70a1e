// SPDX-License-Identifier: Apache-2.0
// One request with something to send: PUT, POST and DELETE, whole bodies, also where libcurl has to
// start over by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "net/exchange_body.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::net {
namespace {

using base::Code;
using std::chrono::milliseconds;
using test::answer;
using test::RawServer;
using testing::HasSubstr;
using testing::Not;
using Connection = RawServer::Connection;

class Answer : public ExchangeReceiver {
public:
    base::Result<bool> head(const ExchangeHead&) override { return true; }
    base::Status body(base::Bytes bytes) override {
        for (const std::byte each : bytes) x_text += static_cast<char>(each);
        return {};
    }
    [[nodiscard]] const std::string& text() const { return x_text; }

private:
    std::string x_text;
};

class Exchanges : public testing::Test {
protected:
    void SetUp() override { ::setenv("no_proxy", "*", 1); }
    void TearDown() override { base::clear_stop(); }

    ExchangeResult run(const RawServer& server, const std::string& method, ExchangeBody* body) {
        return x_pool.run(request(server, method, body), x_answer);
    }
    static ExchangeRequest request(const RawServer& server, const std::string& method,
                                   ExchangeBody* body) {
        return {.url = Url::parse(server.url()).value(),
                .head = false,
                .range = {},
                .user = {},
                .headers = {"Content-Type: text/plain"},
                .connect_timeout = milliseconds(1000),
                .deadline = milliseconds(8000),
                .low_speed_bytes = 1,
                .low_speed_time = std::chrono::seconds(5),
                .ca_file = {},
                .user_agent = "test",
                .method = method,
                .body = body};
    }

    ExchangePool x_pool;
    Answer x_answer;
};

const std::string content = [] {
    std::string text;
    while (text.size() < 3'000'000) text += std::to_string(text.size()) + "\n";
    return text;
}();

TEST_F(Exchanges, PutsAPartOfAFile) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "ETag: \"1\"\r\n", "thanks"));
    });
    const auto folder = base::TempDir::create("/tmp", "sft-").value();
    ASSERT_TRUE(base::write_file(folder.path() / "file", content));
    const base::Fd file = base::open_file(folder.path() / "file", O_RDONLY).value();
    FileBody body(file.get(), 1000, 2'000'000);
    const auto result = run(server, "PUT", &body);
    EXPECT_EQ(result.trouble, Trouble::none) << result.message;
    EXPECT_EQ(result.head.status, 200);
    EXPECT_EQ(x_answer.text(), "thanks");
    const auto seen = server.seen();
    EXPECT_EQ(seen[0].method(), "PUT");
    EXPECT_EQ(seen[0].field("Content-Length"), "2000000");
    EXPECT_THAT(seen[0].text, Not(HasSubstr("Transfer-Encoding")));
    EXPECT_EQ(seen[0].body, content.substr(1000, 2'000'000));
}

TEST_F(Exchanges, PostsText) {
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "done")); });
    TextBody body("<a/>");
    EXPECT_EQ(run(server, "POST", &body).head.status, 200);
    EXPECT_EQ(run(server, "POST", nullptr).head.status, 200);
    const auto seen = server.seen();
    EXPECT_EQ(seen[0].method(), "POST");
    EXPECT_EQ(seen[0].body, "<a/>");
    EXPECT_EQ(seen[0].field("Content-Type"), "text/plain");
    EXPECT_EQ(seen[1].field("Content-Length"), "0");
}

TEST_F(Exchanges, PutsNothingAndDeletes) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    });
    EXPECT_EQ(run(server, "PUT", nullptr).head.status, 204);
    EXPECT_EQ(run(server, "DELETE", nullptr).head.status, 204);
    EXPECT_EQ(run(server, "", nullptr).head.status, 204);
    const auto seen = server.seen();
    EXPECT_EQ(seen[0].field("Content-Length"), "0");
    EXPECT_EQ(seen[1].method(), "DELETE");
    EXPECT_EQ(seen[1].field("Content-Length"), "");
    EXPECT_EQ(seen[2].method(), "GET") << "the handle remembers the last method";
}

// A connection that was kept, and is closed by the server as the next request comes: libcurl asks
// again by itself, and the body has to begin at its beginning.
TEST_F(Exchanges, ABodyIsSentAgainFromItsBeginning) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        if (request.number == 1) to.stall(milliseconds(5000));
    });
    TextBody body(content);
    ASSERT_EQ(run(server, "PUT", &body).head.status, 200);
    const auto result = run(server, "PUT", &body);
    EXPECT_EQ(result.trouble, Trouble::none) << result.message;
    ASSERT_EQ(server.requests(), 2);
    EXPECT_TRUE(server.seen()[1].body == content);
}

TEST_F(Exchanges, AFileThatBecameShorterIsNoBody) {
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "")); });
    const auto folder = base::TempDir::create("/tmp", "sft-").value();
    ASSERT_TRUE(base::write_file(folder.path() / "file", "short"));
    const base::Fd file = base::open_file(folder.path() / "file", O_RDONLY).value();
    FileBody body(file.get(), 0, 10);
    const auto result = run(server, "PUT", &body);
    EXPECT_EQ(result.trouble, Trouble::receiver);
    ASSERT_TRUE(result.failure);
    EXPECT_EQ(result.failure->code, Code::corrupt);
    EXPECT_EQ(server.requests(), 0) << "half a body was taken for a whole one";
}

TEST_F(Exchanges, TidyingUpIsDoneThoughAStopWasRequested) {
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "")); });
    base::request_stop(SIGINT);
    EXPECT_EQ(run(server, "DELETE", nullptr).trouble, Trouble::interrupted);
    ExchangeRequest tidy = request(server, "DELETE", nullptr);
    tidy.though_stopped = true;
    EXPECT_EQ(x_pool.run(tidy, x_answer).head.status, 200);
}

TEST_F(Exchanges, WhatIsDirectKnowsNoProxy) {
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "")); });
    ::unsetenv("no_proxy");
    ::setenv("http_proxy", "http://127.0.0.1:9", 1);
    EXPECT_EQ(run(server, "", nullptr).trouble, Trouble::connect);
    ExchangeRequest direct = request(server, "", nullptr);
    direct.direct = true;
    EXPECT_EQ(x_pool.run(direct, x_answer).head.status, 200);
    ::unsetenv("http_proxy");
}

}  // namespace
}  // namespace sf::net
