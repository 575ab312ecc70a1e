// SPDX-License-Identifier: Apache-2.0
// The HTTP client against a server that lies, stalls and breaks (security.md: V01, G1). Every case
// ends with the right content or one clean error, within its deadline.
#include "net/http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/stop.hpp"
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

const std::string content = [] {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += std::to_string(i) + "\n";
    return text;
}();

HttpOptions quick() {
    HttpOptions options;
    options.connect_timeout = milliseconds(1000);
    options.low_speed_time = std::chrono::seconds(1);
    options.deadline = milliseconds(8000);
    options.first_pause = milliseconds(5);
    options.longest_pause = milliseconds(100);
    return options;
}

Request request_for(const std::string& url, std::optional<std::uint64_t> length = {}) {
    Request request;
    request.url = Url::parse(url).value();
    request.length = length;
    return request;
}

class Http : public testing::Test {
protected:
    // Whatever proxy the machine has, the loopback is not behind it.
    void SetUp() override { ::setenv("no_proxy", "*", 1); }

    base::Result<Response> get(const std::string& url, std::optional<std::uint64_t> length = {}) {
        return x_client.get(request_for(url, length), x_body);
    }
    void expect_error(const std::string& url, Code code, const std::string& words,
                      std::optional<std::uint64_t> length = {}) {
        const auto start = std::chrono::steady_clock::now();
        const auto result = get(url, length);
        ASSERT_FALSE(result) << "for: " << words;
        EXPECT_EQ(result.error().code, code) << result.error().text();
        EXPECT_THAT(result.error().text(), HasSubstr(words));
        EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(9000));
    }

    HttpClient x_client{quick()};
    TextReceiver x_body;
};

TEST_F(Http, GetsAFile) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "ETag: \"1\"\r\nContent-Type: text/plain\r\n", content));
    });
    const auto response = get(server.url());
    ASSERT_TRUE(response) << response.error().text();
    EXPECT_EQ(x_body.take(), content);
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->length, content.size());
    EXPECT_EQ(response->etag, "\"1\"");
    EXPECT_EQ(response->content_type, "text/plain");
    const auto seen = server.seen();
    EXPECT_THAT(seen[0].text, Not(HasSubstr("Accept-Encoding")));
    EXPECT_THAT(seen[0].text, Not(HasSubstr("Cookie")));
    EXPECT_THAT(seen[0].text, HasSubstr("User-Agent: slurm-factory"));
}

TEST_F(Http, ResetsAtEveryFiftiethAreResumed) {
    for (std::size_t part = 0; part < 50; ++part) {
        const std::size_t cut = content.size() * part / 50;
        RawServer server([&](const RawServer::Request& request, Connection& to) {
            const std::size_t from = request.range();
            const std::string rest = content.substr(from);
            const std::string head =
                from == 0 ? "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: " +
                                std::to_string(content.size()) + "\r\n\r\n"
                          : "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Range: bytes " +
                                std::to_string(from) + "-" + std::to_string(content.size() - 1) +
                                "/" + std::to_string(content.size()) +
                                "\r\nContent-Length: " + std::to_string(rest.size()) + "\r\n\r\n";
            to.send(head);
            if (request.number == 1) {
                to.send(content.substr(0, cut));
                std::this_thread::sleep_for(milliseconds(2));
                to.reset();
                return;
            }
            to.send(rest);
        });
        TextReceiver body;
        const auto response = x_client.get(request_for(server.url(), content.size()), body);
        ASSERT_TRUE(response) << response.error().text();
        ASSERT_EQ(body.take(), content);
        EXPECT_EQ(server.requests(), 2);
        const std::string range = server.seen()[1].field("Range");
        if (!range.empty()) EXPECT_EQ(server.seen()[1].field("If-Range"), "\"e\"");
    }
}

