// SPDX-License-Identifier: Apache-2.0
// What http_cache.sh runs: writes a cache into a folder, and reads it through a real web server in
// front of it. The script says in the environment where everything is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "base/files.hpp"
#include "cache/open_backend.hpp"
#include "unit/cache/backend_probe.hpp"

namespace sf::cache {
namespace {

using base::Code;
using test::Kept;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
    return value;
}

std::unique_ptr<Backend> opened(const std::string& address, const std::string& ca = "SF_E2E_CA") {
    net::HttpOptions options;
    options.ca_file = setting(ca.c_str());
    options.first_pause = std::chrono::milliseconds(200);
    auto backend = open_backend(address, options);
    if (!backend) throw std::runtime_error(backend.error().text());
    return std::move(*backend);
}

std::unique_ptr<Backend> folder() { return opened(setting("SF_E2E_FOLDER")); }
std::string https() { return setting("SF_E2E_HTTPS"); }
std::string http() { return setting("SF_E2E_HTTP"); }

std::string bytes_of(std::size_t size, unsigned seed) {
    std::string bytes(size, '\0');
    for (char& each : bytes) {
        seed = seed * 1664525U + 1013904223U;
        each = static_cast<char>(seed >> 24);
    }
    return bytes;
}

const std::string large = "blobs/sha256/ab/large";
constexpr std::size_t large_size = std::size_t{4} << 20;

const std::vector<std::pair<std::string, std::string>>& objects() {
    static const std::vector<std::pair<std::string, std::string>> list = {
        {large, bytes_of(large_size, 1)},
        {"empty", ""},
        {"odd/a+b=c@d~e", "odd"},
        {"v3/layout.json", "{\"version\": 3}\n"},
    };
    return list;
}

// A text that kills nginx's worker once a megabyte has come: the connection breaks in the middle.
class Cutting : public Kept {
public:
    base::Status write(base::Bytes bytes) override {
        SF_CHECK(Kept::write(bytes));
        if (!killed && text.size() > (std::size_t{1} << 20)) killed = kill_worker();
        return {};
    }
    bool killed = false;

private:
    static bool kill_worker() {
        const std::string master = setting("SF_E2E_NGINX");
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            std::ifstream file(entry.path() / "stat");
            std::string pid;
            std::string name;
            std::string state;
            std::string parent;
            if (file >> pid >> name >> state >> parent && name == "(nginx)" && parent == master)
                return ::kill(std::stoi(pid), SIGKILL) == 0;
        }
        return false;
    }
};

TEST(Write, AFolderOfObjects) {
    const auto backend = folder();
    for (const auto& [key, bytes] : objects())
        ASSERT_EQ(*test::put(*backend, key, bytes, {PutCondition::Kind::if_absent, ""}),
                  PutOutcome::written);
}

TEST(Read, EveryObjectWhole) {
    const auto backend = opened(https());
    EXPECT_FALSE(backend->writable());
    std::size_t listed = 0;
    ASSERT_TRUE(folder()->list("", [&](const ObjectInfo& object) {
        EXPECT_EQ(object.key, objects()[listed].first);
        const std::string& bytes = objects()[listed++].second;
        const auto got = test::get(*backend, object.key);
        EXPECT_TRUE(got && *got == bytes) << object.key << (got ? "" : got.error().text());
        const auto info = backend->look(object.key);
        EXPECT_TRUE(info && *info && (*info)->size == bytes.size()) << object.key;
        EXPECT_FALSE((*info)->etag.empty());
        return base::Status();
    }));
    EXPECT_EQ(listed, objects().size());
}

TEST(Read, OverConnectionsThatAreCut) {
    for (const std::string& address : {https() + "/slow", http() + "/plain"}) {
        const auto backend = opened(address);
        Cutting kept;
        const auto got = backend->get(large, {0, large_size, 0, {}}, kept);
        ASSERT_TRUE(got) << got.error().text();
        EXPECT_TRUE(kept.killed);
        EXPECT_TRUE(kept.text == objects()[0].second) << address;
        ASSERT_EQ(kept.begins.size(), 2U) << address;
        EXPECT_GT(kept.begins[1], std::uint64_t{1} << 20) << "what had come was kept";
    }
}

