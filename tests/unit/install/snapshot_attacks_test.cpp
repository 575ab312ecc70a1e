// SPDX-License-Identifier: Apache-2.0
// A4 of the threat model, through the client's own reader and with real signatures: rollback,
// freeze, mix-and-match, fast-forward, missing parts, endless data. Each case is what a client has
// seen before, what it is served, and what it says.
#include <gmock/gmock.h>

#include <fstream>

#include "base/text.hpp"
#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t day = 86'400;
using Edit = std::function<void(cache::Snapshot&)>;

// What a case does to one client of one cache, in turn.
class SnapshotAttacks : public CacheTest {
protected:
    SnapshotAttacks() : x_thief(x_gpg.make_key("Thief <thief@example.org>")) {
        EXPECT_TRUE(publish("cache", "25.11.1", {x_key}));
        x_first = read(file());
        EXPECT_TRUE(publish("cache", "25.11.2", {x_key}));
        x_second = read(file());
        x_client = client({x_key});
        x_now = x_client.options.now;
        auto verifier = trust::Verifier::create(x_trusted).value();
        x_text = verifier.verify_clearsigned(x_second, "snapshot").value().text;
        x_snapshot = cache::snapshot_from_text(x_text).value();
    }

    fs::path file() const { return place("cache") / main_folder / "_sf/snapshot.json"; }
    void serve(const std::string& bytes) {
        std::ofstream out(file(), std::ios::binary | std::ios::trunc);
        out << bytes;
        EXPECT_TRUE(out.good());
    }
    std::string edited(const Edit& edit) const {
        cache::Snapshot snapshot = x_snapshot;
        if (edit) edit(snapshot);
        return cache::to_text(snapshot).value();
    }
    std::string signed_by(const Keys& keys, const Edit& edit) {
        return signer(keys).clearsign(edited(edit)).value();
    }
    void serve_edited(const Edit& edit) { serve(signed_by({x_key}, edit)); }
    Edit serial(std::uint64_t number) const {
        return [number](cache::Snapshot& snapshot) { snapshot.serial = number; };
    }

    // "" if what the client says is as expected: a version, or a part of a message.
    void expect(const std::string& what, const std::string& expected) {
        const std::string said = says("cache", x_client);
        EXPECT_THAT(said, HasSubstr(expected)) << what;
        if (!expected.starts_with("25.")) EXPECT_FALSE(said.starts_with("25.")) << what;
        ++x_cases;
    }
    // A client that knows nothing, and the cache as it was published.
    void afresh() {
        EXPECT_TRUE(base::remove_tree(x_client.memory));
        x_client.options.now = x_now;
        x_client.options.accept_expired = false;
        x_client.options.max_age = 0;
        serve(x_second);
    }

    std::string x_thief;
    std::string x_first;
    std::string x_second;
    std::string x_text;
    cache::Snapshot x_snapshot;
    Client x_client;
    std::int64_t x_now = 0;
    int x_cases = 0;
};

