// SPDX-License-Identifier: Apache-2.0
// Lists of revocations of a cache: signed by a root with a real gpg, read before all else, never
// led back; what they take back is not installed.
#include "cache/revocations.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "base/text.hpp"
#include "cache/revocation_memory.hpp"
#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;
using trust::RevocationList;

constexpr std::int64_t day = 86'400;

class Revocations : public CacheTest {
protected:
    Revocations() : x_root(x_gpg.make_key("Root <root@example.org>")) {
        x_list.serial = 1;
        x_list.issued = std::time(nullptr);
        x_list.expires = x_list.issued + 365 * day;
        x_options.now = x_list.issued;
        x_options.memory = x_folder.path() / "memory";
        x_roots.emplace(trust::Verifier::create(trusting({x_root})).value());
        x_options.roots = &*x_roots;
    }

    std::string signed_list(const RevocationList& list, const Keys& keys) {
        return signer(keys).clearsign(trust::to_text(list).value()).value();
    }
    void serve(const std::string& bytes) {
        const fs::path file = place("cache") / "_sf/revocations.json";
        ASSERT_TRUE(base::make_dirs(file.parent_path()));
        std::ofstream out(file, std::ios::binary | std::ios::trunc);
        out << bytes;
    }
    void serve(std::uint64_t serial) {
        x_list.serial = serial;
        serve(signed_list(x_list, {x_root}));
    }
    base::Result<RevocationList> list() {
        cache::FileBackend whole(place("cache"));
        return cache::read_revocations(whole, x_options, x_heard);
    }
    // The number of the list, or the message.
    std::string reads() {
        const auto got = list();
        return got ? std::to_string(got->serial) : got.error().text();
    }

    std::string x_root;
    RevocationList x_list;
    std::optional<trust::Verifier> x_roots;
    cache::RevocationOptions x_options;
};

TEST_F(Revocations, NeverLedBack) {
    EXPECT_EQ(reads(), "0");
    x_options.required = true;
    EXPECT_THAT(reads(), HasSubstr("has no list of revocations, and must have one"));
    serve(1);
    EXPECT_EQ(reads(), "1");
    EXPECT_EQ(reads(), "1");
    const std::string first = signed_list(x_list, {x_root});
    serve(3);
    EXPECT_EQ(reads(), "3");
    serve(first);
    EXPECT_THAT(reads(), HasSubstr("has gone back: it is number 1, number 3 was seen"));
    x_list.expires += 1;
    serve(3);
    EXPECT_THAT(reads(), HasSubstr("number 3 is not the one that was seen before"));
    serve(4);
    EXPECT_EQ(reads(), "4");
    ASSERT_TRUE(base::remove_file(place("cache") / "_sf/revocations.json"));
    x_options.required = false;
    EXPECT_THAT(reads(), HasSubstr("is gone: number 4 was seen before"));
    serve("");
    EXPECT_THAT(reads(), HasSubstr("revocations.json"));
    // Whoever trusts no root asks for none.
    x_options.roots = nullptr;
    EXPECT_EQ(reads(), "0");
}

// Of files, which come under any name, it is the root whose list was seen.
TEST_F(Revocations, AFileThatLeftItOutIsNoWayBack) {
    class Carried : public cache::FileBackend {
    public:
        using FileBackend::FileBackend;
        [[nodiscard]] bool whole() const override { return false; }
    };
    x_options.root_fingerprints = {x_root};
    const auto reads_of = [&](const char* name) {
        Carried file(place(name));
        const auto got = cache::read_revocations(file, x_options, x_heard);
        return got ? std::to_string(got->serial) : got.error().text();
    };
    EXPECT_EQ(reads_of("cache"), "0");
    serve(2);
    EXPECT_EQ(reads_of("cache"), "2");
    EXPECT_THAT(reads_of("another"), HasSubstr("and number 2 of " + x_root + " was seen"));
    x_options.root_fingerprints = {};
    EXPECT_EQ(reads_of("another"), "0");
}

// For commands that do not ask the place.
TEST_F(Revocations, TheLastIsRemembered) {
    const cache::RevocationMemory memory(x_options.memory,
                                         cache::FileBackend(place("cache")).place());
    EXPECT_FALSE(memory.last().value());
    x_list.builds = {{base::sha256("a build"), "loses bytes", x_list.issued}};
    serve(1);
    EXPECT_EQ(reads(), "1");
    const auto last = memory.last().value();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->roots, std::vector{x_root});
    ASSERT_NE(last->list.reason_of(base::sha256("a build")), nullptr);
    // One that is not accepted is not remembered.
    x_list.builds.clear();
    serve(1);
    EXPECT_THAT(reads(), HasSubstr("is not the one that was seen before"));
    EXPECT_EQ(memory.last().value()->list.builds.size(), 1U);
    serve(2);
    EXPECT_EQ(reads(), "2");
    EXPECT_TRUE(memory.last().value()->list.builds.empty());
    // Gone by itself, it is written again; damaged, nobody knows what it took back.
    const fs::path file = base::replace_all(memory.name(), ".json", ".list.json");
    ASSERT_TRUE(base::remove_file(file));
    EXPECT_FALSE(memory.last().value());
    EXPECT_EQ(reads(), "2");
    ASSERT_TRUE(memory.last().value());
    std::ofstream(file, std::ios::app) << " ";
    EXPECT_THAT(memory.last().error().text(), HasSubstr("list.json is damaged"));
    EXPECT_EQ(reads(), "2");
    EXPECT_TRUE(memory.last().value());
}