TEST(Read, FromWhereTheReceiverStands) {
    const auto backend = opened(https());
    const std::string& bytes = objects()[0].second;
    Kept kept;
    kept.text = bytes.substr(0, 3'000'000);
    ASSERT_TRUE(backend->get(large, {3'000'000, large_size, 0, {}}, kept));
    EXPECT_TRUE(kept.text == bytes);
    EXPECT_THAT(kept.begins, ElementsAre(3'000'000U));
}

TEST(Read, OnlyWhatChanged) {
    const auto backend = opened(https());
    const auto writer = folder();
    const std::string key = "v3/snapshot.json";
    ASSERT_TRUE(test::put(*writer, key, "one\n"));
    Kept first;
    const auto got = backend->get(key, {0, {}, 100, {}}, first);
    ASSERT_TRUE(got) << got.error().text();
    Kept again;
    const auto same = backend->get(key, {0, {}, 100, got->object.etag}, again);
    ASSERT_TRUE(same) << same.error().text();
    EXPECT_TRUE(same->unchanged);
    EXPECT_THAT(again.begins, IsEmpty());
    // Of the same size, and within the second of which nginx makes its etags.
    ASSERT_TRUE(test::put(*writer, key, "two\n"));
    const auto changed = backend->get(key, {0, {}, 100, got->object.etag}, again);
    ASSERT_TRUE(changed) << changed.error().text();
    EXPECT_FALSE(changed->unchanged);
    EXPECT_EQ(again.text, "two\n");
    ASSERT_TRUE(writer->remove(key));
}

TEST(Read, WhatIsNotThereIsAbsent) {
    const auto backend = opened(https());
    const auto got = test::get(*backend, "v3/none");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::absent);
    const auto info = backend->look("v3/none");
    ASSERT_TRUE(info) << info.error().text();
    EXPECT_FALSE(*info);
    // Nor is a folder an object, nor what writers keep beside the objects.
    EXPECT_FALSE(test::get(*backend, "v3"));
    const auto lock = test::get(*backend, ".sf-lock");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code, Code::absent);
}

TEST(Read, AnotherLengthIsCorrupt) {
    const auto backend = opened(https());
    for (const std::uint64_t wrong : {large_size - 1, large_size + 1}) {
        Kept kept;
        const auto got = backend->get(large, {0, wrong, 0, {}}, kept);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::corrupt);
        EXPECT_THAT(kept.begins, IsEmpty());
    }
    Kept kept;
    EXPECT_EQ(backend->get(large, {0, {}, large_size - 1, {}}, kept).error().code, Code::corrupt);
}

TEST(Read, AServerThatIsNotWhoItShouldBeIsRefused) {
    const auto refused = [](Backend& backend, const std::string& hint) {
        const auto got = test::get(backend, "v3/layout.json");
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Code::refused) << got.error().text();
        EXPECT_THAT(got.error().hint, HasSubstr(hint));
        EXPECT_EQ(backend.look("v3/layout.json").error().code, Code::refused);
    };
    refused(*opened(https(), "SF_E2E_OTHER_CA"),
            "CA certificates in " + setting("SF_E2E_OTHER_CA"));
    refused(*opened(setting("SF_E2E_WRONG_NAME")), "the name that the server's certificate is for");
}

TEST(Read, ARedirectToHttpsIsFollowedAndOneBackIsNot) {
    const auto up = opened(http());
    EXPECT_EQ(test::get(*up, "v3/layout.json").value_or(""), objects()[3].second);
    EXPECT_TRUE(up->look("v3/layout.json").value());
    const auto down = opened(https() + "/down");
    const auto got = test::get(*down, "v3/layout.json");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::refused);
    EXPECT_THAT(got.error().text(), HasSubstr("from https to http"));
}

TEST(Read, NobodyListsOrWritesThroughIt) {
    const auto backend = opened(https());
    EXPECT_EQ(test::put(*backend, "v3/new", "x").error().code, Code::refused);
    EXPECT_EQ(backend->remove(large).error().code, Code::refused);
    EXPECT_EQ(backend->list("", [](const ObjectInfo&) { return base::Status(); }).error().code,
              Code::refused);
    EXPECT_TRUE(*folder()->look(large));
}

TEST(Read, AServerThatIsGoneIsUnreachable) {
    const auto backend = opened(https());
    const auto got = test::get(*backend, "v3/layout.json");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::unreachable) << got.error().text();
}

}  // namespace
}  // namespace sf::cache
