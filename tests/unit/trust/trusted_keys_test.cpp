// SPDX-License-Identifier: Apache-2.0
// What is made of the public keys of those a site trusts: in one run of gpg where that is enough,
// in several where keys have to be merged. Both have to come to the same.
#include <gtest/gtest.h>

#include "support/gnupg.hpp"
#include "trust/trust_store.hpp"

namespace sf::trust {
namespace {

class TrustedKeysTest : public ::testing::Test {
protected:
    static TrustedKeys from(const std::string& key, const std::vector<std::string>& texts) {
        return trusted_from({{Fingerprint::parse(key).value(), "us"}}, texts).value();
    }
    static std::string shown(const KeyPart& part) {
        return fmt::format("{} {} {} {} {} {} {}", part.fingerprint.text(), part.algorithm,
                           part.bits, part.created, part.expires.value_or(0), part.revoked,
                           part.expired);
    }
    static std::string shown(const TrustedKeys& trusted) {
        std::string text;
        for (const Key& key : trusted.keys) {
            text += shown(key.primary) + (key.secret ? " secret" : "") + '\n';
            for (const KeyPart& part : key.subkeys) text += "  " + shown(part) + '\n';
        }
        for (const std::string& warning : trusted.warnings) text += warning + '\n';
        return text;
    }
    test::Gnupg gnupg;
};

TEST_F(TrustedKeysTest, OneRunSaysWhatSeveralSay) {
    const std::string plain = gnupg.make_key("Plain <plain@example.org>");
    const std::string expired =
        gnupg.make_key("Expired <e@example.org>", "ed25519", "1d", "20200102T000000");
    const std::string weak = gnupg.make_key("Weak <w@example.org>", "rsa1024");
    const std::string parts = gnupg.make_key("Parts <p@example.org>");
    gnupg.add_subkey(parts);
    gnupg.add_subkey(parts, "cv25519", "encr");
    gnupg.revoke_subkey(parts, 1);
    const std::string revoked = gnupg.make_key("Revoked <r@example.org>");
    gnupg.revoke_key(revoked);
    for (const std::string& key : {plain, expired, weak, parts, revoked}) {
        const std::string text = gnupg.export_key(key);
        const TrustedKeys once = from(key, {text});
        const TrustedKeys merged = from(key, {text, text});  // twice: nothing but merging will do
        EXPECT_EQ(shown(once), shown(merged));
        EXPECT_EQ(once.keyring, merged.keyring) << key;
        EXPECT_EQ(once.keys.size(), 1U);
    }
    EXPECT_TRUE(from(expired, {gnupg.export_key(expired)}).keys[0].primary.expired);
    EXPECT_TRUE(from(revoked, {gnupg.export_key(revoked)}).keys[0].primary.revoked);
}

TEST_F(TrustedKeysTest, SeveralKeysAtOnce) {
    const std::string one = gnupg.make_key("One <one@example.org>");
    const std::string two = gnupg.make_key("Two <two@example.org>");
    const std::vector<TrustEntry> entries{{Fingerprint::parse(one).value(), "1"},
                                          {Fingerprint::parse(two).value(), "2"}};
    const std::vector<std::string> texts{gnupg.export_key(one), gnupg.export_key(two)};
    const TrustedKeys both = trusted_from(entries, texts).value();
    EXPECT_EQ(both.keys.size(), 2U);
    EXPECT_EQ(shown(both), shown(trusted_from(entries, {texts[0], texts[1], texts[0]}).value()));
}

// A revocation that only one of two places has heard of counts.
TEST_F(TrustedKeysTest, WhatIsKnownOfAKeyIsMerged) {
    const std::string key = gnupg.make_key("Us <us@example.org>");
    const std::string before = gnupg.export_key(key);
    gnupg.revoke_key(key);
    const std::string after = gnupg.export_key(key);
    EXPECT_FALSE(from(key, {before}).keys[0].primary.revoked);
    for (const auto& texts : {std::vector{before, after}, {after, before}, {before + after}})
        EXPECT_TRUE(from(key, texts).keys[0].primary.revoked);
}

TEST_F(TrustedKeysTest, NothingButThePublicPartsOfTrustedKeysComesIn) {
    const std::string key = gnupg.make_key("Us <us@example.org>");
    const std::string other = gnupg.make_key("Them <them@example.org>");
    const TrustedKeys plain = from(key, {gnupg.export_key(key)});
    const std::string both = gnupg.run({"--armor", "--export", key, other});
    EXPECT_EQ(from(key, {both}).keyring, plain.keyring);
    const std::string secret = gnupg.run({"--armor", "--export-secret-keys", key});
    const TrustedKeys of_secret = from(key, {secret});
    EXPECT_EQ(of_secret.keyring, plain.keyring);
    EXPECT_EQ(shown(of_secret), shown(plain));
    EXPECT_EQ(from(key, {secret, gnupg.export_key(key)}).keyring, plain.keyring);
}

TEST_F(TrustedKeysTest, AKeyWithoutAPublicPartIsAWarning) {
    const std::string key = gnupg.make_key("Us <us@example.org>");
    const std::string other = gnupg.make_key("Them <them@example.org>");
    for (const std::string& text : {std::string(), std::string("no key\n"), gnupg.export_key(other),
                                    gnupg.export_key(key).substr(0, 200)}) {
        const TrustedKeys trusted = from(key, {text});
        EXPECT_TRUE(trusted.keys.empty());
        EXPECT_EQ(trusted.warnings.size(), 1U);
    }
}

}  // namespace
}  // namespace sf::trust