TEST_F(Revocations, OnlyARootSignsThem) {
    serve(signed_list(x_list, {x_key}));  // who publishes is no root
    EXPECT_THAT(reads(), HasSubstr("not trusted: " + x_key));
    const std::string good = signed_list(x_list, {x_root});
    serve(base::replace_all(good, "\"serial\": 1", "\"serial\": 2"));
    EXPECT_THAT(reads(), HasSubstr("changed after signing"));
    serve(trust::to_text(x_list).value());
    EXPECT_FALSE(list());
    serve(good + "x");
    EXPECT_FALSE(list());
    serve(signer({x_root}).clearsign("{}\n").value());
    EXPECT_THAT(reads(), HasSubstr("lacks 'schema'"));
    // A root is no publisher either: the client's own list says so.
    ASSERT_TRUE(publish("cache", "25.11.2", {x_root}));
    EXPECT_THAT(says("cache", client({x_key})), HasSubstr("not trusted: " + x_root));
    // One root is replaced by another as any key is.
    const std::string next = x_gpg.make_key("Next root <root@example.org>");
    serve(signed_list(x_list, {x_root, next}));
    EXPECT_EQ(reads(), "1");
    x_roots.emplace(trust::Verifier::create(trusting({next})).value());
    EXPECT_EQ(reads(), "1");
    x_gpg.revoke_key(x_root);
    x_roots.emplace(trust::Verifier::create(trusting({x_root})).value());
    EXPECT_THAT(reads(), HasSubstr("revoked key"));
}

TEST_F(Revocations, Age) {
    serve(1);
    x_options.now = x_list.issued + 200 * day;
    EXPECT_EQ(reads(), "1");
    EXPECT_THAT(x_heard.others, HasSubstr("is good for 165 more days"));
    x_options.now = x_list.expires;
    EXPECT_THAT(reads(), HasSubstr("expired 0 days ago: newer revocations may be held back"));
    x_options.accept_expired = true;
    EXPECT_EQ(reads(), "1");
    EXPECT_THAT(x_heard.warnings, HasSubstr("expired 0 days ago"));
    x_options.accept_expired = false;
    x_options.max_age = 400 * day;
    EXPECT_EQ(reads(), "1");
    x_options.max_age = 30 * day;
    EXPECT_THAT(reads(), HasSubstr("expired 335 days ago"));
    x_options.now = x_list.issued - 700;
    EXPECT_THAT(reads(), HasSubstr("in the future"));
}

TEST_F(Revocations, PublishingThem) {
    cache::FileBackend whole(place("cache"));
    const auto put = [&](const std::string& bytes) {
        const auto put = cache::put_revocations(whole, bytes, *x_roots, x_list.issued);
        return put ? std::string(*put ? "written" : "there") : put.error().text();
    };
    x_list.serial = 2;
    const std::string second = signed_list(x_list, {x_root});
    EXPECT_EQ(put(second), "written");
    EXPECT_EQ(put(second), "there");
    x_list.serial = 1;
    EXPECT_THAT(put(signed_list(x_list, {x_root})), HasSubstr("has gone back"));
    x_list.serial = 3;
    EXPECT_THAT(put(signed_list(x_list, {x_key})), HasSubstr("not trusted"));
    EXPECT_EQ(put(signed_list(x_list, {x_root})), "written");
    EXPECT_EQ(reads(), "3");
}

TEST_F(Revocations, BuildsThatWereTakenBackArePassedOver) {
    ASSERT_TRUE(publish("cache", "25.11.1", {x_key}));
    ASSERT_TRUE(publish("cache", "25.11.2", {x_key}, {}, "2"));
    Client site = client({x_key});
    const auto newest = resolve("cache", site);
    ASSERT_TRUE(newest) << newest.error().text();
    const model::Package& slurm = newest->bundle.packages.back();
    for (const base::Digest& digest :
         {slurm.identity, slurm.run.sha256, newest->manifest.install.sha256}) {
        site.options.revocations = {};
        site.options.revocations.builds = {{digest, "writes zeros", 0}};
        x_heard.warnings.clear();
        EXPECT_EQ(says("cache", site), "25.11.1");
        EXPECT_THAT(x_heard.warnings, HasSubstr("writes zeros"));
        EXPECT_THAT(x_heard.warnings, HasSubstr("slurm 25.11.2"));
        const std::string said = says("cache", site, "25.11.2");
        EXPECT_THAT(said, HasSubstr("all of slurm 25.11.2 that"));
        EXPECT_THAT(said, HasSubstr("writes zeros"));
        EXPECT_FALSE(install_into("never", "cache", site, "25.11.2"));
        EXPECT_FALSE(base::exists(x_folder.path() / "never/views"));
    }
    // What it needs counts as well: both need this zlib.
    site.options.revocations.builds = {
        {newest->bundle.packages.front().identity, "a hole in it", 0}};
    EXPECT_THAT(says("cache", site), HasSubstr("a hole in it"));
    site.options.revocations.builds = {{base::sha256("another"), "another", 0}};
    EXPECT_EQ(says("cache", site), "25.11.2");
}

TEST_F(Revocations, KeysThatWereTakenBack) {
    ASSERT_TRUE(publish("cache", "25.11.2", {x_key}));
    const trust::Fingerprint key = trust::Fingerprint::parse(x_key).value();
    x_list.keys = {{key, "the laptop was stolen", x_list.issued}};
    serve(7);
    const auto read = list();
    ASSERT_TRUE(read) << read.error().text();
    Client site = client({x_key});
    site.trusted.withdrawn = read->withdrawn();
    EXPECT_THAT(says("cache", site), HasSubstr("withdrawn: " + x_key + " (the laptop was stolen)"));
}

}  // namespace
}  // namespace sf::install
