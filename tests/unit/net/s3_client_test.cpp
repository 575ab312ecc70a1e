// SPDX-License-Identifier: Apache-2.0
// Objects in a bucket of a server in memory that checks signatures, and does what real servers do
// on a bad day. Against a real one: tests/e2e/s3.sh.
#include "net/s3_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "net/s3_checksum.hpp"
#include "unit/net/fake_s3.hpp"

namespace sf::net {
namespace {

using base::Code;
using std::chrono::milliseconds;
using test::answer;
using test::FakeS3;
using test::FixedKeys;
using test::RawServer;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Request = RawServer::Request;

class S3 : public testing::Test {
protected:
    S3() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {}
    void SetUp() override { ::setenv("no_proxy", "*", 1); }
    void TearDown() override { base::clear_stop(); }

    void start(FakeS3::Hook hook = {}, FakeS3::Flaws flaws = {}) {
        x_fake = std::make_unique<FakeS3>(flaws, std::move(hook));
        x_client = client("bucket", FakeS3::keys());
    }
    std::unique_ptr<S3Client> client(const std::string& bucket, const S3Credentials& keys) {
        S3Options options;
        options.bucket = bucket;
        options.endpoint = x_fake->endpoint();
        options.http.first_pause = milliseconds(2);
        options.http.longest_pause = milliseconds(20);
        options.http.deadline = milliseconds(8000);
        options.multipart_above = 1000;
        options.part_size = 300;
        options.conditional_multipart_above = x_conditional_multipart_above;
        options.checksums = x_checksums;
        options.now = [this] { return x_now; };
        x_keys = std::make_shared<FixedKeys>(keys);
        return S3Client::create(options, x_keys).value();
    }
    S3Put request(const std::string& key, const std::string& bytes) {
        const auto path = x_folder.path() / std::to_string(x_files.size());
        EXPECT_TRUE(base::write_file(path, bytes));
        x_files.push_back(base::open_file(path, O_RDONLY).value());
        S3Put put;
        put.key = key;
        put.descriptor = x_files.back().get();
        put.size = bytes.size();
        put.sha256 = base::sha256(bytes);
        return put;
    }
    base::Result<S3Got> get(const std::string& key) { return x_client->get(key, S3Get(), x_body); }
    template <class T>
    static void expect_error(const base::Result<T>& result, Code code, const std::string& words) {
        ASSERT_FALSE(result) << words;
        EXPECT_EQ(result.error().code, code) << result.error().text();
        EXPECT_THAT(result.error().text() + "\n" + result.error().hint, HasSubstr(words));
        EXPECT_THAT(result.error().text(), Not(HasSubstr("fake-secret")));
        EXPECT_THAT(result.error().text(), Not(HasSubstr("fake-token")));
    }
    // What was sent in this field, to such addresses, in their order.
    std::vector<std::string> sent(const std::string& field, const std::string& to) {
        std::map<std::string, std::string> found;
        for (const Request& each : x_fake->server().seen()) {
            if (each.path.find(to) != std::string::npos) found[each.path] = each.field(field);
        }
        std::vector<std::string> values;
        for (const auto& [path, value] : found) values.push_back(value);
        return values;
    }