TEST_F(SnapshotAttacks, A4) {
    expect("the first that is seen", "25.11.2");
    expect("the same again", "25.11.2");
    serve(signed_by({x_key}, nullptr));
    expect("the same, signed again", "25.11.2");
    serve(x_first);
    expect("rollback by one", "has gone back: its snapshot is number 1, number 2 was seen");
    serve(x_second);
    expect("and the newer one again", "25.11.2");
    serve_edited(serial(40));
    expect("a newer one", "25.11.2");
    serve_edited(serial(39));
    expect("rollback", "number 39, number 40 was seen before");
    serve_edited([](cache::Snapshot& s) {
        s.serial = 40;
        ++s.expires;
    });
    expect("two of one number", "number 40 is not the one that was seen before");

    afresh();
    serve(x_first);
    expect("a client that knows nothing cannot tell", "25.11.1");
    serve(x_second);
    expect("and is told", "25.11.2");

    afresh();
    serve_edited(serial(9'007'199'254'740'991));
    expect("fast-forward", "25.11.2");
    serve(x_second);
    expect("after it, what is right looks old", "has gone back");
    EXPECT_TRUE(base::remove_tree(x_client.memory));
    expect("recovery: the site forgets that cache", "25.11.2");
    serve_edited(serial(18'446'744'073'709'551'615U));
    expect("the last number there is", "25.11.2");

    afresh();
    expect("known", "25.11.2");
    serve_edited([&](cache::Snapshot& s) {
        s.serial = 9;
        s.repository = cache::new_repository_id();
    });
    expect("another cache in its place", "this is another cache");
    EXPECT_TRUE(base::remove_tree(x_client.memory));
    expect("which a new client believes", "25.11.2");
    serve(x_second);
    expect("until the first comes back", "this is another cache");

    afresh();
    serve(read(place("cache") / "bookworm/slurm/deps/_sf/snapshot.json"));
    expect("the snapshot of another mirror", "was signed for bookworm/slurm/deps");
    EXPECT_EQ(x_cases, 19);
}

TEST_F(SnapshotAttacks, FreezeAndClocks) {
    const std::int64_t issued = x_snapshot.issued;
    const std::int64_t expires = x_snapshot.expires;
    x_client.options.now = expires - 1;
    expect("its last second", "25.11.2");
    EXPECT_THAT(x_heard.others, HasSubstr("expires in 0 days"));
    x_client.options.now = expires;
    expect("expired", "expired 0 days ago: newer packages may be held back");
    x_client.options.now = expires + 99 * day;
    expect("long ago", "expired 99 days ago");
    x_client.options.accept_expired = true;
    expect("as was asked for", "25.11.2");
    EXPECT_THAT(x_heard.warnings, HasSubstr("expired 99 days ago"));

    afresh();
    x_client.options.max_age = 200 * day;
    x_client.options.now = issued + 199 * day;
    expect("a cache that is carried, within the site's patience", "25.11.2");
    x_client.options.now = issued + 200 * day;
    expect("and beyond it", "expired 0 days ago");
    x_client.options.max_age = day;
    x_client.options.now = issued + 2 * day;
    expect("a site that is less patient than the publisher", "expired 1 days ago");

    afresh();
    x_client.options.now = issued - 599;
    expect("a slow clock", "25.11.2");
    x_client.options.now = issued - 660;
    expect("a clock that is wrong, or an attacker", "in the future");

    afresh();
    serve_edited([](cache::Snapshot& s) {
        s.serial = 5;
        s.expires = s.issued + 1;
    });
    x_client.options.now = x_now + 60;
    expect("a newer one, expired", "expired");
    x_client.options.now = x_now;
    serve(x_second);
    expect("was seen all the same", "has gone back: its snapshot is number 2, number 5");
}

TEST_F(SnapshotAttacks, WhatIsMissingOrDamaged) {
    EXPECT_TRUE(base::remove_file(file()));
    expect("none, and none was seen", "nothing was published to");
    serve(x_second);
    expect("there it is", "25.11.2");
    EXPECT_TRUE(base::remove_file(file()));
    expect("gone", "its snapshot is gone: number 2 was seen before");
    for (const auto& [what, bytes] : std::map<std::string, std::string>{
             {"empty", ""},
             {"unsigned", x_text},
             {"cut short", x_second.substr(0, x_second.size() / 2)},
             {"without its last byte", x_second.substr(0, x_second.size() - 1)},
             {"twice", x_second + x_second},
             {"one after the other", x_first + x_second},
             {"text before it", "\n" + x_second},
             {"of a thief", signed_by({x_thief}, serial(7))},
             {"NULs", std::string(4096, '\0')}}) {
        serve(bytes);
        expect(what, "napshot");
    }
    const auto body = [](const std::string& whole) {
        return std::pair(whole.substr(0, whole.rfind("-----BEGIN PGP SIGNATURE-----")),
                         whole.substr(whole.rfind("-----BEGIN PGP SIGNATURE-----")));
    };
    serve(body(x_second).first + body(x_first).second);
    expect("one text, another signature", "changed after signing");
    serve(body(x_first).first + body(x_second).second);
    expect("the other way round", "changed after signing");
    // What is no snapshot, well signed.
    for (const std::string& text :
         {base::replace_all(x_text, "\"schema\": 1", "\"schema\": 2"),
          base::replace_all(x_text, "\"serial\": 2", "\"serial\": 0"),
          base::replace_all(x_text, "\"serial\": 2", "\"serial\":  2"), std::string("{}\n")}) {
        serve(signer({x_key}).clearsign(text).value());
        expect(text, "snapshot");
    }
    // 33 MiB: not read to the end.
    serve(x_second + std::string(std::size_t{33} << 20, 'x'));
    expect("endless", "more than the");
    serve(x_second);
    expect("and all is well again", "25.11.2");

    // What cannot be remembered is not believed: after a crash it could be taken back.
    EXPECT_TRUE(base::remove_tree(x_client.memory));
    EXPECT_TRUE(base::write_file(x_client.memory, "a file"));
    expect("no memory", "memory");
    EXPECT_TRUE(base::remove_file(x_client.memory));
    expect("there is one", "25.11.2");
    const std::vector<std::string> records = base::list_dir(x_client.memory).value();
    for (const std::string& name : records)
        if (name.ends_with(".json")) EXPECT_TRUE(base::write_file(x_client.memory / name, "{}"));
    expect("a memory that is damaged", "record of a cache");
}

// Below the snapshot all is named by digest and length.
TEST_F(SnapshotAttacks, MixAndMatch) {
    const fs::path nodes = place("cache") / main_folder / "_sf/index";
    std::map<std::string, std::string> kept;
    const std::vector<std::string> names = base::list_dir(nodes).value();
    for (const std::string& name : names) kept[name] = read(nodes / name);
    // The node of the name and of each version, by both snapshots.
    ASSERT_EQ(kept.size(), 4U);
    const auto put = [](const fs::path& path, const std::string& bytes) {
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out << bytes;
    };
    const std::string used = x_snapshot.names.at("slurm").sha256.hex() + ".json.gz";
    for (const auto& [name, bytes] : kept) {
        if (name == used) continue;
        put(nodes / used, bytes);
        expect("an older node, or another's", "");
    }
    put(nodes / used, kept.at(used) + std::string(std::size_t{1} << 20, ' '));
    expect("a longer node", "");
    put(nodes / used, kept.at(used).substr(1));
    expect("a shorter one", "");
    EXPECT_TRUE(base::remove_file(nodes / used));
    expect("none", used);
    EXPECT_NE(resolve("cache", x_client).error().code, base::Code::absent);
    put(nodes / used, kept.at(used));
    expect("the right one", "25.11.2");
    serve_edited([](cache::Snapshot& s) {
        s.serial = 9;
        s.names.clear();
    });
    expect("a newer snapshot without Slurm", "has no slurm 25.11");
    EXPECT_EQ(resolve("cache", x_client).error().code, base::Code::absent);
}

}  // namespace
}  // namespace sf::install
