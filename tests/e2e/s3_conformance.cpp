// SPDX-License-Identifier: Apache-2.0
// The S3 backend against a real server, which s3.sh starts: endpoint, region and keys come as AWS's
// tools have them. One bucket is as it comes, another has an object lock. They are thrown away with
// the server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <iostream>
#include <thread>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/task_pool.hpp"
#include "cache/s3_backend.hpp"
#include "net/exchange_body.hpp"
#include "net/s3_checksum.hpp"
#include "net/xml.hpp"

namespace sf::cache {
namespace {

using base::Code;
using testing::EndsWith;
using testing::HasSubstr;
using Kind = PutCondition::Kind;

constexpr const char* bucket = "conformance";

std::string noise(std::size_t size) {
    std::string text;
    text.reserve(size);
    std::uint64_t state = 88172645463325252ULL;
    while (text.size() < size) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
        text += static_cast<char>(state);
    }
    return text;
}

net::S3Options options_of(const net::AwsSurroundings& from, const std::string& name = bucket) {
    net::S3Options options;
    options.bucket = name;
    options.endpoint = from.get("AWS_ENDPOINT_URL_S3");
    return options;
}

// Of another backend, or a bare request.
std::shared_ptr<net::S3KeySource> keys_of(const net::AwsSurroundings& from) {
    return std::make_shared<net::S3KeyChain>(from);
}

class Conformance : public testing::Test {
protected:
    static void SetUpTestSuite() {
        net::S3Caller caller = bare();
        net::S3Call make;
        make.method = "PUT";
        const auto made = caller.call(make);
        ASSERT_TRUE(made) << made.error().text();
        ASSERT_EQ(made->status, 200) << made->text;
    }
    Conformance()
        : x_folder(base::TempDir::create("/tmp", "sft-").value()),
          x_backend(
              S3Backend::open(std::string("s3://") + bucket + "/" +
                                  testing::UnitTest::GetInstance()->current_test_info()->name(),
                              surroundings())
                  .value()) {}
    void TearDown() override { base::clear_stop(); }

    static net::AwsSurroundings surroundings() { return net::AwsSurroundings::of_process(); }
    static net::S3Caller bare(const std::string& name = bucket) {
        return net::S3Caller::create(options_of(surroundings(), name), keys_of(surroundings()))
            .value();
    }
    base::Fd file(const std::string& bytes) {
        const auto path = x_folder.path() / std::to_string(x_files++);
        EXPECT_TRUE(base::write_file(path, bytes));
        return base::open_file(path, O_RDONLY).value();
    }
    static base::Result<PutOutcome> put(Backend& backend, const base::Fd& file,
                                        const std::string& key, const std::string& bytes,
                                        PutCondition condition = {}) {
        PutRequest request;
        request.key = key;
        request.descriptor = file.get();
        request.size = bytes.size();
        request.sha256 = base::sha256(bytes);
        request.condition = std::move(condition);
        return backend.put(request);
    }
    base::Result<PutOutcome> put(const std::string& key, const std::string& bytes,
                                 PutCondition condition = {}) {
        return put(*x_backend, file(bytes), key, bytes, std::move(condition));
    }
    void expect_put(PutOutcome wanted, const base::Result<PutOutcome>& outcome) {
        ASSERT_TRUE(outcome) << outcome.error().text();
        EXPECT_EQ(*outcome, wanted);
    }
    std::string got(const std::string& key, const GetOptions& how = whole()) {
        net::TextReceiver body;
        const auto got = x_backend->get(key, how, body);
        EXPECT_TRUE(got) << got.error().text();
        return body.take();
    }
    static GetOptions whole() {
        GetOptions how;
        how.max_length = std::uint64_t{1} << 30;
        return how;
    }
    // Uploads in parts that were begun, and neither completed nor aborted.
    static std::size_t uploads() {
        net::S3Caller caller = bare();
        net::S3Call call;
        call.method = "GET";
        call.query = {{"uploads", ""}};
        const auto answer = caller.call(call);
        EXPECT_TRUE(answer) << answer.error().text();
        std::size_t count = 0;
        const auto list = net::parse_xml(answer->text).value();
        for (const auto& each : list.children) count += each.name == "Upload" ? 1 : 0;
        return count;
    }