TEST_F(Http, AStallIsGivenUp) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
        to.stall(milliseconds(20'000));
    });
    HttpOptions options = quick();
    options.attempts = 2;
    HttpClient client(options);
    const auto result = client.get(request_for(server.url()), x_body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::unreachable);
    EXPECT_EQ(server.requests(), 2);
}

TEST_F(Http, AServerThatSaysNothingIsGivenUp) {
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.stall(milliseconds(20'000)); });
    HttpOptions options = quick();
    options.deadline = milliseconds(1500);
    HttpClient client(options);
    const auto start = std::chrono::steady_clock::now();
    const auto result = client.get(request_for(server.url()), x_body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::unreachable);
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(4000));
}

TEST_F(Http, OneByteASecondIsTooSlow) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        for (int i = 0; i < 100; ++i) {
            if (!to.send("x")) return;
            to.stall(milliseconds(500));
        }
    });
    HttpOptions options = quick();
    options.attempts = 1;
    HttpClient client(options);
    const auto result = client.get(request_for(server.url()), x_body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::unreachable);
}

TEST_F(Http, WrongLengthsAreCorrupt) {
    RawServer longer(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "123456")); });
    expect_error(longer.url(), Code::corrupt, "6 bytes, but 5 belong there", 5);
    EXPECT_EQ(longer.requests(), 1);

    RawServer endless([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\n\r\n");
        while (to.sent() < (64U << 20) && to.send(std::string(65536, 'x'))) {
        }
        EXPECT_LT(to.sent(), 32U << 20);
    });
    expect_error(endless.url(), Code::corrupt, "too long", 5);
    EXPECT_EQ(endless.requests(), 1);

    RawServer twice([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456");
    });
    expect_error(twice.url(), Code::corrupt, "");

    RawServer nonsense([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n12345");
    });
    expect_error(nonsense.url(), Code::corrupt, "");

    RawServer shorter(
        [](const RawServer::Request&, Connection& to) { to.send("HTTP/1.1 200 OK\r\n\r\n123"); });
    expect_error(shorter.url(), Code::corrupt, "cut short: 3 of 5 bytes (5 attempts)", 5);
    EXPECT_EQ(shorter.requests(), 5);

    RawServer cut([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n123");
    });
    expect_error(cut.url(), Code::corrupt, "cut short");
    EXPECT_EQ(cut.requests(), 5);
}

TEST_F(Http, TheSameLengthTwiceIsAccepted) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345");
    });
    ASSERT_TRUE(get(server.url(), 5));
    EXPECT_EQ(x_body.take(), "12345");
}

TEST_F(Http, ABodyOverTheLimitIsStopped) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x'));
    });
    const auto text = x_client.get_text(Url::parse(server.url()).value(), 1000);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::corrupt);
}

TEST_F(Http, ChunkedBodiesAndTheirLies) {
    RawServer good([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n");
    });
    ASSERT_TRUE(get(good.url(), 5));
    EXPECT_EQ(x_body.take(), "12345");
    RawServer lies([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n12345\r\n0\r\n\r\n");
    });
    EXPECT_FALSE(get(lies.url(), 5));
    RawServer open_end([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    });
    EXPECT_FALSE(get(open_end.url()));
    RawServer huge([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx");
    });
    EXPECT_FALSE(get(huge.url()));
}

TEST_F(Http, AWrongRangeStartsOver) {
    for (const char* range : {"bytes 0-4/10", "bytes 6-9/10", "bytes 5-9/11", "bytes 5-20/10",
                              "bytes */10", "lines 5-9/10", ""}) {
        RawServer server([&](const RawServer::Request& request, Connection& to) {
            if (request.range() == 0) {
                to.send(answer("200 OK", "", "0123456789"));
                return;
            }
            const std::string field =
                *range == '\0' ? "" : "Content-Range: " + std::string(range) + "\r\n";
            to.send(answer("206 Partial Content", field, "XXXXX"));
        });
        Request request = request_for(server.url(), 10);
        request.offset = 5;
        TextReceiver body;
        const auto result = x_client.get(request, body);
        ASSERT_TRUE(result) << range << ": " << result.error().text();
        EXPECT_EQ(body.take(), "0123456789") << range;
        EXPECT_EQ(server.requests(), 2) << range;
    }
}