    base::TempDir x_folder;
    std::vector<base::Fd> x_files;
    std::uint64_t x_conditional_multipart_above = S3Options().conditional_multipart_above;
    bool x_checksums = true;
    std::int64_t x_now = 1'795'608'000;
    std::unique_ptr<FakeS3> x_fake;
    std::shared_ptr<FixedKeys> x_keys;
    std::unique_ptr<S3Client> x_client;
    TextReceiver x_body;
};

const std::string large = [] {
    std::string text;
    while (text.size() < 2000) text += std::to_string(text.size()) + "\n";
    return text;
}();

TEST_F(S3, WhatIsPutIsGot) {
    start();
    S3Put put = request("a/b+c=d~e@f.txt", "words");
    put.content_type = "text/plain";
    put.cache_control = "max-age=60";
    ASSERT_EQ(x_client->put(put).value(), S3Outcome::written);
    const Request seen = x_fake->server().seen()[0];
    EXPECT_EQ(seen.path, "/bucket/a/b%2Bc%3Dd~e%40f.txt");
    EXPECT_EQ(seen.field("Content-Type"), "text/plain");
    EXPECT_EQ(seen.field("Cache-Control"), "max-age=60");
    const auto got = get(put.key);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(x_body.take(), "words");
    EXPECT_EQ(got->object.size, 5U);
    const auto found = x_client->head(put.key);
    EXPECT_EQ(found.value()->size, 5U);
    EXPECT_EQ(found.value()->etag, got->object.etag);

    S3Get again;
    again.if_none_match = got->object.etag;
    EXPECT_TRUE(x_client->get(put.key, again, x_body)->unchanged);
    EXPECT_THAT(x_body.take(), IsEmpty());

    ASSERT_TRUE(x_client->remove(put.key));
    ASSERT_TRUE(x_client->remove(put.key)) << "what is gone cannot be removed";
    EXPECT_FALSE(x_client->head(put.key).value());
    expect_error(get(put.key), Code::absent, "404 Not Found: NoSuchKey");
}

TEST_F(S3, NothingIsAnObjectToo) {
    start();
    ASSERT_EQ(x_client->put(request("empty", "")).value(), S3Outcome::written);
    EXPECT_EQ(get("empty")->object.size, 0U);
}

TEST_F(S3, ConditionsAreKept) {
    start();
    S3Put put = request("k", "one");
    put.if_none_match = true;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::written);
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::there);
    S3Put next = request("k", "two");
    next.if_match = "\"other\"";
    EXPECT_EQ(x_client->put(next).value(), S3Outcome::changed);
    next.if_match = x_client->head("k").value()->etag;
    EXPECT_EQ(x_client->put(next).value(), S3Outcome::written);
    EXPECT_EQ(x_client->put(next).value(), S3Outcome::changed);
    next.key = "absent";
    EXPECT_EQ(x_client->put(next).value(), S3Outcome::changed);
    EXPECT_EQ(x_fake->objects().at("k").bytes, "two");
}

// Ceph's RGW.
TEST_F(S3, AServerThatCannotCompareQuotedEtagsIsServed) {
    start({}, {.bare_etags = true});
    x_fake->put("k", "one");
    S3Put put = request("k", "two");
    put.if_match = "\"other\"";
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::changed);
    put.if_match = x_client->head("k").value()->etag;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::written);
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::changed);
    EXPECT_EQ(x_fake->objects().at("k").bytes, "two");
}

// The first attempt wrote, and its answer got lost: the second one finds its own object.
TEST_F(S3, ALostAnswerIsNotTakenForSomebodyElse) {
    std::atomic<int> lost = 0;
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.method() != "PUT" || lost++ > 0) return {};
        static_cast<void>(x_fake->answer_to(request));
        return "";
    });
    S3Put put = request("k", "one");
    put.if_none_match = true;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::written);
    EXPECT_EQ(lost, 2);
    lost = 0;
    S3Put next = request("k", "two");
    next.if_match = x_client->head("k").value()->etag;
    EXPECT_EQ(x_client->put(next).value(), S3Outcome::written);
    // Somebody else's is not taken for ours.
    lost = 0;
    x_fake->put("k", "theirs");
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::there);
}

