// SPDX-License-Identifier: Apache-2.0
// The store of sources: over a made-up network, and over a real client with a server that lies.
#include "recipe/fetch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/synced.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::recipe {
namespace {

namespace fs = std::filesystem;
using base::Code;
using test::answer;
using test::RawServer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Silent : public base::Reporter {
public:
    void message(base::Level level, const std::string& text) override {
        if (level == base::Level::warning) warnings.lock()->push_back(text);
    }
    base::Synced<std::vector<std::string>> warnings;
};

// Places and what they hold; what is asked is remembered.
class FakeNetwork : public Downloader {
public:
    struct Place {
        std::string content;
        Code trouble = Code::failed;  // failed: none
        std::size_t breaks_at = std::string::npos;
    };
    std::map<std::string, Place> places;
    base::Synced<std::vector<std::string>> asked;

    base::Status download(const net::Request& request, net::Receiver& to) override {
        asked.lock()->push_back(fmt::format("{}@{}", request.url.redacted(), request.offset));
        const auto found = places.find(request.url.with_secrets());
        if (found == places.end()) return base::fail(Code::absent, "404 Not Found");
        const Place& place = found->second;
        if (place.trouble != Code::failed) return base::fail(place.trouble, "trouble");
        SF_CHECK(to.begin(request.offset));
        const std::string_view rest = std::string_view(place.content).substr(request.offset);
        if (place.breaks_at != std::string::npos) {
            SF_CHECK(to.write(base::as_bytes(rest.substr(0, place.breaks_at))));
            return base::fail(Code::unreachable, "the connection broke");
        }
        return to.write(base::as_bytes(rest));
    }
    base::Status probe(const net::Request& request) override {
        asked.lock()->push_back("?" + request.url.redacted());
        const auto found = places.find(request.url.with_secrets());
        if (found == places.end()) return base::fail(Code::absent, "404 Not Found");
        if (found->second.trouble != Code::failed) {
            return base::fail(found->second.trouble, "trouble");
        }
        return {};
    }
};

model::SourceFile source_of(const std::string& content, std::vector<std::string> urls,
                            std::string file = "x-1.0.tar.gz") {
    model::SourceFile source;
    source.file = std::move(file);
    source.sha256 = base::sha256(content);
    source.size = content.size();
    for (std::string& url : urls) source.places.push_back({std::move(url), "", ""});
    return source;
}

class Sources : public testing::Test {
protected:
    void SetUp() override { ::setenv("no_proxy", "*", 1); }
    [[nodiscard]] fs::path folder() const { return x_folder.path() / "sources"; }
    // Everything below the folder but the content of the visible part.
    [[nodiscard]] std::vector<std::string> leftovers() const {
        auto names = base::list_dir(folder() / "partial");
        return names ? *names : std::vector<std::string>();
    }
    [[nodiscard]] std::string text(const fs::path& path) const {
        return base::read_file(path).value_or("unreadable");
    }
    std::vector<std::string> asked() { return *x_network.asked.lock(); }

