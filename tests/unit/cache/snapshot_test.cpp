// SPDX-License-Identifier: Apache-2.0
// Snapshots: their one text, and which may follow which.
#include "cache/snapshot.hpp"

#include <gmock/gmock.h>

#include "base/text.hpp"

namespace sf::cache {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t now = 1'790'000'000;

Snapshot example() {
    Snapshot snapshot;
    snapshot.repository = "00112233445566778899aabbccddeeff";
    snapshot.mirror = "noble/slurm/25.11";
    snapshot.serial = 7;
    snapshot.issued = now;
    snapshot.expires = now + snapshot_lifetime.count();
    snapshot.names["slurm"] = {base::sha256("slurm"), 123};
    snapshot.names["munge"] = {base::sha256("munge"), 45};
    snapshot.files["builds/slurm-25.11-noble-software.tar.gz"] = {base::sha256("bundle"),
                                                                  std::uint64_t{1} << 33};
    return snapshot;
}

TEST(Snapshot, HasOneText) {
    const std::string text = to_text(example()).value();
    const Snapshot again = snapshot_from_text(text).value();
    EXPECT_EQ(to_text(again).value(), text);
    EXPECT_EQ(again.names, example().names);
    EXPECT_EQ(again.files, example().files);
    EXPECT_EQ(again.serial, 7U);
    // gpg cuts lines of more than 19,993 bytes off without a word.
    for (const std::string& line : base::split(text, '\n')) EXPECT_LT(line.size(), 200U);
    EXPECT_TRUE(text.ends_with("}\n"));
}

TEST(Snapshot, ReaderIsTotal) {
    const std::string text = to_text(example()).value();
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(snapshot_from_text(text.substr(0, i)));
        for (const int bit : {0, 1, 2, 3, 4, 5, 6, 7}) {
            std::string bent = text;
            bent[i] = static_cast<char>(bent[i] ^ (1 << bit));
            const auto read = snapshot_from_text(bent);
            if (read) EXPECT_EQ(to_text(*read).value(), bent);
        }
    }
    EXPECT_FALSE(snapshot_from_text(text + " "));
    EXPECT_FALSE(snapshot_from_text(base::replace_all(text, "\"serial\": 7", "\"serial\": 0")));
    EXPECT_FALSE(snapshot_from_text(base::replace_all(text, "builds/", "../builds/")));
    EXPECT_FALSE(snapshot_from_text(base::replace_all(text, "\"slurm\"", "\"Slurm\"")));
    EXPECT_THAT(snapshot_from_text(base::replace_all(text, "\"schema\": 1", "\"schema\": 2"))
                    .error()
                    .text(),
                HasSubstr("schema 2"));
}

TEST(Snapshot, WhatCannotBeSignedIsRefused) {
    Snapshot wrong = example();
    wrong.repository = "0011";
    EXPECT_FALSE(to_text(wrong));
    wrong = example();
    wrong.expires = wrong.issued;
    EXPECT_FALSE(to_text(wrong));
    wrong = example();
    wrong.expires = std::numeric_limits<std::int64_t>::max();
    EXPECT_FALSE(to_text(wrong));
    wrong = example();
    wrong.names["a/b"] = {};
    EXPECT_FALSE(to_text(wrong));
}

TEST(Snapshot, OnlyNewerOnesFollow) {
    const Snapshot first = example();
    const std::string text = to_text(first).value();
    const SeenSnapshot seen = accept(first, text, std::nullopt, now).value();
    EXPECT_EQ(seen.serial, 7U);
    EXPECT_EQ(seen_from_json(to_json(seen).value()).value(), seen);
    EXPECT_EQ(accept(first, text, seen, now).value(), seen) << "the same again";

    Snapshot next = first;
    next.serial = 8;
    EXPECT_EQ(accept(next, to_text(next).value(), seen, now).value().serial, 8U);

    const auto refusal = [&](const Snapshot& snapshot, std::int64_t when) {
        const auto answer = accept(snapshot, to_text(snapshot).value(), seen, when);
        if (answer) return std::string("accepted");
        EXPECT_EQ(answer.error().code, base::Code::refused);
        return answer.error().text();
    };
    Snapshot older = first;
    older.serial = 6;
    EXPECT_THAT(refusal(older, now), HasSubstr("gone back: its snapshot is number 6, number 7"));
    Snapshot other = first;
    other.repository[0] = 'f';
    EXPECT_THAT(refusal(other, now), HasSubstr("another cache"));
    Snapshot forked = first;
    forked.names.erase("munge");
    EXPECT_THAT(refusal(forked, now), HasSubstr("not the one that was seen"));
    next.issued += 601;
    EXPECT_THAT(refusal(next, now), HasSubstr("601 s in the future"));
    EXPECT_EQ(refusal(next, now + 1), "accepted");
}

TEST(Snapshot, Ages) {
    const Snapshot snapshot = example();
    const std::int64_t life = snapshot_lifetime.count();
    EXPECT_EQ(freshness(snapshot, now), Freshness::fresh);
    EXPECT_EQ(freshness(snapshot, now + life / 2 - 1), Freshness::fresh);
    EXPECT_EQ(freshness(snapshot, now + life / 2), Freshness::ageing);
    EXPECT_EQ(freshness(snapshot, now + life - 1), Freshness::ageing);
    EXPECT_EQ(freshness(snapshot, now + life), Freshness::expired);
}

TEST(Snapshot, RepositoriesAreToldApart) {
    const std::string one = new_repository_id();
    EXPECT_EQ(one.size(), 32U);
    EXPECT_NE(one, new_repository_id());
}

TEST(SeenSnapshot, ReaderIsTotal) {
    const SeenSnapshot seen{"00112233445566778899aabbccddeeff", 3, base::sha256("x")};
    const std::string text = to_json(seen).value();
    for (std::size_t i = 0; i < text.size(); ++i) EXPECT_FALSE(seen_from_json(text.substr(0, i)));
    EXPECT_FALSE(seen_from_json(base::replace_all(text, ":3,", ":0,")));
    EXPECT_FALSE(seen_from_json("[]"));
}

}  // namespace
}  // namespace sf::cache