TEST_F(S3, BusyServersAreAskedAgain) {
    std::atomic<int> count = 0;
    start([&](const Request&) -> std::optional<std::string> {
        switch (count++) {
            case 0: return FakeS3::error("503 Slow Down", "SlowDown");
            case 1: return FakeS3::error("400 Bad Request", "RequestTimeout");
            case 2: return FakeS3::error("500 Internal Server Error", "InternalError");
            case 3: return "";
            default: return {};
        }
    });
    EXPECT_EQ(x_client->put(request("k", "one")).value(), S3Outcome::written);
    EXPECT_EQ(count, 5);
    EXPECT_EQ(x_fake->server().seen()[4].body, "one");
    // Another writer is at it, as AWS says it and as Ceph does: the next answer is the one.
    count = 0;
    start([&](const Request&) -> std::optional<std::string> {
        switch (count++) {
            case 0: return FakeS3::error("409 Conflict", "ConditionalRequestConflict");
            case 1: return FakeS3::error("409 Conflict", "ConcurrentModification");
            default: return {};
        }
    });
    EXPECT_EQ(x_client->put(request("k", "one")).value(), S3Outcome::written);
    EXPECT_EQ(count, 3);
    count = -100;
    start([&](const Request&) -> std::optional<std::string> {
        ++count;
        return FakeS3::error("503 Slow Down", "SlowDown", "<Message>less \x1b[1m</Message>");
    });
    // The message holds a control character: it is no XML, and not printed.
    expect_error(get("k"), Code::unreachable, "503 Service Unavailable (5 attempts)");
    EXPECT_EQ(count, -95);
}

TEST_F(S3, ADownloadThatBreaksIsResumed) {
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.number != 1) return {};
        return x_fake->answer_to(request).substr(0, 600);
    });
    x_fake->put("k", large);
    ASSERT_TRUE(get("k"));
    EXPECT_EQ(x_body.take(), large);
    EXPECT_GT(x_fake->server().seen()[1].range(), 100U);
    // What the caller has already is not asked for.
    S3Get rest;
    rest.offset = 500;
    rest.length = large.size();
    ASSERT_TRUE(x_client->get("k", rest, x_body));
    EXPECT_EQ(x_body.take(), large.substr(500));
}

TEST_F(S3, WrongLengthsAreCorrupt) {
    start();
    x_fake->put("k", "12345");
    S3Get how;
    how.length = 4;
    expect_error(x_client->get("k", how, x_body), Code::corrupt, "5 bytes, but 4 belong there");
    how.length.reset();
    how.max_length = 4;
    expect_error(x_client->get("k", how, x_body), Code::corrupt, "more than the 4 allowed");
}

TEST_F(S3, WrongFilesAreNotSent) {
    start();
    S3Put put = request("k", "words");
    put.sha256 = base::sha256("other");
    expect_error(x_client->put(put), Code::corrupt, "has the sha256");
    put.sha256 = base::sha256("words");
    put.size = 4;
    expect_error(x_client->put(put), Code::corrupt, "not a regular one of 4 bytes");
    EXPECT_EQ(x_fake->server().requests(), 0);
}

TEST_F(S3, LargeObjectsGoInParts) {
    start();
    ASSERT_EQ(x_client->put(request("k", large)).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->objects().at("k").bytes, large);
    EXPECT_EQ(x_fake->uploads(), 0U);
    EXPECT_EQ(x_fake->server().requests(), 1 + 7 + 1);
}

TEST_F(S3, EachUploadHasItsChecksum) {
    start({}, {.locked = true});
    ASSERT_EQ(x_client->put(request("k", "words")).value(), S3Outcome::written);
    const Request whole = x_fake->server().seen()[0];
    EXPECT_EQ(whole.field("x-amz-checksum-sha256"), "26Nr/6XKsPki0IejrrF5+dTnRd9AsyPhsUcUAoSMij4=");
    EXPECT_THAT(whole.field("Authorization"), HasSubstr(";x-amz-checksum-sha256;"));
    ASSERT_EQ(x_client->put(request("k", "")).value(), S3Outcome::written);
    S3Put put = request("under-a-condition", large);
    put.if_none_match = true;
    ASSERT_EQ(x_client->put(put).value(), S3Outcome::written);
}

