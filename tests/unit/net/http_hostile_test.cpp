// SPDX-License-Identifier: Apache-2.0
// More of a server that lies (security.md: G1; http_test.cpp has the first part): answers that are
// hardly HTTP, heads and bodies without an end, squeezed bodies, challenges, cookies, answers that
// nobody asked for. Whatever comes ends with the right content or with one clean error, soon, and
// never with more than belongs there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/process.hpp"
#include "net/http.hpp"
#include "net/retry.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::net {
namespace {

using base::Code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::answer;
using test::RawServer;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using Connection = RawServer::Connection;

// What each server here has, or pretends to have.
const std::string content = "12345";

HttpOptions quick() {
    HttpOptions options;
    options.connect_timeout = milliseconds(1000);
    options.low_speed_time = std::chrono::seconds(1);
    options.deadline = milliseconds(8000);
    options.attempts = 2;
    options.first_pause = milliseconds(5);
    options.longest_pause = milliseconds(50);
    return options;
}

// The most that was ever held of a body.
class Measured : public Receiver {
public:
    base::Status begin(std::uint64_t offset) override {
        x_text.resize(std::min<std::size_t>(x_text.size(), offset));
        return {};
    }
    base::Status write(base::Bytes bytes) override {
        for (const std::byte each : bytes) x_text += static_cast<char>(each);
        x_most = std::max(x_most, x_text.size());
        return {};
    }
    [[nodiscard]] const std::string& text() const { return x_text; }
    [[nodiscard]] std::size_t most() const { return x_most; }

private:
    std::string x_text;
    std::size_t x_most = 0;
};

class HostileHttp : public testing::Test {
protected:
    // Whatever proxy the machine has, the loopback is not behind it.
    void SetUp() override { ::setenv("no_proxy", "*", 1); }

    static Request request_for(const std::string& url, std::optional<std::uint64_t> length = {}) {
        Request request;
        request.url = Url::parse(url).value();
        request.length = length;
        return request;
    }

    // The right content, or one clean error; soon. True: it was the content.
    bool right_or_said(const RawServer::Handler& handler) {
        RawServer server(handler);
        Measured body;
        const auto begin = steady_clock::now();
        const auto result = x_client.get(request_for(server.url(), content.size()), body);
        EXPECT_LT(steady_clock::now() - begin, milliseconds(6000));
        EXPECT_LE(server.requests(), 2);
        EXPECT_LE(body.most(), content.size());
        if (result) {
            EXPECT_EQ(body.text(), content);
            return true;
        }
        EXPECT_THAT(result.error().code, AnyOf(Code::corrupt, Code::unreachable, Code::refused,
                                               Code::absent, Code::failed));
        const std::string said = result.error().text() + result.error().hint;
        EXPECT_NE(result.error().message, "");
        EXPECT_TRUE(std::ranges::none_of(said, [](char c) {
            return static_cast<unsigned char>(c) < ' ';
        })) << said;
        return false;
    }
    bool right_or_said(const std::string& raw) {
        return right_or_said([&](const RawServer::Request&, Connection& to) { to.send(raw); });
    }