    base::TempDir x_folder;
    std::unique_ptr<S3Backend> x_backend;
    int x_files = 0;
};

TEST_F(Conformance, WhatIsPutIsGot) {
    const std::string bytes = noise(100'000);
    expect_put(PutOutcome::written, put("a/b", bytes));
    expect_put(PutOutcome::written, put("empty", ""));
    EXPECT_EQ(got("a/b"), bytes);
    EXPECT_EQ(got("empty"), "");
    const auto there = x_backend->look("a/b").value();
    ASSERT_TRUE(there);
    EXPECT_EQ(there->size, bytes.size());
    EXPECT_FALSE(there->etag.empty());
    EXPECT_NEAR(static_cast<double>(there->modified.value_or(0)),
                static_cast<double>(std::time(nullptr)), 600);
    EXPECT_TRUE(x_backend->list("a/", [&](const ObjectInfo& object) -> base::Status {
        EXPECT_EQ(object.modified, there->modified);
        return {};
    }));
    EXPECT_FALSE(x_backend->look("a").value());
    // The rest, where something is there already.
    GetOptions how = whole();
    how.offset = 99'000;
    how.length = bytes.size();
    EXPECT_TRUE(got("a/b", how) == bytes.substr(99'000));
    how = whole();
    how.if_changed = there->etag;
    net::TextReceiver none;
    EXPECT_TRUE(x_backend->get("a/b", how, none)->unchanged);
    how.if_changed = "\"0123456789abcdef0123456789abcdef\"";
    EXPECT_FALSE(x_backend->get("a/b", how, none)->unchanged);
    how = whole();
    how.length = bytes.size() + 1;
    EXPECT_EQ(x_backend->get("a/b", how, none).error().code, Code::corrupt);
    ASSERT_TRUE(x_backend->remove("a/b"));
    ASSERT_TRUE(x_backend->remove("a/b"));
    EXPECT_EQ(x_backend->get("a/b", whole(), none).error().code, Code::absent);
}

TEST_F(Conformance, OddKeysAreKeys) {
    std::vector<std::string> keys = {"a+b", "a=b", "a~b", "a@b", "._+-~=@", "c/+=~@/d", "x++y"};
    for (const std::string& key : keys) expect_put(PutOutcome::written, put(key, "of " + key));
    for (const std::string& key : keys) EXPECT_EQ(got(key), "of " + key);
    std::vector<std::string> listed;
    ASSERT_TRUE(x_backend->list("", [&](const ObjectInfo& object) -> base::Status {
        listed.push_back(object.key);
        return {};
    }));
    std::ranges::sort(keys);
    EXPECT_EQ(listed, keys);
    for (const std::string& key : keys) ASSERT_TRUE(x_backend->remove(key));
}

TEST_F(Conformance, ListsOfManyPages) {
    std::vector<base::Task> tasks;
    for (int i = 0; i < 1100; ++i) {
        tasks.emplace_back([&, i]() -> base::Status {
            const std::string bytes = std::to_string(i);
            base::Fd memory(::memfd_create("x", MFD_CLOEXEC));
            SF_CHECK(base::write_all(memory.get(), base::as_bytes(bytes), "memory"));
            SF_TRY([[maybe_unused]] const auto outcome,
                   put(*x_backend, memory, fmt::format("k/{:05}", i), bytes));
            return {};
        });
    }
    const auto status = base::run_batch(tasks, 4);
    ASSERT_TRUE(status) << status.error().text();
    expect_put(PutOutcome::written, put("l", ""));
    const auto count = [&](const std::string& prefix) {
        int seen = 0;
        std::string last;
        const auto listed = x_backend->list(prefix, [&](const ObjectInfo& object) -> base::Status {
            EXPECT_LT(last, object.key);
            EXPECT_FALSE(object.etag.empty());
            last = object.key;
            ++seen;
            return {};
        });
        EXPECT_TRUE(listed) << listed.error().text();
        return seen;
    };
    EXPECT_EQ(count("k/"), 1100);
    EXPECT_EQ(count(""), 1101);
    EXPECT_EQ(count("k/0109"), 10);
    EXPECT_EQ(count("m"), 0);
}

TEST_F(Conformance, OneOfManyWritersIsFirst) {
    EXPECT_TRUE(x_backend->keeps_conditions().value());
    for (int round = 0; round < 5; ++round) {
        std::atomic<int> written = 0;
        std::atomic<int> there = 0;
        std::vector<base::Fd> files;
        std::vector<std::string> contents;
        for (int i = 0; i < 8; ++i) {
            contents.push_back("writer " + std::to_string(i));
            files.push_back(file(contents.back()));
        }
        const std::string key = "one/" + std::to_string(round);
        std::vector<base::Task> tasks;
        for (std::size_t i = 0; i < 8; ++i) {
            tasks.emplace_back([&, i]() -> base::Status {
                SF_TRY(const PutOutcome outcome,
                       put(*x_backend, files[i], key, contents[i], {Kind::if_absent, {}}));
                ++(outcome == PutOutcome::written ? written : there);
                return {};
            });
        }
        const auto status = base::run_batch(tasks, 8);
        ASSERT_TRUE(status) << status.error().text();
        EXPECT_EQ(written, 1);
        EXPECT_EQ(there, 7);
    }
}

TEST_F(Conformance, WhatWasReadIsReplacedOnce) {
    expect_put(PutOutcome::written, put("k", "one"));
    const std::string etag = x_backend->look("k").value()->etag;
    expect_put(PutOutcome::changed, put("k", "x", {Kind::if_etag, "\"0123456789abcdef\""}));
    expect_put(PutOutcome::written, put("k", "two", {Kind::if_etag, etag}));
    expect_put(PutOutcome::changed, put("k", "three", {Kind::if_etag, etag}));
    expect_put(PutOutcome::changed, put("absent", "x", {Kind::if_etag, etag}));
    EXPECT_EQ(got("k"), "two");
    EXPECT_FALSE(x_backend->look("absent").value());
}

TEST_F(Conformance, LargeObjectsGoInParts) {
    const std::string bytes = noise(50'000'000);
    const auto begin = std::chrono::steady_clock::now();
    expect_put(PutOutcome::written, put("large", bytes));
    const std::chrono::duration<double> up = std::chrono::steady_clock::now() - begin;
    EXPECT_TRUE(got("large") == bytes);
    const auto there = x_backend->look("large").value();
    EXPECT_THAT(there->etag, EndsWith("-3\""));
    GetOptions how = whole();
    how.offset = 40'000'000;
    how.length = bytes.size();
    EXPECT_TRUE(got("large", how) == bytes.substr(40'000'000));
    expect_put(PutOutcome::there, put("large", bytes, {Kind::if_absent, {}}));
    expect_put(PutOutcome::changed, put("large", bytes, {Kind::if_etag, "\"x\""}));
    expect_put(PutOutcome::written, put("large", bytes, {Kind::if_etag, there->etag}));
    EXPECT_EQ(uploads(), 0U);
    std::cout << "50 MB went up in " << up.count() << " s\n";
}

// Also where they would go in parts, were it not for the condition.
TEST_F(Conformance, OneOfManyWritersOfLargeObjectsIsFirst) {
    net::S3Options options = options_of(surroundings());
    options.multipart_above = options.part_size = std::uint64_t{5} << 20;
    const auto backend =
        S3Backend::create({bucket, "large"}, options, keys_of(surroundings())).value();
    const std::string bytes = noise(6'000'000);
    const base::Fd whole_file = file(bytes);
    std::atomic<int> written = 0;
    std::vector<base::Task> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.emplace_back([&]() -> base::Status {
            SF_TRY(const PutOutcome outcome,
                   put(*backend, whole_file, "k", bytes, {Kind::if_absent, {}}));
            written += outcome == PutOutcome::written ? 1 : 0;
            return {};
        });
    }
    const auto status = base::run_batch(tasks, 4);
    ASSERT_TRUE(status) << status.error().text();
    EXPECT_EQ(written, 1);
}

TEST_F(Conformance, AStoppedUploadLeavesNothing) {
    const std::string bytes = noise(50'000'000);
    std::jthread stopper([](const std::stop_token& done) {
        while (!done.stop_requested()) {
            if (uploads() == 0) continue;
            base::request_stop(SIGINT);
            return;
        }
    });
    const auto outcome = put("stopped", bytes);
    stopper.request_stop();
    stopper.join();
    ASSERT_FALSE(outcome) << "it was over before it could be stopped";
    EXPECT_EQ(outcome.error().code, Code::interrupted);
    EXPECT_EQ(outcome.error().hint, "");
    base::clear_stop();
    EXPECT_EQ(uploads(), 0U);
    EXPECT_FALSE(x_backend->look("stopped").value());
}

TEST_F(Conformance, WrongKeysAreRefused) {
    const auto refused = [&](const std::string& id, const std::string& secret) {
        net::AwsSurroundings from = surroundings();
        from.environment["AWS_ACCESS_KEY_ID"] = id;
        from.environment["AWS_SECRET_ACCESS_KEY"] = secret;
        const auto other = S3Backend::open(std::string("s3://") + bucket, from).value();
        net::TextReceiver body;
        const auto result = other->get("a", whole(), body);
        EXPECT_EQ(result.error().code, Code::refused);
        EXPECT_EQ(other->look("a").error().code, Code::refused);
        EXPECT_EQ(put(*other, file("x"), "a", "x").error().code, Code::refused);
        return result.error().text() + "; " + result.error().hint;
    };
    const net::S3Credentials right = keys_of(surroundings())->keys().value();
    EXPECT_THAT(refused(right.access_key, "wrong"), HasSubstr("SignatureDoesNotMatch"));
    EXPECT_THAT(refused("nobody", "wrong"), HasSubstr("InvalidAccessKeyId"));
}

TEST_F(Conformance, AWrongClockIsTold) {
    for (const std::int64_t skew : {-3600, 3600}) {
        net::S3Options options = options_of(surroundings());
        options.now = [skew] { return std::time(nullptr) + skew; };
        const auto skewed = S3Backend::create({bucket, ""}, options, keys_of(surroundings()));
        net::TextReceiver body;
        const auto got = (*skewed)->get("a", whole(), body);
        EXPECT_EQ(got.error().code, Code::refused);
        EXPECT_THAT(got.error().text(), HasSubstr("RequestTimeTooSkewed"));
        EXPECT_THAT(got.error().hint, HasSubstr("set this machine's clock"));
        EXPECT_THAT((*skewed)->look("a").error().hint, HasSubstr("set this machine's clock"));
    }
}

TEST_F(Conformance, OtherBytesThanThoseSignedAreRefused) {
    net::S3Caller caller = bare();
    net::TextBody body("these");
    net::S3Call call;
    call.method = "PUT";
    call.key = "wrong-bytes";
    call.body = &body;
    call.payload = base::sha256("those").hex();
    const auto answer = caller.call(call);
    ASSERT_TRUE(answer) << answer.error().text();
    EXPECT_EQ(caller.error_of(*answer).code, Code::corrupt) << answer->text;
    call.method = "HEAD";
    call.body = nullptr;
    call.payload.clear();
    EXPECT_EQ(caller.call(call)->status, 404);
}

// The signature is right, so it is the checksum that is compared.
TEST_F(Conformance, AWrongChecksumIsRefusedWhereItIsCompared) {
    net::S3Caller caller = bare();
    net::TextBody body("these");
    net::S3Call call;
    call.method = "PUT";
    call.key = "wrong-checksum";
    call.headers = {{net::checksum_field, net::checksum_of(base::sha256("those"))}};
    call.body = &body;
    call.payload = base::sha256("these").hex();
    const auto answer = caller.call(call);
    ASSERT_TRUE(answer) << answer.error().text();
    if (answer->status == 200) {
        std::cout << "this server does not compare " << net::checksum_field << "\n";
        return;
    }
    EXPECT_EQ(caller.error_of(*answer).code, Code::corrupt) << answer->text;
    call.method = "HEAD";
    call.headers.clear();
    call.body = nullptr;
    call.payload.clear();
    EXPECT_EQ(caller.call(call)->status, 404);
}

TEST_F(Conformance, ABucketThatIsNotThereIsNoAbsentObject) {
    const auto other = S3Backend::open("s3://no-such-bucket", surroundings()).value();
    net::TextReceiver body;
    const auto result = other->get("a", whole(), body);
    EXPECT_EQ(result.error().code, Code::refused);
    EXPECT_THAT(result.error().text(), HasSubstr("there is no bucket 'no-such-bucket'"));
    EXPECT_EQ(other->list("", {}).error().code, Code::refused);
    EXPECT_EQ(put(*other, file("x"), "a", "x").error().code, Code::refused);
}

// A bucket with an object lock: versions are kept, each of them a day at least, unless who deletes
// it has a right of his own to that, and says so.
class Locked : public Conformance {
protected:
    static void SetUpTestSuite() {
        net::S3Caller caller = bare(locked);
        net::S3Call make;
        make.method = "PUT";
        make.headers = {{"x-amz-bucket-object-lock-enabled", "true"}};
        const auto made = caller.call(make);
        ASSERT_TRUE(made) << made.error().text();
        ASSERT_EQ(made->status, 200) << made->text;

        const std::string text =
            "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
            "<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule>"
            "</ObjectLockConfiguration>";
        net::TextBody body(text);
        net::S3Call lock;
        lock.method = "PUT";
        lock.query = {{"object-lock", ""}};
        lock.headers = {{net::checksum_field, net::checksum_of(base::sha256(text))}};
        lock.body = &body;
        lock.payload = base::sha256(text).hex();
        const auto done = caller.call(lock);
        ASSERT_TRUE(done) << done.error().text();
        ASSERT_EQ(done->status, 200) << done->text;
    }
    Locked() : x_caller(bare(locked)) {
        net::S3Options options = options_of(surroundings());
        options.multipart_above = options.part_size = std::uint64_t{5} << 20;
        x_backend = S3Backend::create({locked, folder()}, options, keys_of(surroundings())).value();
    }
    static std::string folder() {
        return testing::UnitTest::GetInstance()->current_test_info()->name();
    }

    struct Versions {
        std::vector<std::string> ids;
        std::size_t delete_markers = 0;
    };
    Versions versions(const std::string& key) {
        net::S3Call call;
        call.method = "GET";
        call.query = {{"versions", ""}, {"prefix", folder() + "/" + key}};
        const auto answer = x_caller.call(call);
        Versions found;
        EXPECT_TRUE(answer && answer->status == 200);
        if (!answer || answer->status != 200) return found;
        const auto list = net::parse_xml(answer->text).value();
        for (const auto& each : list.children) {
            if (each.name == "Version") found.ids.push_back(each.child_text("VersionId"));
            found.delete_markers += each.name == "DeleteMarker" ? 1 : 0;
        }
        return found;
    }
    net::S3Answer of_version(const char* method, const std::string& key, const std::string& id) {
        net::S3Call call;
        call.method = method;
        call.key = folder() + "/" + key;
        if (!id.empty()) call.query = {{"versionId", id}};
        auto answer = x_caller.call(call);
        EXPECT_TRUE(answer) << answer.error().text();
        return answer ? std::move(*answer) : net::S3Answer();
    }
    // By the default of the bucket.
    std::string lock_of(const std::string& key) {
        return of_version("HEAD", key, {}).head.field("x-amz-object-lock-mode");
    }

    static constexpr const char* locked = "conformance-locked";
    net::S3Caller x_caller;
};

TEST_F(Locked, BucketsTakeWhatIsPublished) {
    expect_put(PutOutcome::written, put("small", "one"));
    expect_put(PutOutcome::written, put("empty", ""));
    const std::string bytes = noise(12'000'000);
    expect_put(PutOutcome::written, put("large", bytes));
    EXPECT_TRUE(got("large") == bytes);
    EXPECT_THAT(x_backend->look("large").value()->etag, EndsWith("-3\""));
    for (const char* key : {"small", "empty", "large"})
        EXPECT_EQ(lock_of(key), "GOVERNANCE") << key;
    // What AWS refuses.
    net::S3Call call;
    call.method = "PUT";
    call.key = folder() + "/plain";
    const auto answer = x_caller.call(call);
    ASSERT_TRUE(answer) << answer.error().text();
    std::cout << "without a checksum this server " << (answer->status == 200 ? "takes" : "refuses")
              << " what is locked\n";
}

TEST_F(Locked, WhatIsReplacedAndRemovedStaysAsVersions) {
    expect_put(PutOutcome::written, put("snapshot.json", "one"));
    expect_put(PutOutcome::written, put("snapshot.json", "two"));
    EXPECT_EQ(got("snapshot.json"), "two");
    ASSERT_TRUE(x_backend->remove("snapshot.json"));
    ASSERT_TRUE(x_backend->remove("snapshot.json"));
    EXPECT_FALSE(x_backend->look("snapshot.json").value());
    ASSERT_TRUE(x_backend->list("", [](const ObjectInfo& object) -> base::Status {
        ADD_FAILURE() << object.key << " is listed";
        return {};
    }));
    const Versions left = versions("snapshot.json");
    EXPECT_GE(left.delete_markers, 1U);
    std::vector<std::string> texts;
    for (const std::string& id : left.ids) {
        EXPECT_EQ(of_version("DELETE", "snapshot.json", id).status, 403);
        texts.push_back(of_version("GET", "snapshot.json", id).text);
    }
    std::ranges::sort(texts);
    EXPECT_EQ(texts, (std::vector<std::string>{"one", "two"}));
}

// A publisher asks first, and publishes nothing where they are not kept.
TEST_F(Locked, ConditionsAreKeptOrItIsTold) {
    const bool kept = x_backend->keeps_conditions().value();
    std::cout << "in a bucket with versions this server keeps " << (kept ? "" : "no ")
              << "conditions\n";
    if (!kept) return;
    expect_put(PutOutcome::written, put("snapshot.json", "one", {Kind::if_absent, {}}));
    expect_put(PutOutcome::there, put("snapshot.json", "x", {Kind::if_absent, {}}));
    const std::string etag = x_backend->look("snapshot.json").value()->etag;
    expect_put(PutOutcome::written, put("snapshot.json", "two", {Kind::if_etag, etag}));
    expect_put(PutOutcome::changed, put("snapshot.json", "x", {Kind::if_etag, etag}));
    EXPECT_EQ(got("snapshot.json"), "two");
    // What was removed is absent, whatever versions there are.
    ASSERT_TRUE(x_backend->remove("snapshot.json"));
    expect_put(PutOutcome::written, put("snapshot.json", "three", {Kind::if_absent, {}}));
    EXPECT_EQ(versions("snapshot.json").ids.size(), 3U);
}

}  // namespace
}  // namespace sf::cache