    base::TempDir x_folder = base::TempDir::create(fs::temp_directory_path(), "sources").value();
    FakeNetwork x_network;
    Silent x_reporter;
    SourceStore x_store{folder(), x_network,
                        [](const std::string& family) -> std::vector<std::string> {
                            if (family != "debian") return {};
                            return {"http://d.example/debian", "http://s.example/debian-security"};
                        },
                        x_reporter};
};

TEST_F(Sources, FetchesOnceAndNeverAgain) {
    x_network.places["https://a.example/x"] = {"content"};
    const auto source = source_of("content", {"https://a.example/x"});
    const auto path = x_store.fetch_one(source);
    ASSERT_TRUE(path) << path.error().text();
    EXPECT_EQ(*path, folder() / "sha256" / source.sha256.hex() / "x-1.0.tar.gz");
    EXPECT_EQ(text(*path), "content");
    EXPECT_THAT(leftovers(), IsEmpty());
    ASSERT_TRUE(x_store.fetch_one(source));
    EXPECT_EQ(asked().size(), 1U);
}

TEST_F(Sources, TriesPlacesInOrderAndListsThemAll) {
    x_network.places["https://b.example/x"] = {"", Code::unreachable};
    auto source = source_of("content", {"https://a.example/x", "https://b.example/x"});
    source.places.push_back({"", "debian", "main/x/x/x_1+ds.orig.tar.gz"});
    source.places.push_back({"", "ubuntu", "main/x/x/x_1.orig.tar.gz"});
    FetchOptions options;
    options.mirrors = {"https://user:geheim@m.example/top/"};
    const auto path = x_store.fetch_one(source, options);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Code::unreachable);
    const std::string hex = source.sha256.hex();
    EXPECT_EQ(
        path.error().message,
        "no place has x-1.0.tar.gz with sha256 " + hex + ":\n  https://***@m.example/top/sha256/" +
            hex +
            "/x-1.0.tar.gz: 404 Not Found"
            "\n  https://***@m.example/top/x-1.0.tar.gz: 404 Not Found"
            "\n  https://a.example/x: 404 Not Found"
            "\n  https://b.example/x: trouble"
            "\n  http://d.example/debian/pool/main/x/x/x_1%2Bds.orig.tar.gz: 404 Not Found"
            "\n  http://s.example/debian-security/pool/updates/main/x/x/x_1%2Bds.orig.tar.gz: "
            "404 Not Found"
            "\n  ubuntu archive, pool/main/x/x/x_1.orig.tar.gz: this machine knows no address of "
            "that archive");
    EXPECT_THAT(path.error().hint, HasSubstr("--source-mirror"));
    EXPECT_FALSE(base::exists(x_store.path_of(source)));
}

TEST_F(Sources, AMirrorIsAskedFirst) {
    x_network.places["https://m.example/x-1.0.tar.gz"] = {"content"};
    x_network.places["https://a.example/x"] = {"content"};
    const auto source = source_of("content", {"https://a.example/x"});
    FetchOptions options;
    options.mirrors = {"https://m.example"};
    ASSERT_TRUE(x_store.fetch_one(source, options));
    EXPECT_THAT(asked(),
                ElementsAre("https://m.example/sha256/" + source.sha256.hex() + "/x-1.0.tar.gz@0",
                            "https://m.example/x-1.0.tar.gz@0"));
}

TEST_F(Sources, AMismatchKeepsNothingAndGoesOn) {
    x_network.places["https://a.example/x"] = {"CONTENT"};
    x_network.places["https://b.example/x"] = {"content"};
    const auto good = source_of("content", {"https://a.example/x", "https://b.example/x"});
    ASSERT_TRUE(x_store.fetch_one(good));
    const std::string expected =
        fmt::format("x-1.0.tar.gz from https://a.example/x: sha256 is {}, expected {}; not kept",
                    base::sha256("CONTENT").hex(), base::sha256("content").hex());
    EXPECT_THAT(*x_reporter.warnings.lock(), ElementsAre(expected));

    const auto bad = source_of("another", {"https://a.example/x"});
    const auto path = x_store.fetch_one(bad);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Code::corrupt);
    EXPECT_THAT(path.error().message, HasSubstr(base::sha256("CONTENT").hex()));
    EXPECT_THAT(path.error().message, HasSubstr("https://a.example/x"));
    EXPECT_FALSE(base::exists(x_store.path_of(bad).parent_path()));
    EXPECT_THAT(leftovers(), ElementsAre(bad.sha256.hex() + ".lock"));
}

TEST_F(Sources, APartIsResumedAtTheNextPlace) {
    x_network.places["https://a.example/x"] = {"0123456789", Code::failed, 4};
    x_network.places["https://b.example/x"] = {"0123456789"};
    const auto source = source_of("0123456789", {"https://a.example/x", "https://b.example/x"});
    const auto path = x_store.fetch_one(source);
    ASSERT_TRUE(path) << path.error().text();
    EXPECT_EQ(text(*path), "0123456789");
    EXPECT_THAT(asked(), ElementsAre("https://a.example/x@0", "https://b.example/x@4"));
}