TEST_F(Http, AServerThatIgnoresRangesStartsOver) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "", "0123456789"));
    });
    Request request = request_for(server.url(), 10);
    request.offset = 5;
    ASSERT_TRUE(x_client.get(request, x_body));
    EXPECT_EQ(x_body.take(), "0123456789");
}

TEST_F(Http, A416StartsOver) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        to.send(request.range() == 0 ? answer("200 OK", "", "0123456789")
                                     : answer("416 Range Not Satisfiable", "", ""));
    });
    Request request = request_for(server.url());
    request.offset = 500;
    ASSERT_TRUE(x_client.get(request, x_body));
    EXPECT_EQ(x_body.take(), "0123456789");
    RawServer always([](const RawServer::Request&, Connection& to) {
        to.send(answer("416 Range Not Satisfiable", "", ""));
    });
    expect_error(always.url(), Code::corrupt, "another range");
}

TEST_F(Http, AnEtagThatChangesOnResumeStartsOver) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        if (request.number == 1) {
            to.send("HTTP/1.1 200 OK\r\nETag: \"old\"\r\nContent-Length: 10\r\n\r\n01234");
            return;
        }
        // Ignores If-Range, as a lying server would.
        if (request.range() == 5) {
            to.send(answer("206 Partial Content",
                           "ETag: \"new\"\r\nContent-Range: bytes 5-9/10\r\n", "fghij"));
            return;
        }
        to.send(answer("200 OK", "ETag: \"new\"\r\n", "abcdefghij"));
    });
    ASSERT_TRUE(get(server.url(), 10));
    EXPECT_EQ(x_body.take(), "abcdefghij");
    EXPECT_EQ(server.requests(), 3);
}

TEST_F(Http, A206NobodyAskedForIsRefused) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("206 Partial Content", "Content-Range: bytes 5-9/10\r\n", "56789"));
    });
    expect_error(server.url(), Code::corrupt, "another range", 10);
    EXPECT_EQ(x_body.take(), "");
}

TEST_F(Http, StatusesAreToldApart) {
    struct Case {
        const char* status;
        Code code;
        int requests;
    };
    const Case cases[] = {
        {"404 Not Found", Code::absent, 1},        {"410 Gone", Code::absent, 1},
        {"401 Unauthorized", Code::refused, 1},    {"403 Forbidden", Code::refused, 1},
        {"407 Proxy", Code::refused, 1},           {"400 Bad Request", Code::refused, 1},
        {"451 Legal", Code::refused, 1},           {"408 Request Timeout", Code::unreachable, 5},
        {"429 Too Many", Code::unreachable, 5},    {"500 Error", Code::unreachable, 5},
        {"501 Not", Code::unreachable, 1},         {"502 Bad", Code::unreachable, 5},
        {"503 Unavailable", Code::unreachable, 5}, {"504 Timeout", Code::unreachable, 5},
        {"204 No Content", Code::failed, 1},       {"304 Not Modified", Code::failed, 1},
        {"300 Choices", Code::failed, 1},
    };
    for (const Case& each : cases) {
        RawServer server([&](const RawServer::Request&, Connection& to) {
            to.send(answer(each.status, "Retry-After: 1\r\n", ""));
        });
        const auto result = get(server.url());
        ASSERT_FALSE(result) << each.status;
        EXPECT_EQ(result.error().code, each.code) << each.status << result.error().text();
        EXPECT_EQ(server.requests(), each.requests) << each.status;
        EXPECT_THAT(result.error().text(), HasSubstr(std::string(each.status).substr(0, 3)));
    }
}