TEST_F(S3, EachPartHasItsChecksum) {
    start({}, {.locked = true});
    ASSERT_EQ(x_client->put(request("k", large)).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->objects().at("k").bytes, large);
    EXPECT_THAT(sent("x-amz-checksum-algorithm", "uploads="), ElementsAre("SHA256"));
    std::vector<std::string> checksums;
    for (std::size_t at = 0; at < large.size(); at += 300)
        checksums.push_back(checksum_of(base::sha256(large.substr(at, 300))));
    EXPECT_THAT(sent("x-amz-checksum-sha256", "partNumber="), ElementsAreArray(checksums));
    const Request completion = x_fake->server().seen().back();
    EXPECT_EQ(completion.field("x-amz-checksum-sha256"), "") << "that is not its body's";
    for (const std::string& each : checksums)
        EXPECT_THAT(completion.body,
                    HasSubstr("<ChecksumSHA256>" + each + "</ChecksumSHA256></Part>"));
}

// Ceph's RGW before 20, and others.
TEST_F(S3, AServerThatPassesOverChecksumsIsServed) {
    start({}, {.ignores_checksums = true});
    EXPECT_EQ(x_client->put(request("small", "words")).value(), S3Outcome::written);
    EXPECT_EQ(x_client->put(request("large", large)).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->objects().at("large").bytes, large);
    EXPECT_EQ(x_fake->server().requests(), 1 + 9) << "something was sent again";
    EXPECT_THAT(x_fake->server().seen().back().body, Not(HasSubstr("Checksum")));
}

TEST_F(S3, AServerThatRefusesChecksumsIsServedWithout) {
    start({}, {.refuses_checksums = true});
    EXPECT_EQ(x_client->put(request("k", "words")).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->server().requests(), 2);
    EXPECT_EQ(x_client->put(request("k", "other")).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->server().requests(), 3) << "not remembered";
    // The first of all is a large one.
    start({}, {.refuses_checksums = true});
    EXPECT_EQ(x_client->put(request("k", large)).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->server().requests(), 1 + 9);
    EXPECT_EQ(x_fake->objects().at("k").bytes, large);
    EXPECT_EQ(x_fake->uploads(), 0U);
}

TEST_F(S3, WithoutChecksumsALockedBucketRefuses) {
    x_checksums = false;
    start({}, {.locked = true});
    expect_error(x_client->put(request("k", "words")), Code::refused,
                 "AWS_REQUEST_CHECKSUM_CALCULATION may not be when_required");
    expect_error(x_client->put(request("k", large)), Code::refused, "sending part");
    EXPECT_EQ(x_fake->uploads(), 0U);
    for (const Request& each : x_fake->server().seen())
        EXPECT_THAT(each.text, Not(HasSubstr("x-amz-checksum")));
    start();
    EXPECT_EQ(x_client->put(request("k", large)).value(), S3Outcome::written);
}

TEST_F(S3, WrongChecksumsAreCorrupt) {
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.path.find("partNumber=2") == std::string::npos) return {};
        return answer("200 OK", "ETag: \"x\"\r\nx-amz-checksum-sha256: AAAA\r\n", "");
    });
    expect_error(x_client->put(request("k", large)), Code::corrupt,
                 "sending part 2 of 7: the server has another checksum");
    EXPECT_EQ(x_fake->uploads(), 0U);
    start([&](const Request&) {
        return std::optional(FakeS3::error("400 Bad Request", "BadDigest",
                                           "<Message>x-amz-checksum-sha256</Message>"));
    });
    expect_error(x_client->put(request("k", "words")), Code::corrupt, "changed while it was sent");
    EXPECT_EQ(x_fake->server().requests(), 1) << "sent without a checksum instead";
}

// A server may drop the condition of a completion, so there is none as long as one request will do.
TEST_F(S3, UnderAConditionObjectsGoWhole) {
    start();
    S3Put put = request("k", large);
    put.if_none_match = true;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::written);
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::there);
    EXPECT_EQ(x_fake->server().requests(), 2);
}

TEST_F(S3, VeryLargeObjectsGoInPartsUnderAConditionToo) {
    x_conditional_multipart_above = 1000;
    start();
    S3Put put = request("k", large);
    put.if_none_match = true;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->server().requests(), 1 + 9);
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::there);
    EXPECT_EQ(x_fake->server().requests(), 10 + 1) << "sent in vain";
    put.if_none_match = false;
    put.if_match = x_client->head("k").value()->etag;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::written);
    put.if_match = "\"other\"";
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::changed);
    EXPECT_EQ(x_fake->uploads(), 0U);
}

