// SPDX-License-Identifier: Apache-2.0
// L1 of the threat model, our own arithmetic: around the seconds where 31 and 32 bits end, in 2038
// and 2106, and up to the last one that is taken, the end of the year 9999, snapshots, lists of
// revocations, leases and signatures are judged as at any other time. What the whole program and
// GnuPG do then is in tests/reliability/offline_test.cpp.
#include <gmock/gmock.h>

#include "base/text.hpp"
#include "cache/snapshot.hpp"
#include "tree/leases.hpp"
#include "trust/key.hpp"
#include "trust/revocation_list.hpp"
#include "trust/status.hpp"
#include "trust/verdict.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t day = 86'400;
constexpr std::int64_t year = 365 * day;
constexpr std::int64_t of_31_bits = std::int64_t{1} << 31;
constexpr std::int64_t of_32_bits = std::int64_t{1} << 32;
constexpr std::int64_t of_all = 253'402'300'799;  // the last second of the year 9999
constexpr std::int64_t ends[] = {1'790'000'000,  of_31_bits - 1,    of_31_bits,
                                 of_31_bits + 1, of_31_bits + year, of_32_bits - 1,
                                 of_32_bits,     of_32_bits + 1,    of_32_bits + year,
                                 of_all - year,  of_all - 2 * year};

TEST(ClockEnds, Snapshots) {
    const std::int64_t life = cache::snapshot_lifetime.count();
    cache::Snapshot snapshot;
    snapshot.repository = "00112233445566778899aabbccddeeff";
    snapshot.mirror = "bookworm/slurm/25.11";
    snapshot.serial = 7;
    snapshot.names["slurm"] = {base::sha256("slurm"), 123};
    for (const std::int64_t at : ends) {
        SCOPED_TRACE(at);
        snapshot.issued = at;
        snapshot.expires = at + life;
        const std::string text = cache::to_text(snapshot).value();
        const cache::Snapshot read = cache::snapshot_from_text(text).value();
        EXPECT_EQ(read.issued, at);
        EXPECT_EQ(read.expires, at + life);
        EXPECT_TRUE(cache::accept(read, text, std::nullopt, at - 600));
        EXPECT_TRUE(cache::accept(read, text, std::nullopt, at + 100 * year));
        for (const std::int64_t early : {std::int64_t{601}, 10 * year}) {
            const auto refused = cache::accept(read, text, std::nullopt, at - early);
            ASSERT_FALSE(refused);
            EXPECT_THAT(refused.error().text(),
                        HasSubstr(fmt::format("{} s in the future", early)));
        }
        EXPECT_EQ(cache::half_time(read), at + life / 2);
        EXPECT_EQ(cache::freshness(read, at), cache::Freshness::fresh);
        EXPECT_EQ(cache::freshness(read, at + life / 2), cache::Freshness::ageing);
        EXPECT_EQ(cache::freshness(read, at + life - 1), cache::Freshness::ageing);
        EXPECT_EQ(cache::freshness(read, at + life), cache::Freshness::expired);
        EXPECT_EQ(cache::freshness(read, at + 10 * year), cache::Freshness::expired);
    }
    snapshot.issued = of_all - 1;
    snapshot.expires = of_all;
    EXPECT_TRUE(cache::to_text(snapshot));
    snapshot.expires = of_all + 1;
    EXPECT_FALSE(cache::to_text(snapshot));
    snapshot.issued = -1;
    snapshot.expires = life;
    EXPECT_FALSE(cache::to_text(snapshot));
}

TEST(ClockEnds, Revocations) {
    trust::RevocationList list;
    list.serial = 1;
    for (const std::int64_t at : ends) {
        SCOPED_TRACE(at);
        list.issued = at;
        list.expires = at + trust::revocations_lifetime.count();
        list.builds = {{base::sha256("slurm"), "bad", at}};
        const std::string text = trust::to_text(list).value();
        const trust::RevocationList read = trust::revocations_from_text(text).value();
        EXPECT_EQ(read.issued, at);
        EXPECT_EQ(read.expires, list.expires);
        EXPECT_EQ(read.builds[0].time, at);
        EXPECT_TRUE(trust::accept(read, text, std::nullopt, at - 600));
        EXPECT_FALSE(trust::accept(read, text, std::nullopt, at - 601));
        EXPECT_TRUE(trust::accept(read, text, std::nullopt, at + 100 * year));
    }
}

TEST(ClockEnds, Leases) {
    tree::Lease lease;
    lease.host = "node1";
    lease.boot = "01234567-89ab-cdef-0123-456789abcdef";
    for (const std::int64_t at : ends) {
        SCOPED_TRACE(at);
        lease.made = at;
        lease.expires = at + day;
        const tree::Lease read = tree::lease_from_json(tree::to_json(lease).value()).value();
        EXPECT_EQ(read.made, at);
        EXPECT_TRUE(read.fresh(at + day - 1));
        EXPECT_FALSE(read.fresh(at + day));
        EXPECT_FALSE(read.fresh(at + 10 * year));
    }
}

// GnuPG itself makes none past 2106.
TEST(ClockEnds, Signatures) {
    const std::string primary(40, 'A');
    const trust::KeyPart part{.fingerprint = trust::Fingerprint::parse(primary).value(),
                              .key_id = primary.substr(24),
                              .algorithm = 22,
                              .bits = 255,
                              .created = 1'500'000'000,
                              .expires = {},
                              .revoked = false,
                              .expired = false,
                              .signs = true};
    const std::vector<trust::Key> listed{trust::Key{part, {}, {}, false}};
    for (const std::int64_t at : ends) {
        SCOPED_TRACE(at);
        const std::string said = fmt::format(
            "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG {} Some One <x@example.org>\n"
            "[GNUPG:] VALIDSIG {} {} {} 0 4 0 22 10 00 {}\n",
            primary.substr(24), primary, base::utc_date(at), at, primary);
        const auto status = trust::parse_status(said);
        ASSERT_TRUE(status) << status.error().text();
        ASSERT_EQ(status->signatures.size(), 1U);
        EXPECT_EQ(status->signatures[0].created, at);
        const auto finding = [&](std::int64_t now) {
            return trust::judge(*status, listed, now).finding;
        };
        EXPECT_EQ(finding(at), trust::Finding::good);
        EXPECT_EQ(finding(at - 600), trust::Finding::good);
        EXPECT_EQ(finding(at - 601), trust::Finding::future);
        EXPECT_EQ(finding(at - 10 * year), trust::Finding::future);
        EXPECT_EQ(finding(at + 10 * year), trust::Finding::good);
    }
}

TEST(ClockEnds, AreTold) {
    EXPECT_EQ(base::utc_stamp(of_31_bits), "20380119-031408");
    EXPECT_EQ(base::utc_time(of_32_bits), "2106-02-07 06:28:16 UTC");
    EXPECT_EQ(base::utc_stamp(of_32_bits), "21060207-062816");
    EXPECT_EQ(base::utc_date(of_all), "9999-12-31");
    EXPECT_EQ(base::utc_date(-1), "1969-12-31");
}

}  // namespace
}  // namespace sf::install