TEST_F(Http, WhoIsNotLetInIsToldOfUserAndPassword) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("403 Forbidden", "", ""));
    });
    auto result = get(server.url());
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().hint, HasSubstr("https://USER:PASSWORD@HOST/"));
    const std::string address = server.url();
    const std::size_t host = address.find("://") + 3;
    result = get(address.substr(0, host) + "anna:secret@" + address.substr(host));
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().hint, HasSubstr("whether the user and the password"));
    EXPECT_THAT(result.error().text() + result.error().hint, Not(HasSubstr("secret")));
}

TEST_F(Http, A503IsTriedAgainAfterTheTimeItAsksFor) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        to.send(request.number < 3 ? answer("503 Service Unavailable", "Retry-After: 1\r\n", "busy")
                                   : answer("200 OK", "", "here"));
    });
    HttpOptions options = quick();
    options.longest_pause = milliseconds(400);  // shorter than what is asked: bounded
    HttpClient client(options);
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(client.get(request_for(server.url()), x_body));
    EXPECT_EQ(x_body.take(), "here");
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(780));
}

TEST_F(Http, ConditionalRequests) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        to.send(request.field("If-None-Match") == "\"1\"" ? answer("304 Not Modified", "", "")
                                                          : answer("200 OK", "", "new"));
    });
    Request request = request_for(server.url());
    request.headers = {"If-None-Match: \"1\""};
    const auto result = x_client.get(request, x_body);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 304);
}

TEST_F(Http, ACaptivePortalIsNotTheFile) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "Content-Type: text/html\r\n", "<html>Please log in</html>"));
    });
    expect_error(server.url(), Code::corrupt, "HTML page", 1000);
    EXPECT_EQ(server.requests(), 1);
}

TEST_F(Http, ContentEncodingIsNeitherAskedForNorUndone) {
    const std::string squeezed("\x1f\x8b\x08\x00raw", 7);
    RawServer server([&](const RawServer::Request&, Connection& to) {
        to.send(answer("200 OK", "Content-Encoding: gzip\r\n", squeezed));
    });
    ASSERT_TRUE(get(server.url(), 7));
    EXPECT_EQ(x_body.take(), squeezed);
}

TEST_F(Http, AHugeHeadIsRefused) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        std::string head = "HTTP/1.1 200 OK\r\n";
        while (head.size() < (1U << 20)) head += "X-Filler: " + std::string(1000, 'x') + "\r\n";
        to.send(head + "Content-Length: 1\r\n\r\nx");
    });
    expect_error(server.url(), Code::corrupt, "too long");
}

TEST_F(Http, OtherProtocolsAreRefused) {
    RawServer ancient([](const RawServer::Request&, Connection& to) { to.send("just text\n"); });
    expect_error(ancient.url(), Code::corrupt, "");
    RawServer silent([](const RawServer::Request&, Connection&) {});
    expect_error(silent.url(), Code::unreachable, "");
    const auto file = get("file:///etc/passwd");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::usage);
}

TEST_F(Http, RedirectsAreFollowed) {
    RawServer target(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "there")); });
    RawServer server([&](const RawServer::Request& request, Connection& to) {
        if (request.path == "/file") {
            to.send(answer("302 Found", "Location: /next\r\n", "<html>moved</html>"));
        } else {
            to.send(answer("307 Temporary", "Location: " + target.url() + "\r\n", ""));
        }
    });
    const auto result = get(server.url(), 5);
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_EQ(x_body.take(), "there");
    EXPECT_EQ(result->address, target.url());
}