// Somebody else was there between the first look and the completion.
TEST_F(S3, AnUploadInPartsThatComesSecondIsTakenBack) {
    x_conditional_multipart_above = 1000;
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.path.find("partNumber=7") != std::string::npos) x_fake->put("k", "theirs");
        return {};
    });
    S3Put put = request("k", large);
    put.if_none_match = true;
    EXPECT_EQ(x_client->put(put).value(), S3Outcome::there);
    EXPECT_EQ(x_fake->uploads(), 0U);
    EXPECT_EQ(x_fake->objects().at("k").bytes, "theirs");
}

TEST_F(S3, AnUploadThatFailsIsTakenBack) {
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.path.find("partNumber=3") == std::string::npos) return {};
        return FakeS3::error("403 Forbidden", "AccessDenied");
    });
    expect_error(x_client->put(request("k", large)), Code::refused,
                 "sending part 3 of 7: 403 Forbidden: AccessDenied");
    EXPECT_EQ(x_fake->uploads(), 0U);
    EXPECT_THAT(x_fake->objects(), IsEmpty());
    // Where that fails as well, it is said what is left.
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.path.find("partNumber=3") == std::string::npos && request.method() != "DELETE")
            return {};
        return FakeS3::error("403 Forbidden", "AccessDenied");
    });
    expect_error(x_client->put(request("k", large)), Code::refused,
                 "AbortIncompleteMultipartUpload");
    EXPECT_EQ(x_fake->uploads(), 1U);
}

TEST_F(S3, AStopTakesAnUploadBack) {
    for (const char* moment : {"uploads=", "partNumber=2"}) {
        start([&](const Request& request) -> std::optional<std::string> {
            if (request.path.find(moment) == std::string::npos) return {};
            // It is done, and the answer is late: libcurl looks for a stop once a second.
            std::string late = x_fake->answer_to(request);
            base::request_stop(SIGINT);
            std::this_thread::sleep_for(milliseconds(1500));
            return late;
        });
        expect_error(x_client->put(request("k", large)), Code::interrupted, "stopped");
        EXPECT_EQ(x_fake->uploads(), 0U) << moment;
        EXPECT_THAT(x_fake->objects(), IsEmpty());
        base::clear_stop();
    }
}

// "200 OK", and then an error all the same.
TEST_F(S3, ACompletionThatFailsLateIsTriedAgain) {
    std::atomic<int> completions = 0;
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.method() != "POST" || request.path.find("uploadId") == std::string::npos)
            return {};
        if (completions++ > 0) return {};
        return answer("200 OK", "", "\n  <Error><Code>InternalError</Code></Error>");
    });
    EXPECT_EQ(x_client->put(request("k", large)).value(), S3Outcome::written);
    EXPECT_EQ(completions, 2);
    EXPECT_EQ(x_fake->objects().at("k").bytes, large);
}

TEST_F(S3, ACompletionWhoseAnswerGotLostIsFound) {
    std::atomic<int> completions = 0;
    start([&](const Request& request) -> std::optional<std::string> {
        if (request.method() != "POST" || request.path.find("uploadId") == std::string::npos)
            return {};
        if (completions++ > 0) return {};
        static_cast<void>(x_fake->answer_to(request));
        return "";
    });
    EXPECT_EQ(x_client->put(request("k", large)).value(), S3Outcome::written);
    EXPECT_EQ(x_fake->uploads(), 0U);
}