TEST_F(Sources, APartIsResumedByALaterRun) {
    x_network.places["https://a.example/x"] = {"0123456789", Code::failed, 4};
    const auto source = source_of("0123456789", {"https://a.example/x"});
    ASSERT_FALSE(x_store.fetch_one(source));
    EXPECT_FALSE(base::exists(x_store.path_of(source)));
    x_network.places["https://a.example/x"] = {"0123456789"};
    ASSERT_TRUE(x_store.fetch_one(source));
    EXPECT_THAT(asked(), ElementsAre("https://a.example/x@0", "https://a.example/x@4"));
    EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(Sources, APartWithOtherBytesIsThrownAway) {
    x_network.places["https://a.example/x"] = {"0123456789"};
    const auto source = source_of("0123456789", {"https://a.example/x"});
    ASSERT_TRUE(base::make_dirs(folder() / "partial"));
    const fs::path part = folder() / "partial" / (source.sha256.hex() + ".part");
    for (const char* stale : {"abcd", "abcdefghij", "longer than the whole"}) {
        ASSERT_TRUE(base::write_file(part, stale));
        ASSERT_TRUE(base::remove_tree(folder() / "sha256"));
        const auto path = x_store.fetch_one(source);
        ASSERT_TRUE(path) << stale << path.error().text();
        EXPECT_EQ(text(*path), "0123456789");
    }
    // Complete before a crash: nothing is asked.
    x_network.asked.lock()->clear();
    ASSERT_TRUE(base::write_file(part, "0123456789"));
    ASSERT_TRUE(base::remove_tree(folder() / "sha256"));
    ASSERT_TRUE(x_store.fetch_one(source));
    EXPECT_THAT(asked(), IsEmpty());
}

TEST_F(Sources, AStoredFileThatWasDamagedIsFetchedAgain) {
    x_network.places["https://a.example/x"] = {"content"};
    const auto source = source_of("content", {"https://a.example/x"});
    ASSERT_TRUE(x_store.fetch_one(source));
    ASSERT_TRUE(base::write_file(x_store.path_of(source), "cOntent"));
    const auto found = x_store.find(source);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::corrupt);
    const auto path = x_store.fetch_one(source);
    ASSERT_TRUE(path);
    EXPECT_EQ(text(*path), "content");
    EXPECT_THAT(*x_reporter.warnings.lock(), ElementsAre(HasSubstr("fetching it again")));
}

TEST_F(Sources, OfflineAsksNobody) {
    x_network.places["https://a.example/x"] = {"content"};
    x_network.places["file://" + x_folder.path().string() + "/mirror/x-1.0.tar.gz"] = {"content"};
    const auto source = source_of("content", {"https://a.example/x"});
    FetchOptions options;
    options.offline = true;
    const auto path = x_store.fetch_one(source, options);
    ASSERT_FALSE(path);
    EXPECT_THAT(path.error().message, HasSubstr("https://a.example/x: not asked: offline"));
    EXPECT_THAT(asked(), IsEmpty());
    options.mirrors = {(x_folder.path() / "mirror").string()};
    ASSERT_TRUE(x_store.fetch_one(source, options));
}

TEST_F(Sources, AFullDiskOrAStopEndsItAtOnce) {
    for (const Code code : {Code::exhausted, Code::interrupted}) {
        x_network.places["https://a.example/x"] = {"", code};
        x_network.places["https://b.example/x"] = {"content"};
        const auto source = source_of("content", {"https://a.example/x", "https://b.example/x"});
        const auto path = x_store.fetch_one(source);
        ASSERT_FALSE(path);
        EXPECT_EQ(path.error().code, code);
        EXPECT_FALSE(base::exists(x_store.path_of(source)));
    }
    auto huge = source_of("content", {"https://b.example/x"});
    huge.size = std::uint64_t{1} << 60;
    const auto path = x_store.fetch_one(huge);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Code::exhausted);
}