TEST_F(Http, CredentialsStayWithTheirOrigin) {
    RawServer target(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", "there")); });
    RawServer server([&](const RawServer::Request& request, Connection& to) {
        if (request.path == "/file") {
            to.send(answer("302 Found", "Location: /same\r\n", ""));
        } else {
            to.send(answer("302 Found", "Location: " + target.url() + "\r\n", ""));
        }
    });
    Request request =
        request_for("http://user:geheim%21@127.0.0.1:" + std::to_string(server.port()) + "/file");
    request.headers = {"Authorization-Token: streng-geheim"};
    const auto result = x_client.get(request, x_body);
    ASSERT_TRUE(result) << result.error().text();
    for (const auto& seen : server.seen()) {
        EXPECT_EQ(seen.field("Authorization"), "Basic dXNlcjpnZWhlaW0h");
        EXPECT_EQ(seen.field("Authorization-Token"), "streng-geheim");
    }
    EXPECT_EQ(server.requests(), 2);
    EXPECT_THAT(target.seen()[0].text, Not(HasSubstr("Authorization")));
}

TEST_F(Http, BadRedirectsAreRefused) {
    const std::string bad[] = {"file:///etc/passwd",
                               "gopher://127.0.0.1/",
                               "http://user:pass@127.0.0.1/",
                               "http://127.0.0.1:1/\x01",
                               "http://127.0.0.1/" + std::string(9000, 'a'),
                               "http:\\\\127.0.0.1\\x",
                               "http://127.0.0.1:99999/",
                               "javascript:alert(1)"};
    for (const std::string& location : bad) {
        RawServer server([&](const RawServer::Request&, Connection& to) {
            to.send(answer("301 Moved", "Location: " + location + "\r\n", ""));
        });
        const auto result = get(server.url());
        ASSERT_FALSE(result) << location;
        EXPECT_THAT(result.error().text(), Not(HasSubstr("pass@")));
        EXPECT_EQ(result.error().text().find('\x01'), std::string::npos);
        EXPECT_LE(server.requests(), 5);
    }
    // %0d%0a stays what it is: two escapes in a path.
    RawServer encoded([](const RawServer::Request& request, Connection& to) {
        if (request.number == 1) {
            to.send(answer("301 Moved", "Location: /a%0d%0aX-Injected:%20y\r\n", ""));
        } else {
            to.send(answer("200 OK", "", "x"));
        }
    });
    ASSERT_TRUE(get(encoded.url()));
    EXPECT_EQ(encoded.seen()[1].path, "/a%0d%0aX-Injected:%20y");
    EXPECT_EQ(encoded.seen()[1].field("X-Injected"), "");
    RawServer nul([](const RawServer::Request&, Connection& to) {
        to.send(answer("301 Moved", std::string_view("Location: /a\0b\r\n", 16), ""));
    });
    EXPECT_FALSE(get(nul.url()));
}

TEST_F(Http, RedirectLoopsEnd) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send(answer("302 Found", "Location: /file\r\n", ""));
    });
    expect_error(server.url(), Code::refused, "more than 5 redirects");
    EXPECT_EQ(server.requests(), 6);
    RawServer nowhere(
        [](const RawServer::Request&, Connection& to) { to.send(answer("302 Found", "", "")); });
    expect_error(nowhere.url(), Code::refused, "redirect");
}

TEST_F(Http, NobodyThere) {
    int port = 0;
    {
        RawServer gone([](const RawServer::Request&, Connection&) {});
        port = gone.port();
    }
    const std::string url = "http://127.0.0.1:" + std::to_string(port) + "/x?token=geheim";
    expect_error(url, Code::unreachable, "(2 attempts)");
    // Asked again at once, it is not waited for.
    expect_error(url, Code::unreachable, "a moment ago");
    const auto result = get(url);
    EXPECT_THAT(result.error().text(), Not(HasSubstr("geheim")));
    expect_error("http://no-such-host.invalid/", Code::unreachable, "");
}