TEST_F(S3, ListsPageByPage) {
    start({}, {.page = 2});
    for (const char* key : {"a/1", "a/2", "a/3", "a/4", "a/5", "b/&<"}) x_fake->put(key, key);
    std::vector<std::string> keys;
    const auto visit = [&](const S3Object& object) -> base::Status {
        keys.push_back(object.key);
        EXPECT_EQ(object.size, object.key.size());
        return {};
    };
    ASSERT_TRUE(x_client->list("a/", visit));
    EXPECT_THAT(keys, ElementsAre("a/1", "a/2", "a/3", "a/4", "a/5"));
    keys.clear();
    ASSERT_TRUE(x_client->list("", visit));
    EXPECT_EQ(keys.back(), "b/&<");
    expect_error(
        x_client->list(
            "", [](const S3Object&) -> base::Status { return base::fail(Code::failed, "enough"); }),
        Code::failed, "enough");
}

TEST_F(S3, ListsThatGoRoundAreRefused) {
    std::string text;
    start([&](const Request&) { return std::optional(answer("200 OK", "", text)); });
    const auto nobody = [](const S3Object&) -> base::Status { return {}; };
    const std::string round =
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x"
        "</NextContinuationToken>";
    text = round + "<Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>";
    expect_error(x_client->list("", nobody), Code::corrupt, "not in order at 'a'");
    expect_error(x_client->list("b", nobody), Code::corrupt, "not in order at 'a'");
    text = round + "</ListBucketResult>";
    expect_error(x_client->list("", nobody), Code::corrupt, "does not go on");
    text = "<html>";
    expect_error(x_client->list("", nobody), Code::corrupt, "no XML");
}

TEST_F(S3, WhatIsRefusedIsExplained) {
    std::string reply;
    start([&](const Request&) { return reply.empty() ? std::nullopt : std::optional(reply); });
    expect_error(client("bucket", {"fake-id", "wrong", "fake-token"})->head("k"), Code::refused,
                 "403 Forbidden");
    x_client = client("bucket", {"fake-id", "wrong", {}});
    expect_error(get("k"), Code::refused, "SignatureDoesNotMatch");
    expect_error(get("k"), Code::refused, "check AWS_ACCESS_KEY_ID");
    x_client = client("other-bucket", FakeS3::keys());
    expect_error(get("k"), Code::refused, "there is no bucket 'other-bucket'");
    expect_error(x_client->remove("k"), Code::refused, "there is no bucket");

    reply = FakeS3::error("403 Forbidden", "AccessDenied", "<Message>a&#27;[31mb</Message>");
    expect_error(get("k"), Code::refused, "AccessDenied: a\\x1b[31mb");
    expect_error(get("k"), Code::refused, "s3:ListBucket");
    reply = answer("301 Moved Permanently", "x-amz-bucket-region: eu-west-1\r\n", "");
    expect_error(get("k"), Code::refused,
                 "the bucket 'other-bucket' is in the region eu-west-1, and was looked for in "
                 "us-east-1\nset AWS_REGION=eu-west-1");
    expect_error(x_client->head("k"), Code::refused, "AWS_REGION=eu-west-1");
    reply = FakeS3::error("400 Bad Request", "AuthorizationHeaderMalformed",
                          "<Region>ap-south-1</Region>");
    expect_error(get("k"), Code::refused, "AWS_REGION=ap-south-1");
    reply = FakeS3::error("301 Moved Permanently", "PermanentRedirect",
                          "<Endpoint>b.s3.example</Endpoint>");
    expect_error(get("k"), Code::refused, "the bucket is at b.s3.example");
    reply = FakeS3::error("400 Bad Request", "XAmzContentSHA256Mismatch");
    expect_error(x_client->put(request("k", "x")), Code::corrupt, "changed while it was sent");
}

TEST_F(S3, AWrongClockIsTold) {
    start([](const Request& request) -> std::optional<std::string> {
        const std::string date = "Date: Wed, 25 Nov 2026 13:00:00 GMT\r\n";
        if (request.is_head()) return answer("403 Forbidden", date, "");
        return answer("403 Forbidden", date, "<Error><Code>RequestTimeTooSkewed</Code></Error>");
    });
    for (const auto& error : {get("k").error(), x_client->head("k").error()}) {
        EXPECT_EQ(error.code, Code::refused);
        EXPECT_EQ(error.hint,
                  "set this machine's clock: it says 20261125-120000 UTC, the server's "
                  "20261125-130000 UTC");
    }
}

