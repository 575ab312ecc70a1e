// SPDX-License-Identifier: Apache-2.0
// A cache in a bucket: keys below their prefix and no others, outcomes as the interface has them,
// and servers that only say that they keep conditions.
#include "cache/s3_backend.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>

#include "base/files.hpp"
#include "unit/net/fake_s3.hpp"

namespace sf::cache {
namespace {

using base::Code;
using test::answer;
using test::FakeS3;
using test::FixedKeys;
using test::RawServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class S3Backends : public testing::Test {
protected:
    S3Backends() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {}
    void SetUp() override { ::setenv("no_proxy", "*", 1); }

    void start(FakeS3::Flaws flaws = {}, FakeS3::Hook hook = {}) {
        x_fake = std::make_unique<FakeS3>(flaws, std::move(hook));
        net::S3Options options;
        options.endpoint = x_fake->endpoint();
        options.http.first_pause = std::chrono::milliseconds(2);
        x_backend = S3Backend::create({"bucket", "cache/x"}, options,
                                      std::make_shared<FixedKeys>(FakeS3::keys()))
                        .value();
    }
    base::Result<PutOutcome> put(const std::string& key, const std::string& bytes,
                                 PutCondition condition = {}) {
        EXPECT_TRUE(base::write_file(x_folder.path() / "file", bytes));
        const base::Fd file = base::open_file(x_folder.path() / "file", O_RDONLY).value();
        PutRequest request;
        request.key = key;
        request.descriptor = file.get();
        request.size = bytes.size();
        request.sha256 = base::sha256(bytes);
        request.condition = std::move(condition);
        return x_backend->put(request);
    }
    std::vector<std::string> keys(const std::string& prefix) {
        std::vector<std::string> result;
        EXPECT_TRUE(x_backend->list(prefix, [&](const ObjectInfo& object) -> base::Status {
            result.push_back(object.key);
            return {};
        }));
        return result;
    }

    base::TempDir x_folder;
    std::unique_ptr<FakeS3> x_fake;
    std::unique_ptr<S3Backend> x_backend;
    net::TextReceiver x_body;
};

TEST_F(S3Backends, KeepObjectsBelowTheirPrefix) {
    start();
    EXPECT_EQ(x_backend->place(), "s3://bucket/cache/x");
    EXPECT_TRUE(x_backend->writable());
    ASSERT_EQ(put("v3/a.json", "words").value(), PutOutcome::written);
    EXPECT_TRUE(x_fake->objects().contains("cache/x/v3/a.json"));
    GetOptions how;
    how.max_length = 100;
    const auto got = x_backend->get("v3/a.json", how, x_body);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(x_body.take(), "words");
    EXPECT_EQ(got->object.key, "v3/a.json");
    const auto there = x_backend->look("v3/a.json").value();
    EXPECT_EQ(there->etag, got->object.etag);
    EXPECT_EQ(there->size, 5U);
    how.if_changed = there->etag;
    EXPECT_TRUE(x_backend->get("v3/a.json", how, x_body)->unchanged);
    ASSERT_TRUE(x_backend->remove("v3/a.json"));
    ASSERT_TRUE(x_backend->remove("v3/a.json"));
    EXPECT_FALSE(x_backend->look("v3/a.json").value());
    const auto absent = x_backend->get("v3/a.json", how, x_body);
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().code, Code::absent);
    EXPECT_THAT(absent.error().text(), HasSubstr("s3://bucket/cache/x"));
}

TEST_F(S3Backends, WithoutALengthThereIsALimit) {
    start();
    ASSERT_TRUE(put("a", "words"));
    GetOptions how;
    how.max_length = 4;
    EXPECT_EQ(x_backend->get("a", how, x_body).error().code, Code::corrupt);
    how.max_length = 0;
    how.length = 5;
    EXPECT_TRUE(x_backend->get("a", how, x_body));
    how.length = 6;
    EXPECT_EQ(x_backend->get("a", how, x_body).error().code, Code::corrupt);
}

TEST_F(S3Backends, ListTheirOwnInOrder) {
    start();
    for (const char* key : {"b/2", "b/1", "a"}) ASSERT_TRUE(put(key, key));
    x_fake->put("cache/x/b/", "");  // what a file manager makes
    x_fake->put("cache/x/b/a b", "");
    x_fake->put("cache/xy", "");
    x_fake->put("other", "");
    EXPECT_THAT(keys(""), ElementsAre("a", "b/1", "b/2"));
    EXPECT_THAT(keys("b/"), ElementsAre("b/1", "b/2"));
    EXPECT_THAT(keys("c"), IsEmpty());
}

TEST_F(S3Backends, NoOtherKeyReachesTheServer) {
    start();
    for (const char* bad : {"", "../x", "/a", "a b", "a?b"}) {
        EXPECT_EQ(put(bad, "x").error().code, Code::refused) << bad;
        EXPECT_EQ(x_backend->look(bad).error().code, Code::refused);
        EXPECT_EQ(x_backend->get(bad, {}, x_body).error().code, Code::refused);
        EXPECT_EQ(x_backend->remove(bad).error().code, Code::refused);
    }
    EXPECT_EQ(put(std::string(1020, 'a'), "x").error().code, Code::refused);
    EXPECT_EQ(put("a", "x", {PutCondition::Kind::if_etag, ""}).error().code, Code::refused);
    EXPECT_EQ(x_fake->server().requests(), 0);
}

TEST_F(S3Backends, WriteUnderConditions) {
    start();
    EXPECT_EQ(put("a", "1", {PutCondition::Kind::if_absent, {}}).value(), PutOutcome::written);
    EXPECT_EQ(put("a", "2", {PutCondition::Kind::if_absent, {}}).value(), PutOutcome::there);
    const std::string etag = x_backend->look("a").value()->etag;
    EXPECT_EQ(put("a", "3", {PutCondition::Kind::if_etag, etag}).value(), PutOutcome::written);
    EXPECT_EQ(put("a", "4", {PutCondition::Kind::if_etag, etag}).value(), PutOutcome::changed);
    EXPECT_EQ(x_fake->objects().at("cache/x/a").bytes, "3");
}

TEST_F(S3Backends, FindOutWhetherConditionsAreKept) {
    for (const bool bare : {false, true}) {
        start({.bare_etags = bare});
        EXPECT_TRUE(x_backend->keeps_conditions().value());
        EXPECT_THAT(x_fake->objects(), IsEmpty()) << "a probe is left";
        const int requests = x_fake->server().requests();
        EXPECT_TRUE(x_backend->keeps_conditions().value());
        EXPECT_EQ(x_fake->server().requests(), requests) << "asked again";
    }
    // None, or one of the two alone.
    for (const test::FakeS3Flaws& flaws :
         {test::FakeS3Flaws{.no_conditions = true}, test::FakeS3Flaws{.no_if_match = true},
          test::FakeS3Flaws{.no_if_none_match = true}}) {
        start(flaws);
        EXPECT_FALSE(x_backend->keeps_conditions().value());
        EXPECT_THAT(x_fake->objects(), IsEmpty());
    }
    // Refused in so many words.
    start({}, [](const RawServer::Request& request) -> std::optional<std::string> {
        if (request.field("If-None-Match").empty()) return {};
        return FakeS3::error("501 Not Implemented", "NotImplemented");
    });
    EXPECT_FALSE(x_backend->keeps_conditions().value());
}

TEST_F(S3Backends, FindOutNothingWhereNobodyMayWrite) {
    start({}, [](const RawServer::Request& request) -> std::optional<std::string> {
        if (request.method() != "PUT") return {};
        return FakeS3::error("403 Forbidden", "AccessDenied");
    });
    const auto keeps = x_backend->keeps_conditions();
    ASSERT_FALSE(keeps);
    EXPECT_EQ(keeps.error().code, Code::refused);
    EXPECT_THAT(keeps.error().text(), HasSubstr("finding out whether conditions are kept"));
}

TEST_F(S3Backends, AreOpenedAsAwsToolsWould) {
    start();
    net::AwsSurroundings from;
    from.environment = {{"AWS_ACCESS_KEY_ID", "fake-id"},
                        {"AWS_SECRET_ACCESS_KEY", "fake-secret"},
                        {"AWS_SESSION_TOKEN", "fake-token"},
                        {"AWS_ENDPOINT_URL_S3", x_fake->endpoint()}};
    const auto opened = S3Backend::open("s3://bucket/y", from);
    ASSERT_TRUE(opened) << opened.error().text();
    x_fake->put("y/a", "words");
    EXPECT_EQ((*opened)->look("a").value()->size, 5U);
    EXPECT_EQ(S3Backend::open("s3://b", from).error().code, Code::usage);
    from.environment["AWS_REGION"] = "no region";
    EXPECT_EQ(S3Backend::open("s3://bucket/y", from).error().code, Code::usage);
}

TEST_F(S3Backends, SendChecksumsUnlessTheyAreNotWanted) {
    start();
    net::AwsSurroundings from;
    from.environment = {{"AWS_ACCESS_KEY_ID", "fake-id"},
                        {"AWS_SECRET_ACCESS_KEY", "fake-secret"},
                        {"AWS_SESSION_TOKEN", "fake-token"},
                        {"AWS_ENDPOINT_URL_S3", x_fake->endpoint()}};
    for (const bool wanted : {true, false}) {
        if (!wanted) from.environment["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required";
        x_backend = S3Backend::open("s3://bucket/y", from).value();
        ASSERT_EQ(put("a", "words").value(), PutOutcome::written);
        EXPECT_EQ(x_fake->server().seen().back().field("x-amz-checksum-sha256"),
                  wanted ? "26Nr/6XKsPki0IejrrF5+dTnRd9AsyPhsUcUAoSMij4=" : "");
    }
}

}  // namespace
}  // namespace sf::cache
