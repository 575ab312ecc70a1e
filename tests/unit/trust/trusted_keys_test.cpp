// SPDX-License-Identifier: Apache-2.0
// What is made of the public keys of those a site trusts: in one run of gpg where that is enough,
// in several where keys have to be merged. Both have to come to the same.
#include <gtest/gtest.h>

#include "base/files.hpp"
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

// gpg begins its output anew with each key: none may be missing for it.
TEST_F(TrustedKeysTest, SeveralKeysAtOnce) {
    const std::string one = gnupg.make_key("One <one@example.org>");
    const std::string two = gnupg.make_key("Two <two@example.org>");
    const std::vector<TrustEntry> entries{{Fingerprint::parse(one).value(), "1"},
                                          {Fingerprint::parse(two).value(), "2"}};
    const std::vector<std::string> texts{gnupg.export_key(one), gnupg.export_key(two)};
    const TrustedKeys first = from(one, {texts[0]});
    const TrustedKeys second = from(two, {texts[1]});
    const std::string together = gnupg.run({"--armor", "--export", one, two});
    for (const auto& said :
         {texts, {texts[1], texts[0]}, {together}, {texts[0], texts[1], texts[0]}}) {
        const TrustedKeys both = trusted_from(entries, said).value();
        EXPECT_EQ(both.keys.size(), 2U);
        EXPECT_NE(both.keyring.find(first.keyring), std::string::npos);
        EXPECT_NE(both.keyring.find(second.keyring), std::string::npos);
        EXPECT_EQ(both.keyring.size(), first.keyring.size() + second.keyring.size());
    }
    // Each of the two is found in a text with both.
    EXPECT_EQ(from(one, {together}).keyring, first.keyring);
    EXPECT_EQ(from(two, {together}).keyring, second.keyring);
}

// A revocation certificate is a text without the key that it revokes.
TEST_F(TrustedKeysTest, ARevocationBesideTheKeyCounts) {
    const std::string key = gnupg.make_key("Us <us@example.org>");
    const std::string text = gnupg.export_key(key);
    std::string revocation =
        base::read_file(gnupg.home() / "openpgp-revocs.d" / (key + ".rev")).value();
    revocation = revocation.substr(revocation.find(":-----BEGIN") + 1);
    for (const auto& texts : {std::vector{text, revocation}, {text + revocation}}) {
        const TrustedKeys once = from(key, texts);
        std::vector<std::string> more = texts;
        more.push_back(text);
        const TrustedKeys merged = from(key, more);
        EXPECT_EQ(shown(once), shown(merged));
        EXPECT_EQ(once.keyring, merged.keyring);
    }
    EXPECT_TRUE(from(key, {text, revocation}).keys[0].primary.revoked);
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