TEST_F(Http, PlainTextBehindHttpsIsNotTrusted) {
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.send("HTTP/1.1 200 OK\r\n\r\n"); });
    HttpOptions options = quick();
    options.attempts = 1;
    HttpClient client(options);
    // The server waits for the end of a request that never comes; the client, for a TLS hello.
    options.deadline = milliseconds(1500);
    HttpClient impatient(options);
    const auto result = impatient.get(
        request_for("https://127.0.0.1:" + std::to_string(server.port()) + "/"), x_body);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::unreachable);
}

TEST_F(Http, AReceiverThatFailsEndsIt) {
    class Full : public Receiver {
    public:
        base::Status begin(std::uint64_t) override { return {}; }
        base::Status write(base::Bytes) override {
            return base::fail(Code::exhausted, "no space left on device");
        }
    };
    RawServer server(
        [](const RawServer::Request&, Connection& to) { to.send(answer("200 OK", "", content)); });
    Full full;
    const auto result = x_client.get(request_for(server.url()), full);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::exhausted);
    EXPECT_EQ(server.requests(), 1);
}

TEST_F(Http, AStopRequestEndsIt) {
    RawServer server([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
        to.stall(milliseconds(20'000));
    });
    HttpOptions options = quick();
    options.low_speed_time = std::chrono::seconds(30);
    HttpClient client(options);
    std::thread stopper([] {
        std::this_thread::sleep_for(milliseconds(200));
        base::request_stop(15);
    });
    const auto start = std::chrono::steady_clock::now();
    const auto result = client.get(request_for(server.url()), x_body);
    stopper.join();
    base::clear_stop();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::interrupted);
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(2000));
}

TEST_F(Http, HeadAsksWithoutTheBody) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        EXPECT_TRUE(request.is_head());
        to.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    });
    const auto result = x_client.head(request_for(server.url(), 1000));
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_EQ(result->length, 1000U);
    const auto other = x_client.head(request_for(server.url(), 999));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Code::corrupt);
}

TEST_F(Http, HeadFallsBackToTheFirstByte) {
    for (const bool ranges : {true, false}) {
        RawServer server([&](const RawServer::Request& request, Connection& to) {
            if (request.is_head()) {
                to.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            } else if (ranges) {
                to.send(answer(
                    "206 Partial Content",
                    "Content-Range: bytes 0-0/" + std::to_string(content.size()) + "\r\n", "0"));
            } else {
                to.send(answer("200 OK", "", content));
            }
        });
        const auto result = x_client.head(request_for(server.url(), content.size()));
        ASSERT_TRUE(result) << result.error().text();
        EXPECT_EQ(result->length, content.size());
        EXPECT_EQ(server.seen()[1].field("Range"), "bytes=0-0");
    }
    RawServer absent([](const RawServer::Request&, Connection& to) {
        to.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    });
    const auto result = x_client.head(request_for(absent.url()));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::absent);
}

TEST_F(Http, ManyAtOnceWithThirtyPercentFailing) {
    RawServer server([](const RawServer::Request& request, Connection& to) {
        const int dice = request.number * 37 % 100;
        const std::size_t from = request.range();
        if (dice < 10) {
            to.send(answer("503 Service Unavailable", "", ""));
        } else if (from > 0) {
            to.send(answer("206 Partial Content",
                           "Content-Range: bytes " + std::to_string(from) + "-" +
                               std::to_string(content.size() - 1) + "/" +
                               std::to_string(content.size()) + "\r\n",
                           content.substr(from)));
        } else if (dice < 20) {
            to.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(content.size()) +
                    "\r\n\r\n" + content.substr(0, 50'000));
        } else if (dice < 30) {
            to.reset();
        } else {
            to.send(answer("200 OK", "", content));
        }
    });
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                TextReceiver body;
                const auto result = x_client.get(request_for(server.url(), content.size()), body);
                if (result) {
                    ASSERT_EQ(body.take(), content);
                    ++good;
                }
            }
        });
    }
    for (std::thread& each : threads) each.join();
    EXPECT_GE(good, 195);
}

}  // namespace
}  // namespace sf::net