    HttpClient x_client{quick()};
};

std::string head_with(const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; }

TEST_F(HostileHttp, HeadsThatAreHardlyAny) {
    using std::string_literals::operator""s;
    const std::pair<const char*, std::string> cases[] = {
        {"nothing", ""},
        {"no reason", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n12345"},
        {"line feeds alone", "HTTP/1.1 200 OK\nContent-Length: 5\n\n12345"},
        {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"HTTP/2 as text", "HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"a version that is none", "HTTP/3.7 200 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"a status in words", "HTTP/1.1 okay\r\nContent-Length: 5\r\n\r\n12345"},
        {"status 0", "HTTP/1.1 000 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"status 999", "HTTP/1.1 999 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"a negative status", "HTTP/1.1 -200 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"the end of a head alone", "\r\n\r\n12345"},
        {"a status alone", "HTTP/1.1 200 OK\r\n"},
        {"a head without an end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"},
        {"a NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\n12345"s},
        {"a folded line", head_with("X: a\r\n b\r\nContent-Length: 5\r\n") + content},
        {"a folded length", head_with("Content-Length:\r\n 5\r\n") + content},
        {"a line without a colon", head_with("hello\r\nContent-Length: 5\r\n") + content},
        {"a space before the colon", head_with("Content-Length : 5\r\n") + content},
        {"a name without an end", head_with(std::string(5000, 'x') + "\r\n") + content},
        {"continue, and no more", "HTTP/1.1 100 Continue\r\n\r\n"},
        {"early hints, and no more", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"},
        {"another protocol from here on", "HTTP/1.1 101 Switching Protocols\r\n\r\n12345"},
        {"a body where there is none", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n12345"},
        {"a body of what is not changed",
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n12345"},
        {"many ranges",
         "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\n"
         "Content-Length: 5\r\n\r\n12345"},
        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n"},
        {"FTP", "220 ready\r\n"},
        {"RTSP", "RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"ICY", "ICY 200 OK\r\nContent-Length: 5\r\n\r\n12345"},
        {"TLS", "\x15\x03\x01\x00\x02\x02\x28"s},
    };
    for (const auto& [what, raw] : cases) {
        SCOPED_TRACE(what);
        right_or_said(raw);
    }
    // These mean something, and are understood.
    EXPECT_TRUE(right_or_said("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" +
                              head_with("Content-Length: 5\r\n") + content));
    EXPECT_TRUE(right_or_said(head_with("Content-Length: 5\r\nLocation: http://127.0.0.1:1/\r\n"
                                        "Refresh: 0; url=http://127.0.0.1:1/\r\n") +
                              content));
}

TEST_F(HostileHttp, LengthsThatAreNone) {
    const std::pair<const char*, std::string> cases[] = {
        {"negative", "Content-Length: -5\r\n"},
        {"with a sign", "Content-Length: +5\r\n"},
        {"in hexadecimal", "Content-Length: 0x5\r\n"},
        {"a fraction", "Content-Length: 5.0\r\n"},
        {"empty", "Content-Length: \r\n"},
        {"of more than 64 bits", "Content-Length: 18446744073709551621\r\n"},
        {"of more than 63 bits", "Content-Length: 9223372036854775813\r\n"},
        {"of a thousand digits", "Content-Length: " + std::string(1000, '9') + "\r\n"},
        {"three", "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 6\r\n"},
        {"two in one line", "Content-Length: 5, 6\r\n"},
        {"shorter, and in chunks", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"},
        {"a secret encoding", "Transfer-Encoding: secret\r\n"},
        {"a range that nobody asked for", "Content-Range: bytes 5-9/10\r\nContent-Length: 5\r\n"},
    };
    for (const auto& [what, fields] : cases) {
        SCOPED_TRACE(what);
        const bool chunked = fields.find("chunked") != std::string::npos;
        right_or_said(head_with(fields) + (chunked ? "5\r\n12345\r\n0\r\n\r\n" : content));
    }
    EXPECT_FALSE(right_or_said(head_with("Content-Length: -5\r\n") + content));
    EXPECT_FALSE(right_or_said(head_with("Content-Length: 5, 6\r\n") + content));
}

TEST_F(HostileHttp, ChunksThatLie) {
    const std::string chunked = head_with("Transfer-Encoding: chunked\r\n");
    const std::pair<const char*, std::string> cases[] = {
        {"of a negative size", chunked + "-5\r\n12345\r\n0\r\n\r\n"},
        {"of no size", chunked + "\r\n12345\r\n0\r\n\r\n"},
        {"longer than it says", chunked + "3\r\n12345\r\n0\r\n\r\n"},
        {"without its end", chunked + "5\r\n123450\r\n\r\n"},
        {"of 64 bits", chunked + "ffffffffffffffff\r\n12345"},
        {"of a thousand digits", chunked + std::string(1000, '0') + "5\r\n12345\r\n0\r\n\r\n"},
        {"more than belongs there", chunked + "5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n"},
        {"twice chunked",
         head_with("Transfer-Encoding: chunked, chunked\r\n") + "5\r\n12345\r\n0\r\n\r\n"},
        {"of HTTP/1.0",
         "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"},
    };
    for (const auto& [what, raw] : cases) {
        SCOPED_TRACE(what);
        right_or_said(raw);
    }
    EXPECT_FALSE(right_or_said(chunked + "5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n"));
}

// Sends `first`, then `again` and again, until the client has gone or it is more than any limit.
RawServer::Handler endless(std::string first, std::string again) {
    return [first = std::move(first), again = std::move(again)](const RawServer::Request&,
                                                                Connection& to) {
        to.send(first);
        while (to.sent() < (64U << 20) && to.send(again)) {
        }
        // What the kernel keeps on the way counts as well.
        EXPECT_LT(to.sent(), 32U << 20);
    };
}

TEST_F(HostileHttp, HeadsWithoutAnEnd) {
    const std::pair<const char*, RawServer::Handler> cases[] = {
        {"answers for now", endless("", "HTTP/1.1 102 Processing\r\n\r\n")},
        {"early hints", endless("", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")},
        {"short fields", endless("HTTP/1.1 200 OK\r\n", "X: y\r\n")},
        {"one field", endless("HTTP/1.1 200 OK\r\nX: ", std::string(1000, 'y'))},
        {"one status", endless("HTTP/1.1 200 ", std::string(1000, 'y'))},
        {"trailers",
         endless(head_with("Transfer-Encoding: chunked\r\n") + "5\r\n12345\r\n0\r\n", "X: y\r\n")},
    };
    for (const auto& [what, handler] : cases) {
        SCOPED_TRACE(what);
        EXPECT_FALSE(right_or_said(handler));
    }
}

TEST_F(HostileHttp, AHeadByteByByteIsTooSlow) {
    EXPECT_FALSE(right_or_said([](const RawServer::Request&, Connection& to) {
        for (const char each : head_with("Content-Length: 5\r\n") + content) {
            if (!to.send(std::string(1, each))) return;
            to.stall(milliseconds(300));
        }
    }));
}

// A thousand times as much would come out of it.
TEST_F(HostileHttp, SqueezedBodiesAreNotOpened) {
    base::Command squeeze;
    squeeze.argv = {"/bin/sh", "-c", "head -c 100000000 /dev/zero | gzip -9"};
    const auto squeezed = base::run(squeeze);
    ASSERT_TRUE(squeezed) << squeezed.error().text();
    const std::string& bomb = squeezed->out;
    ASSERT_GT(bomb.size(), 10'000U);
    ASSERT_LT(bomb.size(), 200'000U);
    for (const char* fields :
         {"Content-Encoding: gzip\r\n", "Content-Encoding: gzip, gzip\r\n",
          "Content-Encoding: br\r\n", "Content-Encoding: zstd\r\n", "Content-Encoding: secret\r\n",
          "Content-Type: application/gzip\r\n", "Transfer-Encoding: gzip\r\n"}) {
        SCOPED_TRACE(fields);
        RawServer server([&](const RawServer::Request&, Connection& to) {
            to.send(answer("200 OK", fields, bomb));
        });
        Measured body;
        const auto result = x_client.get(request_for(server.url(), bomb.size()), body);
        EXPECT_LE(body.most(), bomb.size());
        // How it is sent, libcurl undoes by itself: more comes out than belongs there.
        const bool sent_so = std::string_view(fields).starts_with("Transfer");
        EXPECT_TRUE(result || sent_so) << result.error().text();
        if (result) {
            EXPECT_TRUE(body.text() == bomb);
        }
        EXPECT_THAT(server.seen()[0].text, Not(HasSubstr("Accept-Encoding")));
    }
}

TEST_F(HostileHttp, CookiesAreNotKept) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "Set-Cookie: who=you; Path=/\r\n", content));
    });
    for (int i = 0; i < 2; ++i) {
        Measured body;
        ASSERT_TRUE(x_client.get(request_for(server.url(), content.size()), body));
    }
    for (const auto& seen : server.seen()) EXPECT_THAT(seen.text, Not(HasSubstr("Cookie")));
}

TEST_F(HostileHttp, ChallengesAreNotAnswered) {
    for (const char* way :
         {"Basic realm=\"x\"", "Digest realm=\"x\", nonce=\"y\"", "NTLM", "Negotiate", "Bearer"}) {
        for (const char* status : {"401 Unauthorized", "407 Proxy Authentication Required"}) {
            SCOPED_TRACE(std::string(status) + ' ' + way);
            RawServer server([&](const RawServer::Request&, Connection& to) {
                to.send(answer(status,
                               std::string("WWW-Authenticate: ") + way +
                                   "\r\nProxy-Authenticate: " + way + "\r\n",
                               ""));
            });
            Measured body;
            const auto result = x_client.get(request_for(server.url(), content.size()), body);
            ASSERT_FALSE(result);
            EXPECT_EQ(result.error().code, Code::refused);
            EXPECT_EQ(server.requests(), 1);
            EXPECT_THAT(server.seen()[0].text, Not(HasSubstr("uthorization")));
        }
    }
}

// The same machine under another name is another origin.
TEST_F(HostileHttp, CredentialsStayWithTheirName) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        const std::string host = request.field("Host");
        if (host.starts_with("localhost")) {
            to.send(answer("200 OK", "", content));
            return;
        }
        const std::string port = host.substr(host.find(':'));
        to.send(answer("302 Found", "Location: http://localhost" + port + "/file\r\n", ""));
    });
    Request request = request_for(
        "http://user:geheim@127.0.0.1:" + std::to_string(server.port()) + "/file", content.size());
    request.headers = {"Authorization-Token: streng-geheim"};
    Measured body;
    const auto result = x_client.get(request, body);
    ASSERT_TRUE(result) << result.error().text();
    ASSERT_EQ(server.requests(), 2);
    EXPECT_THAT(server.seen()[0].text, HasSubstr("Authorization"));
    EXPECT_THAT(server.seen()[1].text, Not(HasSubstr("uthorization")));
    EXPECT_THAT(server.seen()[1].text, Not(HasSubstr("geheim")));
}

TEST_F(HostileHttp, TwoServersThatPointAtEachOtherEnd) {
    std::string first_url;
    RawServer second([&](const RawServer::Request&, Connection& to) {
        to.send(answer("302 Found", "Location: " + first_url + "\r\n", ""));
    });
    RawServer first([&](const RawServer::Request&, Connection& to) {
        to.send(answer("302 Found", "Location: " + second.url() + "\r\n", ""));
    });
    first_url = first.url();
    Measured body;
    const auto result = x_client.get(request_for(first.url(), content.size()), body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::refused);
    EXPECT_THAT(result.error().text(), HasSubstr("more than 5 redirects"));
    EXPECT_EQ(first.requests() + second.requests(), 6);
}

// Whatever is asked for, no pause is longer than ours may be.
TEST_F(HostileHttp, RetryAfterIsBounded) {
    for (const char* after :
         {"-5", "0", "31536000", "99999999999999999999", "9223372036854775807", "soon", "",
          "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"}) {
        SCOPED_TRACE(after);
        RawServer server([&](const RawServer::Request&, Connection& to) {
            to.send(answer("503 Service Unavailable", std::string("Retry-After: ") + after + "\r\n",
                           ""));
        });
        Measured body;
        const auto begin = steady_clock::now();
        const auto result = x_client.get(request_for(server.url(), content.size()), body);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Code::unreachable);
        EXPECT_EQ(server.requests(), 2);
        EXPECT_LT(steady_clock::now() - begin, milliseconds(2000));
    }
}

TEST_F(HostileHttp, PausesGrowAndAreNotTheSame) {
    constexpr milliseconds first(100), longest(1000);
    for (unsigned number = 1; number <= 20; ++number) {
        SCOPED_TRACE(number);
        const auto whole = milliseconds(100LL << std::min(number - 1, 10U));
        std::set<std::int64_t> drawn;
        for (int i = 0; i < 100; ++i) {
            const milliseconds pause = pause_before(number, first, longest, milliseconds(0));
            EXPECT_GE(pause, std::min(whole / 2, longest));
            EXPECT_LE(pause, std::min(whole + whole / 2, longest));
            drawn.insert(pause.count());
        }
        if (whole < longest) EXPECT_GT(drawn.size(), 5U);
    }
    EXPECT_EQ(pause_before(1, first, longest, milliseconds(700)), milliseconds(700));
    EXPECT_EQ(pause_before(1, first, longest, std::chrono::hours(24)), longest);
}

// What comes with an answer, behind it, is not the answer to the next request. (What comes later
// may be taken for one: it is the same server's word, and whoever asks compares digests.)
TEST_F(HostileHttp, WhatComesBehindAnAnswerIsNotTaken) {
    const std::string good = head_with("Content-Length: 5\r\n") + content;
    RawServer server([&](const RawServer::Request& request, Connection& to) {
        if (request.number > 1) {
            to.send(good);
            return;
        }
        to.send(good + head_with("Content-Length: 5\r\n") + "EVIL!");
        to.stall(milliseconds(2000));
    });
    for (int i = 0; i < 3; ++i) {
        Measured body;
        const auto result = x_client.get(request_for(server.url(), content.size()), body);
        ASSERT_TRUE(result) << result.error().text();
        EXPECT_EQ(body.text(), content);
    }
    EXPECT_EQ(server.requests(), 3);
}

}  // namespace
}  // namespace sf::net
