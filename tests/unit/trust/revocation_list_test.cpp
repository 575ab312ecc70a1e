// SPDX-License-Identifier: Apache-2.0
// The list of revocations as a text, and which may follow which.
#include "trust/revocation_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "trust/clearsign.hpp"

namespace sf::trust {
namespace {

using ::testing::HasSubstr;

RevocationList example() {
    RevocationList list;
    list.serial = 3;
    list.issued = 1'700'000'000;
    list.expires = 1'800'000'000;
    list.keys = {{Fingerprint::parse(std::string(40, 'A')).value(), "stolen", 1'650'000'000},
                 {Fingerprint::parse(std::string(40, 'B')).value(), "superseded", 1'690'000'000}};
    list.builds = {{base::Digest::parse(std::string(64, '1')).value(), "bad", 1'690'000'001}};
    return list;
}

TEST(RevocationList, HasOneText) {
    const std::string text = to_text(example()).value();
    EXPECT_TRUE(check_clearsign_text(text));
    const RevocationList again = revocations_from_text(text).value();
    EXPECT_EQ(to_text(again).value(), text);
    EXPECT_EQ(again.withdrawn().size(), 2U);
    EXPECT_EQ(again.withdrawn().at(Fingerprint::parse(std::string(40, 'A')).value()), "stolen");
    ASSERT_NE(again.reason_of(base::Digest::parse(std::string(64, '1')).value()), nullptr);
    EXPECT_EQ(again.reason_of(base::sha256("x")), nullptr);
    RevocationList empty = example();
    empty.keys.clear();
    empty.builds.clear();
    EXPECT_TRUE(revocations_from_text(to_text(empty).value()));
}

TEST(RevocationList, ReaderIsTotal) {
    const std::string text = to_text(example()).value();
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(revocations_from_text(text.substr(0, size))) << size;
    const auto without = [&](std::string_view from, std::string_view to) {
        EXPECT_NE(text.find(from), std::string::npos) << from;
        return base::replace_all(text, from, to);
    };
    for (const std::string& bad : {text + " ",
                                   text + text,
                                   "\n" + text,
                                   without("\"schema\": 1", "\"schema\": 2"),
                                   without("\"serial\": 3", "\"serial\": 0"),
                                   without("\"serial\": 3", "\"serial\": -3"),
                                   without("\"serial\": 3", "\"serial\": 3.0"),
                                   without("\"serial\": 3", "\"serial\":3"),
                                   without("1800000000", "1700000000"),
                                   without("1800000000", "253402300800"),
                                   without(std::string(40, 'B'), std::string(40, 'A')),
                                   without(std::string(40, 'A'), std::string(40, 'C')),
                                   without(std::string(40, 'A'), std::string(40, 'a')),
                                   without(std::string(64, '1'), std::string(63, '1')),
                                   without("\"stolen\"", "\"\""),
                                   without("\"stolen\"", "\"sto\\nlen\""),
                                   without("\"stolen\"", "\" stolen\""),
                                   without("\"stolen\"", "\"" + std::string(201, 's') + "\""),
                                   without("\"stolen\"", "\"stolen\",\n\"x\": 1"),
                                   without("1650000000", "-1"),
                                   std::string("{}"),
                                   std::string("null")})
        EXPECT_FALSE(revocations_from_text(bad)) << bad;
    RevocationList unsorted = example();
    std::swap(unsorted.keys[0], unsorted.keys[1]);
    EXPECT_FALSE(to_text(unsorted));
}

TEST(RevocationList, OnlyNewerOnesFollow) {
    const RevocationList list = example();
    const std::int64_t now = list.issued;
    const auto says = [&](const RevocationList& next, const std::optional<SeenRevocations>& seen,
                          std::int64_t clock) {
        const auto accepted = accept(next, to_text(next).value(), seen, clock);
        return accepted ? "yes, " + std::to_string(accepted->serial) : accepted.error().message;
    };
    EXPECT_EQ(says(list, std::nullopt, now), "yes, 3");
    EXPECT_EQ(says(list, std::nullopt, now - 600), "yes, 3");
    EXPECT_THAT(says(list, std::nullopt, now - 601), HasSubstr("in the future"));
    const SeenRevocations seen = accept(list, to_text(list).value(), std::nullopt, now).value();
    EXPECT_EQ(says(list, seen, now), "yes, 3");
    RevocationList other = list;
    other.serial = 2;
    EXPECT_THAT(says(other, seen, now), HasSubstr("has gone back"));
    other.serial = 3;
    other.builds.clear();
    EXPECT_THAT(says(other, seen, now), HasSubstr("not the one that was seen before"));
    other.serial = 4;
    EXPECT_EQ(says(other, seen, now), "yes, 4");

    const std::string record = to_json(seen).value();
    EXPECT_EQ(seen_revocations_from_json(record).value(), seen);
    for (const std::string& bad : {std::string(), std::string("{}"), record.substr(1), record + "x",
                                   base::replace_all(record, "\"serial\":3", "\"serial\":0"),
                                   base::replace_all(record, "\"schema\":1", "\"schema\":2")})
        EXPECT_FALSE(seen_revocations_from_json(bad)) << bad;
}

}  // namespace
}  // namespace sf::trust
