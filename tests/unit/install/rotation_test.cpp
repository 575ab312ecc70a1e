// SPDX-License-Identifier: Apache-2.0
// B2 of the threat model: a signing key is replaced by another, through real caches: who publishes
// with which keys, who trusts which, and what is installed in each case.
#include <gmock/gmock.h>

#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

class Rotation : public CacheTest {
protected:
    Rotation()
        : x_old(x_gpg.make_key("Old <old@example.org>")),
          x_new(x_gpg.make_key("New <new@example.org>")) {}
    std::string x_old;
    std::string x_new;
};

TEST_F(Rotation, EveryReleaseForEverySite) {
    for (const auto& [cache, keys] : std::map<std::string, Keys>{{"old", {x_old}},
                                                                 {"dual", {x_old, x_new}},
                                                                 {"dual2", {x_new, x_old}},
                                                                 {"new", {x_new}}}) {
        const auto report = publish(cache, "25.11.2", keys);
        ASSERT_TRUE(report) << cache << ": " << report.error().text();
    }
    std::map<std::string, Client> sites;
    sites.emplace("old", client({x_old}));
    sites.emplace("new", client({x_new}));
    sites.emplace("both", client({x_old, x_new}));
    // A root has taken the old key back: its signatures count for nothing.
    Client listed = client({x_old, x_new});
    listed.trusted.withdrawn.emplace(trust::Fingerprint::parse(x_old).value(), "stolen");
    sites.emplace("withdrawn", listed);
    // Its owner has.
    x_gpg.revoke_key(x_old);
    sites.emplace("revoked", client({x_old, x_new}));
    const std::string ok = "25.11.2";
    const std::map<std::string, std::map<std::string, std::string>> table{
        {"old",
         {{"old", ok},
          {"new", "not trusted"},
          {"both", ok},
          {"withdrawn", "withdrawn"},
          {"revoked", "revoked key"}}},
        {"dual",
         {{"old", ok}, {"new", ok}, {"both", ok}, {"withdrawn", ok}, {"revoked", "revoked key"}}},
        {"dual2",
         {{"old", ok}, {"new", ok}, {"both", ok}, {"withdrawn", ok}, {"revoked", "revoked key"}}},
        {"new",
         {{"old", "not trusted"}, {"new", ok}, {"both", ok}, {"withdrawn", ok}, {"revoked", ok}}},
    };
    int cells = 0;
    for (const auto& [cache, row] : table) {
        for (const auto& [site, expected] : row) {
            SCOPED_TRACE(fmt::format("a cache signed by {}, a site that trusts {}", cache, site));
            Client& here = sites.at(site);
            here.options.memory = x_folder.path() / ("memory-" + cache + site);
            const std::string prefix = "prefix-" + cache + site;
            const auto installed = install_into(prefix, cache, here);
            EXPECT_EQ(installed.has_value(), expected == ok);
            if (!installed) EXPECT_THAT(installed.error().text(), HasSubstr(expected));
            EXPECT_EQ(base::exists(x_folder.path() / prefix / "views/25.11.2/bin/srun"),
                      expected == ok);
            ++cells;
        }
    }
    EXPECT_EQ(cells, 20);
}

TEST_F(Rotation, TheNewKeyTakesACacheOverAndGoesOnAlone) {
    Client old_site = client({x_old}, "old site");
    Client new_site = client({x_new}, "new site");
    Client both = client({x_old, x_new}, "careful site");
    ASSERT_TRUE(publish("cache", "25.11.1", {x_old}));
    EXPECT_EQ(says("cache", old_site), "25.11.1");
    EXPECT_EQ(says("cache", both), "25.11.1");
    EXPECT_THAT(says("cache", new_site), HasSubstr("not trusted"));

    // With the new key alone, and no trust in the old one, nothing is taken over.
    const auto refused = publish("cache", "25.11.2", {x_new});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("not trusted"));

    const auto taken = publish("cache", "25.11.2", {x_new, x_old});
    ASSERT_TRUE(taken) << taken.error().text();
    EXPECT_EQ(says("cache", old_site), "25.11.2");
    EXPECT_EQ(says("cache", both), "25.11.2");
    EXPECT_EQ(says("cache", new_site), "25.11.2");
    // What the old key alone has signed stays the old key's.
    EXPECT_EQ(says("cache", old_site, "25.11.1"), "25.11.1");
    EXPECT_THAT(says("cache", new_site, "25.11.1"), HasSubstr("not trusted"));

    const auto alone = publish("cache", "25.11.3", {x_new}, {x_old, x_new});
    ASSERT_TRUE(alone) << alone.error().text();
    EXPECT_EQ(says("cache", new_site), "25.11.3");
    EXPECT_EQ(says("cache", both), "25.11.3");
    EXPECT_EQ(says("cache", both, "25.11.1"), "25.11.1");
    EXPECT_THAT(says("cache", old_site), HasSubstr("not trusted"));
    // Nobody was sent back on the way.
    EXPECT_EQ(alone->serial, taken->serial + 1);

    // Both keys lie there for Spack.
    for (const std::string& key : {x_old, x_new})
        EXPECT_TRUE(base::exists(place("cache") / main_folder / "v3/manifests/key" /
                                 (key + ".key.manifest.json")));
    EXPECT_THAT(read(place("cache") / main_folder / "v3/manifests/key/keys.manifest.json"),
                HasSubstr("keyindex"));
}

TEST_F(Rotation, ASecondSignatureComesThoughNothingElseIsNew) {
    ASSERT_TRUE(publish("cache", "25.11.2", {x_old}));
    const Client new_site = client({x_new});
    EXPECT_THAT(says("cache", new_site), HasSubstr("not trusted"));
    const auto dual = publish("cache", "25.11.2", {x_old, x_new});
    ASSERT_TRUE(dual) << dual.error().text();
    EXPECT_TRUE(dual->changed);
    // The snapshot is believed now; the package was signed by the old key, and never changes.
    EXPECT_THAT(says("cache", new_site), HasSubstr(".spec.manifest.json is signed by a key that is "
                                                   "not trusted"));
    const auto again = publish("cache", "25.11.2", {x_old, x_new});
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_FALSE(again->changed);
    EXPECT_EQ(again->serial, dual->serial);
    // One key alone does not take the other's signature away.
    const auto one = publish("cache", "25.11.2", {x_old});
    ASSERT_TRUE(one) << one.error().text();
    EXPECT_FALSE(one->changed);
}

TEST_F(Rotation, OneKeyDoesNotSignTwice) {
    trust::GpgSigner signs = signer({x_old});
    EXPECT_FALSE(signs.also(signer({x_old})));
    EXPECT_EQ(signs.primaries().size(), 1U);
}

}  // namespace
}  // namespace sf::install