TEST_F(Sources, ManyAtOnceAndAllFailuresAreNamed) {
    std::vector<model::SourceFile> sources;
    for (int i = 0; i < 40; ++i) {
        const std::string name = fmt::format("p{}-1.tar.gz", i);
        const std::string url = "https://a.example/" + name;
        if (i % 10 != 3) x_network.places[url] = {"content of " + name};
        sources.push_back(source_of("content of " + name, {url}, name));
    }
    sources.push_back(sources[0]);
    const auto some = x_store.fetch(sources);
    ASSERT_FALSE(some);
    for (const char* name : {"p3-1", "p13-1", "p23-1", "p33-1"}) {
        EXPECT_THAT(some.error().text(), HasSubstr(name));
    }
    for (const int i : {3, 13, 23, 33}) {
        const std::string name = fmt::format("p{}-1.tar.gz", i);
        x_network.places["https://a.example/" + name] = {"content of " + name};
    }
    std::atomic<int> told = 0;
    FetchOptions options;
    options.progress = [&](const std::string&, std::uint64_t done, std::uint64_t total) {
        EXPECT_EQ(done, total);
        ++told;
    };
    const auto all = x_store.fetch(sources, options);
    ASSERT_TRUE(all) << all.error().text();
    ASSERT_EQ(all->size(), 41U);
    EXPECT_EQ(text((*all)[7]), "content of p7-1.tar.gz");
    EXPECT_EQ((*all)[40], (*all)[0]);
    EXPECT_EQ(told, 4);
    EXPECT_EQ(asked().size(), 44U);
}

TEST_F(Sources, TwoStoresOnOneFolder) {
    x_network.places["https://a.example/x"] = {std::string(1'000'000, 'x')};
    const auto source = source_of(std::string(1'000'000, 'x'), {"https://a.example/x"});
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            SourceStore store(folder(), x_network, {}, x_reporter);
            if (store.fetch_one(source)) ++good;
        });
    }
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(good, 8);
    EXPECT_EQ(asked().size(), 1U);
}

TEST_F(Sources, HostileNamesStayInside) {
    for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "a\nb"}) {
        auto source = source_of("content", {"https://a.example/x"});
        source.file = name;
        const auto path = x_store.fetch_one(source);
        ASSERT_FALSE(path) << name;
        EXPECT_EQ(path.error().code, Code::usage);
    }
    FetchOptions options;
    options.mirrors = {"gopher://x/"};
    const auto path = x_store.fetch_one(source_of("content", {}), options);
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Code::usage);
}

TEST_F(Sources, ProbeAsksAndDownloadsNothing) {
    x_network.places["https://b.example/x"] = {"content"};
    const auto source = source_of("content", {"https://a.example/x", "https://b.example/x"});
    auto answer = x_store.probe(source);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->available);
    EXPECT_EQ(answer->where, "https://b.example/x");
    ASSERT_EQ(answer->tried.size(), 1U);
    EXPECT_EQ(answer->tried[0].reason, "404 Not Found");
    EXPECT_THAT(asked(), ElementsAre("?https://a.example/x", "?https://b.example/x"));
    EXPECT_FALSE(base::exists(folder()));

    x_network.places["https://b.example/x"] = {"", Code::unreachable};
    answer = x_store.probe(source);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->available);
    EXPECT_EQ(answer->code(), Code::unreachable);

    x_network.places["https://b.example/x"] = {"content"};
    ASSERT_TRUE(x_store.fetch_one(source));
    x_network.asked.lock()->clear();
    answer = x_store.probe(source);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->where, x_store.path_of(source).string());
    EXPECT_THAT(asked(), IsEmpty());

    // One of another size is none; one of other bytes is found out when it is used.
    ASSERT_TRUE(base::write_file(x_store.path_of(source), "short"));
    answer = x_store.probe(source);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->where, "https://b.example/x");
    ASSERT_TRUE(base::write_file(x_store.path_of(source), "CONTENT"));
    answer = x_store.probe(source);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->where, x_store.path_of(source).string());
    ASSERT_TRUE(x_store.fetch_one(source));
    EXPECT_EQ(base::read_file(x_store.path_of(source)).value(), "content");

    x_network.places["https://c.example/x"] = {"", Code::interrupted};
    const auto stopped = x_store.probe(source_of("other", {"https://c.example/x"}));
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, Code::interrupted);
}

// The same through the real client.
class RealSources : public Sources {
protected:
    static net::HttpOptions quick() {
        net::HttpOptions options;
        options.first_pause = std::chrono::milliseconds(2);
        options.low_speed_time = std::chrono::seconds(1);
        options.attempts = 3;
        return options;
    }
    net::HttpClient x_client{quick()};
    NetDownloader x_downloader{x_client};
    SourceStore x_real{folder(), x_downloader, {}, x_reporter};
    std::string x_content = [] {
        std::string text;
        for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
        return text;
    }();
};