TEST_F(S3, KeysThatHaveEndedAreLookedForAgain) {
    start([](const Request& request) -> std::optional<std::string> {
        if (request.number > 1) return {};
        return FakeS3::error("400 Bad Request", "ExpiredToken");
    });
    x_fake->put("k", "x");
    EXPECT_TRUE(get("k"));
    EXPECT_EQ(x_keys->forgotten, 1);
}

TEST(S3Dates, AreThoseOfHttp) {
    EXPECT_EQ(parse_http_date("Fri, 24 May 2013 00:00:00 GMT"), 1369353600);
    for (const char* bad : {"", "Fri, 24 Mai 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:00 +02",
                            "Friday, 24-May-13 00:00:00 GMT"})
        EXPECT_FALSE(parse_http_date(bad)) << bad;
}

TEST(S3Places, AreParsed) {
    const auto place = S3Location::parse("s3://my-bucket/a/b.c/");
    ASSERT_TRUE(place) << place.error().text();
    EXPECT_EQ(place->bucket, "my-bucket");
    EXPECT_EQ(place->prefix, "a/b.c");
    EXPECT_EQ(place->text(), "s3://my-bucket/a/b.c");
    EXPECT_EQ(S3Location::parse("s3://abc")->text(), "s3://abc");
    EXPECT_EQ(S3Location::parse("s3://abc/")->prefix, "");
    for (const char* bad :
         {"s3:/abc", "http://abc", "s3://", "s3://ab", "s3://Abc", "s3://a_b", "s3://-ab",
          "s3://abc-", "s3://a..b", "s3://abc//x", "s3://abc/x//y", "s3://abc/../x", "s3://abc/a b",
          "s3://abc/a%20b", "s3://abc/a?b", "s3://user@abc/x", "s3://abc/\x1b"}) {
        const auto none = S3Location::parse(bad);
        ASSERT_FALSE(none) << bad;
        EXPECT_EQ(none.error().code, Code::usage);
        EXPECT_EQ(none.error().text().find('\x1b'), std::string::npos);
    }
}

TEST(S3Places, HaveAddresses) {
    const auto of = [](const char* bucket, const char* region, const char* endpoint) {
        const auto address = S3Address::create(bucket, region, endpoint);
        if (!address) return address.error().text();
        return address->url("a b/c=+", {{"x", "/"}})->with_secrets() + " " + address->host();
    };
    EXPECT_EQ(of("abc", "eu-west-1", ""),
              "https://abc.s3.eu-west-1.amazonaws.com/a%20b/c%3D%2B?x=%2F "
              "abc.s3.eu-west-1.amazonaws.com");
    EXPECT_EQ(of("a.b", "cn-north-1", ""),
              "https://s3.cn-north-1.amazonaws.com.cn/a.b/a%20b/c%3D%2B?x=%2F "
              "s3.cn-north-1.amazonaws.com.cn");
    EXPECT_EQ(of("abc", "us-east-1", "http://localhost:9000/s3/"),
              "http://localhost:9000/s3/abc/a%20b/c%3D%2B?x=%2F localhost:9000");
    EXPECT_EQ(of("abc", "us-east-1", "https://S3.example:443"),
              "https://s3.example/abc/a%20b/c%3D%2B?x=%2F s3.example");
    EXPECT_THAT(of("abc", "us-east-1", "https://me:hidden@s3.example/?hidden"),
                testing::AllOf(HasSubstr("***@"), Not(HasSubstr("hidden"))));
    EXPECT_THAT(of("abc", "us-east-1", "s3.example"), HasSubstr("without \"://\""));
    EXPECT_THAT(of("abc", "us east", ""), HasSubstr("no name of a region"));
    const auto address = S3Address::create("abc", "us-east-1", "").value();
    EXPECT_EQ(address.path(""), "/");
    EXPECT_EQ(S3Address::create("abc", "us-east-1", "http://h")->path(""), "/abc");
}

}  // namespace
}  // namespace sf::net