TEST_F(RealSources, FromAFolder) {
    const auto source = source_of(x_content, {});
    const fs::path mirror = x_folder.path() / "mir ror";
    ASSERT_TRUE(base::make_dirs(mirror / "sha256" / source.sha256.hex()));
    ASSERT_TRUE(base::write_file(mirror / "x-1.0.tar.gz", "too short"));
    ASSERT_TRUE(
        base::write_file(mirror / "sha256" / source.sha256.hex() / "x-1.0.tar.gz", x_content));
    FetchOptions options;
    options.offline = true;
    options.mirrors = {(x_folder.path() / "none").string(), mirror.string()};
    const auto answer = x_real.probe(source, options);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->available);
    ASSERT_TRUE(x_real.fetch_one(source, options));
    EXPECT_EQ(text(x_real.path_of(source)), x_content);

    ASSERT_TRUE(base::make_dirs(mirror / "y.tar.gz"));
    const auto folder_instead = x_real.fetch_one(source_of("y", {}, "y.tar.gz"), options);
    ASSERT_FALSE(folder_instead);
    EXPECT_THAT(folder_instead.error().message, HasSubstr("not a regular file"));
    EXPECT_EQ(folder_instead.error().code, Code::absent);
}

TEST_F(RealSources, ThroughResetsStallsAndLies) {
    RawServer server([&](const RawServer::Request& request, RawServer::Connection& to) {
        const std::size_t from = request.range();
        if (request.path == "/portal") {
            to.send(answer("200 OK", "Content-Type: text/html\r\n", "<html>log in</html>"));
        } else if (request.path == "/absent") {
            to.send(answer("404 Not Found", "", ""));
        } else if (request.path == "/lie") {
            to.send(answer("200 OK", "", std::string(x_content.size(), 'x')));
        } else if (from == 0) {
            to.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(x_content.size()) +
                    "\r\n\r\n" + x_content.substr(0, 200'000));
            to.reset();
        } else {
            to.send(answer("206 Partial Content",
                           "Content-Range: bytes " + std::to_string(from) + "-" +
                               std::to_string(x_content.size() - 1) + "/" +
                               std::to_string(x_content.size()) + "\r\n",
                           x_content.substr(from)));
        }
    });
    const auto source = source_of(x_content, {server.url("/absent"), server.url("/portal"),
                                              server.url("/lie"), server.url("/good")});
    const auto path = x_real.fetch_one(source);
    ASSERT_TRUE(path) << path.error().text();
    EXPECT_EQ(text(*path), x_content);
    EXPECT_THAT(leftovers(), IsEmpty());

    const auto none = x_real.fetch_one(
        source_of("other", {server.url("/absent"), server.url("/portal"), server.url("/lie")}));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::corrupt);
    EXPECT_THAT(none.error().message, HasSubstr("/absent: 404 Not Found"));
    EXPECT_THAT(none.error().message,
                HasSubstr("19 bytes, but 5 belong there (it is an HTML page)"));
}

TEST_F(RealSources, AFullDiskLeavesNothing) {
    const fs::path disk = x_folder.path() / "disk";
    ASSERT_TRUE(base::make_dirs(disk));
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0) {
        GTEST_SKIP() << "NOT RUN: mounting a small file system needs root";
    }
    RawServer server([&](const RawServer::Request&, RawServer::Connection& to) {
        to.send("HTTP/1.1 200 OK\r\n\r\n" + x_content);
    });
    auto source = source_of(x_content, {server.url()});
    source.size = 0;  // so that it is not refused up front
    SourceStore store(disk / "sources", x_downloader, {}, x_reporter);
    const auto path = store.fetch_one(source);
    const auto visible = base::list_dir(disk / "sources" / "sha256");
    const std::uint64_t used = base::disk_usage(disk / "sources" / "partial");
    ::umount(disk.c_str());
    ASSERT_FALSE(path);
    EXPECT_EQ(path.error().code, Code::exhausted) << path.error().text();
    EXPECT_FALSE(visible);
    EXPECT_EQ(used, 0U);
}

}  // namespace
}  // namespace sf::recipe
