// SPDX-License-Identifier: Apache-2.0
// The matrix of keys and signatures against real GnuPG: each case has its own verdict.
#include "trust/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <map>

#include "base/text.hpp"
#include "made_key.hpp"
#include "support/gnupg.hpp"
#include "trust/armor.hpp"

namespace sf::trust {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view data = "the bytes of a release\n";

class Verdicts : public ::testing::Test {
protected:
    TrustedKeys trust(const std::vector<std::string>& fingerprints) {
        std::vector<TrustEntry> entries;
        std::vector<std::string> keys;
        for (const std::string& text : fingerprints) {
            entries.push_back({Fingerprint::parse(text).value(), "label of " + text.substr(0, 4)});
            keys.push_back(x_gpg.export_key(text));
        }
        auto trusted = trusted_from(entries, keys);
        EXPECT_TRUE(trusted) << (trusted ? "" : trusted.error().text());
        return std::move(*trusted);
    }

    // "" if accepted, else the message.
    static std::string verdict(const TrustedKeys& trusted, std::string_view signature,
                               std::string_view bytes = data, VerifierOptions options = {}) {
        auto verifier = Verifier::create(trusted, std::move(options));
        if (!verifier) return verifier.error().text();
        auto good = verifier->verify_bytes(bytes, signature, "release.tar.gz");
        if (good) return {};
        EXPECT_EQ(good.error().code, base::Code::refused) << good.error().text();
        return good.error().text();
    }

    test::Gnupg x_gpg;
};

TEST_F(Verdicts, good) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    auto verifier = Verifier::create(trusted);
    ASSERT_TRUE(verifier) << verifier.error().text();
    const std::string signature = x_gpg.sign(data, {key});
    const auto good = verifier->verify_bytes(data, signature, "x");
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_EQ(good->primary.text(), key);
    EXPECT_EQ(good->key.text(), key);
    EXPECT_EQ(good->label, "label of " + key.substr(0, 4));
    EXPECT_GT(good->created, 0);
    // The same verifier again, and after a refusal.
    EXPECT_FALSE(verifier->verify_bytes("other", signature, "x"));
    EXPECT_TRUE(verifier->verify_bytes(data, signature, "x"));
}

TEST_F(Verdicts, good_rsa_4096_and_3072) {
    const std::string rsa4096 = x_gpg.make_key("Rsa <rsa@example.org>", "rsa4096");
    EXPECT_EQ(verdict(trust({rsa4096}), x_gpg.sign(data, {rsa4096})), "");
    const std::string rsa3072 = x_gpg.make_key("Rsa3 <rsa3@example.org>", "rsa3072");
    EXPECT_EQ(verdict(trust({rsa3072}), x_gpg.sign(data, {rsa3072})), "");
}

TEST_F(Verdicts, good_ecdsa) {
    const std::string key = x_gpg.make_key("Ec <ec@example.org>", "nistp256");
    EXPECT_EQ(verdict(trust({key}), x_gpg.sign(data, {key})), "");
}

TEST_F(Verdicts, unknown_signer_is_named) {
    const std::string listed = x_gpg.make_key("Listed <a@example.org>");
    const std::string other = x_gpg.make_key("Other <b@example.org>");
    const std::string text = verdict(trust({listed}), x_gpg.sign(data, {other}));
    EXPECT_THAT(text, HasSubstr("not trusted"));
    EXPECT_THAT(text, HasSubstr(other));
}

TEST_F(Verdicts, same_user_id_other_key) {
    const std::string listed = x_gpg.make_key("Same <same@example.org>");
    const std::string other = x_gpg.make_key("Same <same@example.org>");
    EXPECT_THAT(verdict(trust({listed}), x_gpg.sign(data, {other})), HasSubstr("not trusted"));
}

TEST_F(Verdicts, key_in_the_keyring_without_being_listed) {
    const std::string listed = x_gpg.make_key("Listed <a@example.org>");
    const std::string other = x_gpg.make_key("Other <b@example.org>");
    // One key file with two keys in it, as a careless administrator makes them.
    auto trusted = trusted_from({{Fingerprint::parse(listed).value(), ""}},
                                {x_gpg.export_key(listed) + x_gpg.export_key(other)});
    ASSERT_TRUE(trusted);
    EXPECT_EQ(trusted->keys.size(), 1U);
    EXPECT_THAT(verdict(*trusted, x_gpg.sign(data, {other})), HasSubstr("not trusted"));
}

TEST_F(Verdicts, expired_key) {
    const std::string key =
        x_gpg.make_key("Old <old@example.org>", "ed25519", "2020-02-01", "20200102T000000");
    const std::string signature =
        x_gpg.sign(data, {key}, {"--faked-system-time", "20200103T000000"});
    EXPECT_THAT(verdict(trust({key}), signature), HasSubstr("expired key"));
}

TEST_F(Verdicts, expired_signature) {
    const std::string key =
        x_gpg.make_key("Sig <sig@example.org>", "ed25519", "never", "20200102T000000");
    const std::string signature = x_gpg.sign(
        data, {key}, {"--faked-system-time", "20200103T000000", "--default-sig-expire", "1d"});
    EXPECT_THAT(verdict(trust({key}), signature), HasSubstr("has expired"));
}

TEST_F(Verdicts, revoked_key) {
    const std::string key = x_gpg.make_key("Gone <gone@example.org>");
    const std::string signature = x_gpg.sign(data, {key});
    EXPECT_EQ(verdict(trust({key}), signature), "");
    x_gpg.revoke_key(key);
    EXPECT_THAT(verdict(trust({key}), signature), HasSubstr("revoked"));
}

TEST_F(Verdicts, signing_subkey_of_a_listed_primary) {
    const std::string key = x_gpg.make_key("Sub <sub@example.org>");
    const std::string subkey = x_gpg.add_subkey(key);
    const std::string signature = x_gpg.sign(data, {subkey + "!"});
    const TrustedKeys trusted = trust({key});
    auto verifier = Verifier::create(trusted);
    ASSERT_TRUE(verifier);
    const auto good = verifier->verify_bytes(data, signature, "x");
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_EQ(good->primary.text(), key);
    EXPECT_EQ(good->key.text(), subkey);
}

TEST_F(Verdicts, revoked_subkey_beside_a_good_one) {
    const std::string key = x_gpg.make_key("Sub <sub@example.org>");
    const std::string subkey = x_gpg.add_subkey(key);
    const std::string by_subkey = x_gpg.sign(data, {subkey + "!"});
    const std::string by_primary = x_gpg.sign(data, {key + "!"});
    x_gpg.revoke_subkey(key, 1);
    const TrustedKeys trusted = trust({key});
    EXPECT_THAT(verdict(trusted, by_subkey), HasSubstr("revoked"));
    EXPECT_EQ(verdict(trusted, by_primary), "");
}

TEST_F(Verdicts, subkey_fingerprint_listed_in_place_of_the_primary) {
    const std::string key = x_gpg.make_key("Sub <sub@example.org>");
    const std::string subkey = x_gpg.add_subkey(key);
    auto trusted =
        trusted_from({{Fingerprint::parse(subkey).value(), ""}}, {x_gpg.export_key(key)});
    ASSERT_TRUE(trusted);
    EXPECT_EQ(trusted->warnings.size(), 1U);
    EXPECT_NE(verdict(*trusted, x_gpg.sign(data, {subkey + "!"})), "");
}

TEST_F(Verdicts, weak_rsa) {
    for (const char* algorithm : {"rsa1024", "rsa2048"}) {
        const std::string key = x_gpg.make_key("Weak <weak@example.org>", algorithm);
        EXPECT_THAT(verdict(trust({key}), x_gpg.sign(data, {key})), HasSubstr("too weak"))
            << algorithm;
    }
}

TEST_F(Verdicts, weak_primary_with_a_strong_subkey) {
    const std::string key = x_gpg.make_key("Weak <weak@example.org>", "rsa1024");
    const std::string subkey = x_gpg.add_subkey(key);
    EXPECT_THAT(verdict(trust({key}), x_gpg.sign(data, {subkey + "!"})), HasSubstr("too weak"));
}

TEST_F(Verdicts, dsa) {
    const std::string key = x_gpg.make_key("Dsa <dsa@example.org>", "dsa2048");
    EXPECT_THAT(verdict(trust({key}), x_gpg.sign(data, {key})), HasSubstr("too weak"));
}

TEST_F(Verdicts, weak_hashes) {
    const std::string key = x_gpg.make_key("Rsa <rsa@example.org>", "rsa3072");
    for (const char* hash : {"SHA1", "SHA224", "RIPEMD160"}) {
        EXPECT_THAT(verdict(trust({key}), x_gpg.sign(data, {key}, {"--digest-algo", hash})),
                    HasSubstr("hash that is too weak"))
            << hash;
    }
    for (const char* hash : {"SHA256", "SHA384", "SHA512"}) {
        EXPECT_EQ(verdict(trust({key}), x_gpg.sign(data, {key}, {"--digest-algo", hash})), "")
            << hash;
    }
}

TEST_F(Verdicts, withdrawn_by_a_root) {
    const std::string gone = x_gpg.make_key("Gone <a@example.org>");
    const std::string other = x_gpg.make_key("Other <b@example.org>");
    TrustedKeys trusted = trust({gone, other});
    trusted.withdrawn.emplace(Fingerprint::parse(gone).value(), "lost\x1b[2J");
    const std::string text = verdict(trusted, x_gpg.sign(data, {gone}));
    EXPECT_THAT(text, HasSubstr("withdrawn: " + gone));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("\x1b")));
    EXPECT_EQ(verdict(trusted, x_gpg.sign(data, {other})), "");
    EXPECT_EQ(verdict(trusted, x_gpg.sign(data, {gone, other})), "");
    EXPECT_THAT(verdict(trusted, x_gpg.sign("other bytes", {gone})),
                HasSubstr("changed after signing"));
}

TEST_F(Verdicts, all_who_signed_are_named) {
    const std::string first = x_gpg.make_key("First <a@example.org>");
    const std::string second = x_gpg.make_key("Second <b@example.org>");
    const TrustedKeys both = trust({first, second});
    const auto verifier = Verifier::create(both);
    ASSERT_TRUE(verifier);
    const auto good = verifier->verify_bytes(data, x_gpg.sign(data, {first, second}), "x");
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_THAT(good->signers, ::testing::UnorderedElementsAre(first, second));
    EXPECT_THAT(verifier->verify_bytes(data, x_gpg.sign(data, {second}), "x")->signers,
                ::testing::ElementsAre(second));
}

TEST_F(Verdicts, encryption_subkey_beside_the_signing_key) {
    const std::string key = x_gpg.make_key("Enc <enc@example.org>", "rsa3072");
    const std::string subkey = x_gpg.add_subkey(key, "rsa3072", "encrypt");
    EXPECT_EQ(verdict(trust({key}), x_gpg.sign(data, {key})), "");
    EXPECT_THROW(static_cast<void>(x_gpg.sign(data, {subkey + "!"})), std::runtime_error);
}

TEST_F(Verdicts, revoked_for_any_reason) {
    for (const char* reason : {"0", "1", "2", "3"}) {
        const std::string key = x_gpg.make_key(std::string("Gone ") + reason + " <g@example.org>");
        const std::string signature = x_gpg.sign(data, {key});
        const std::string certificate =
            x_gpg.run({"--no-batch", "--command-fd", "0", "--armor", "--gen-revoke", key},
                      fmt::format("y\n{}\n\ny\n", reason));
        x_gpg.run({"--import"}, certificate);
        EXPECT_THAT(verdict(trust({key}), signature), HasSubstr("revoked key")) << reason;
    }
}

// A signature by what is no signing key any more: by the newest word of its owner a subkey is for
// encryption alone, a primary key for certifications alone.
TEST_F(Verdicts, keys_that_are_not_for_signing) {
    const std::string key =
        x_gpg.make_key("Enc <enc@example.org>", "ed25519", "never", "20240102T000000");
    const std::string subkey = x_gpg.add_subkey(key, "rsa3072", "sign");
    const std::string by_subkey = x_gpg.sign(data, {subkey + "!"});
    const std::string by_primary = x_gpg.sign(data, {key + "!"});
    EXPECT_EQ(verdict(trust({key}), by_subkey), "");
    EXPECT_EQ(verdict(trust({key}), by_primary), "");
    const auto change = [&](const std::string& answers) {
        x_gpg.run({"--no-batch", "--command-fd", "0", "--edit-key", key}, answers + "q\nsave\n");
    };
    change("key 1\nchange-usage\ns\ne\n");
    EXPECT_THAT(verdict(trust({key}), by_subkey), HasSubstr("cannot be checked"));
    EXPECT_EQ(verdict(trust({key}), by_primary), "");
    change("change-usage\ns\n");
    EXPECT_THAT(verdict(trust({key}), by_primary), HasSubstr("cannot be checked"));
}

TEST_F(Verdicts, md5_and_dsa_1024) {
    const std::string rsa = x_gpg.make_key("Rsa <rsa@example.org>", "rsa3072");
    EXPECT_THAT(verdict(trust({rsa}), x_gpg.sign(data, {rsa}, {"--digest-algo", "MD5"})),
                HasSubstr("hash that is too weak"));
    const std::string dsa = x_gpg.make_key("Dsa <dsa@example.org>", "dsa1024");
    EXPECT_THAT(verdict(trust({dsa}), x_gpg.sign(data, {dsa})), HasSubstr("key that is too weak"));
}

TEST_F(Verdicts, future) {
    const std::string key = x_gpg.make_key("Future <f@example.org>");
    const std::string signature =
        x_gpg.sign(data, {key}, {"--faked-system-time", "20990101T000000"});
    EXPECT_THAT(verdict(trust({key}), signature), HasSubstr("in the future"));
    // A clock ten minutes slow is tolerated, eleven are not.
    const std::string now = x_gpg.sign(data, {key});
    VerifierOptions slow;
    slow.now = std::time(nullptr) - 590;
    EXPECT_EQ(verdict(trust({key}), now, data, slow), "");
    slow.now = std::time(nullptr) - 660;
    EXPECT_THAT(verdict(trust({key}), now, data, slow), HasSubstr("in the future"));
}

TEST_F(Verdicts, good_beside_an_unknown_signature) {
    const std::string listed = x_gpg.make_key("Listed <a@example.org>");
    const std::string other = x_gpg.make_key("Other <b@example.org>");
    const TrustedKeys trusted = trust({listed});
    EXPECT_EQ(verdict(trusted, x_gpg.sign(data, {listed, other})), "");
    EXPECT_EQ(verdict(trusted, x_gpg.sign(data, {other, listed})), "");
}

// Two blocks' packets in one block.
std::string joined(std::string_view first, std::string_view second) {
    return armor_signature(dearmor_signature(first).value() + dearmor_signature(second).value());
}

TEST_F(Verdicts, good_beside_a_bad_one) {
    const std::string first = x_gpg.make_key("First <a@example.org>");
    const std::string second = x_gpg.make_key("Second <b@example.org>");
    const TrustedKeys trusted = trust({first, second});
    const std::string good = x_gpg.sign(data, {first});
    const std::string bad = x_gpg.sign("other bytes", {second});
    EXPECT_THAT(verdict(trusted, joined(good, bad)), HasSubstr("changed after signing"));
    EXPECT_THAT(verdict(trusted, joined(bad, good)), HasSubstr("changed after signing"));
    EXPECT_EQ(verdict(trusted, joined(good, x_gpg.sign(data, {second}))), "");
}

TEST_F(Verdicts, good_beside_a_revoked_key) {
    const std::string first = x_gpg.make_key("First <a@example.org>");
    const std::string second = x_gpg.make_key("Second <b@example.org>");
    const std::string both = x_gpg.sign(data, {first, second});
    x_gpg.revoke_key(second);
    EXPECT_THAT(verdict(trust({first, second}), both), HasSubstr("revoked"));
    // Not listed any more: the other signature carries alone.
    EXPECT_EQ(verdict(trust({first}), both), "");
}

TEST_F(Verdicts, tampered_bytes) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string signature = x_gpg.sign(data, {key});
    std::string changed(data);
    changed[3] ^= 1;
    EXPECT_THAT(verdict(trusted, signature, changed), HasSubstr("changed after signing"));
    EXPECT_THAT(verdict(trusted, signature, ""), HasSubstr("changed after signing"));
    EXPECT_THAT(verdict(trusted, signature, std::string(data) + "\n"),
                HasSubstr("changed after signing"));
}

TEST_F(Verdicts, every_flipped_bit_of_a_signature_file) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const std::string signature = x_gpg.sign(data, {key});
    for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
        std::string changed = signature;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        const auto read = dearmor_signature(changed);
        ASSERT_FALSE(read) << "bit " << bit;
        EXPECT_EQ(read.error().code, base::Code::refused);
    }
}

TEST_F(Verdicts, flipped_bits_inside_the_packet_with_a_right_checksum) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    auto verifier = Verifier::create(trusted);
    ASSERT_TRUE(verifier);
    const std::string packets = dearmor_signature(x_gpg.sign(data, {key})).value();
    // Bytes of the unhashed part (the issuer's key id) are not signed by anyone: changed, GnuPG may
    // still find the key by its fingerprint. All else must be refused.
    std::size_t accepted = 0;
    for (std::size_t bit = 0; bit < packets.size() * 8; bit += 5) {
        std::string changed = packets;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        if (verifier->verify_bytes(data, armor_signature(changed), "x")) ++accepted;
    }
    EXPECT_LE(accepted, 8U * 10U / 5U + 8U);
}

TEST_F(Verdicts, message_in_place_of_a_detached_signature) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    // A whole signed message, good in itself, but about other bytes.
    const std::string message =
        x_gpg.run({"--local-user", key, "--compress-algo", "none", "--sign"}, "other bytes");
    EXPECT_THAT(verdict(trusted, armor_signature(message)), HasSubstr("something other"));
    const std::string clear = x_gpg.run({"--local-user", key, "--clear-sign"}, std::string(data));
    EXPECT_THAT(verdict(trusted, clear), HasSubstr("does not begin with"));
}

TEST_F(Verdicts, not_of_binary_bytes) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    EXPECT_THAT(verdict(trust({key}), x_gpg.sign(data, {key}, {"--textmode"})),
                HasSubstr("not one of a file's bytes"));
}

TEST_F(Verdicts, malformed_signature_files) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string good = x_gpg.sign(data, {key});
    const std::vector<std::string> bad{
        "",
        "\n",
        "not a signature",
        good + good,
        good + "x",
        " " + good,
        "text before\n" + good,
        good.substr(0, good.size() - 1),
        good.substr(0, good.size() / 2),
        std::string(good).insert(good.find("\n\n") + 1, "Comment: hello\n"),
        std::string(good).insert(good.find("\n\n") + 2, " \n"),
        base::escape_untrusted(good),
        std::string(good) + std::string(1, '\0'),
        "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\n=twTO\n-----END PGP SIGNATURE-----\n",
        std::string(std::size_t{1} << 20, 'A'),
        dearmor_signature(good).value(),
        armor_signature(dearmor_signature(good).value() + "x"),
    };
    for (const std::string& text : bad) {
        EXPECT_THAT(verdict(trusted, text), HasSubstr("damaged or not a signature"))
            << text.substr(0, 100);
    }
    std::string carriage_returns;
    for (char c : good) carriage_returns += c == '\n' ? "\r\n" : std::string(1, c);
    EXPECT_NE(verdict(trusted, carriage_returns), "");
}

TEST_F(Verdicts, nobody_trusted) { EXPECT_THAT(verdict({}, "x"), HasSubstr("no key is trusted")); }

TEST_F(Verdicts, corrupt_and_empty_key_files) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const std::string signature = x_gpg.sign(data, {key});
    std::string half = x_gpg.export_key(key);
    half.resize(half.size() / 2);
    for (const std::string& text : {std::string(), std::string("rubbish"), half}) {
        auto trusted = trusted_from({{Fingerprint::parse(key).value(), ""}}, {text});
        ASSERT_TRUE(trusted) << trusted.error().text();
        EXPECT_EQ(trusted->warnings.size(), 1U);
        EXPECT_THAT(verdict(*trusted, signature), HasSubstr("no usable public part"));
    }
    // A keyring spoilt after loading: never accepted.
    TrustedKeys spoilt = trust({key});
    spoilt.keyring = "rubbish";
    EXPECT_NE(verdict(spoilt, signature), "");
    spoilt.keyring.clear();
    EXPECT_NE(verdict(spoilt, signature), "");
}

// As RFC 9580 has them; GnuPG 2.2 loses a key of them whose packets end with whole digits.
TEST_F(Verdicts, keys_without_checksums) {
    const auto now = static_cast<std::uint32_t>(std::time(nullptr));
    const std::string other = test::armor_public_key(test::MadeKey(now - 86'400).packets("o"));
    for (std::size_t more = 0; more < 3; ++more) {
        const test::MadeKey own(now - 86'400);
        const std::string whole = test::armor_public_key(own.packets(std::string(9 + more, 'x')));
        std::string text = whole;
        text.erase(text.rfind("\n=") + 1, std::string_view("=AbCd\n").size());
        EXPECT_EQ(with_checksums(text), whole);
        EXPECT_EQ(with_checksums(whole), whole);
        const std::string of_windows = base::replace_all(text, "\n", "\r\n");
        for (const std::string& one : {text, of_windows, "A key:\n" + text + "and no more"}) {
            const std::vector<TrustEntry> entries{
                {Fingerprint::parse(own.fingerprint()).value(), ""}};
            for (const std::vector<std::string>& texts :
                 {std::vector{one}, std::vector{one, other}}) {
                const auto trusted = trusted_from(entries, texts);
                ASSERT_TRUE(trusted) << trusted.error().text();
                EXPECT_EQ(base::join(trusted->warnings, "; "), "") << one;
            }
        }
    }
    for (const char* odd :
         {"", "\n", "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----\n",
          "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n-----END PGP PUBLIC KEY BLOCK-----\n",
          "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----"})
        EXPECT_EQ(with_checksums(odd), odd);
    // Each line is read once, however many begin like the end of a block: four megabytes, as large
    // as a file of keys may be, would take hours else.
    std::string many = other.substr(0, other.find("-----END"));
    many.append(std::size_t{2} << 20, 'A');
    many += "\n-----END PGP PUBLIC KEY BLOCK-----\n";
    while (many.size() < (std::size_t{4} << 20)) many += "-----\n";
    EXPECT_LT(with_checksums(many).size(), many.size() + 8);
}

// A keyring of a thousand keys, one of which has signed.
TEST_F(Verdicts, many_keys) {
    const auto now = static_cast<std::uint32_t>(std::time(nullptr));
    constexpr int count = 1000;
    std::vector<test::MadeKey> keys;
    std::vector<TrustEntry> entries;
    std::string packets;
    for (int i = 0; i < count; ++i) {
        keys.emplace_back(now - 86'400);
        entries.push_back(
            {Fingerprint::parse(keys.back().fingerprint()).value(), fmt::format("the {}.", i)});
        packets += keys.back().packets(fmt::format("K{} <k{}@example.org>", i, i));
    }
    const auto all = trusted_from(entries, {test::armor_public_key(packets)});
    ASSERT_TRUE(all) << all.error().text();
    EXPECT_EQ(base::join(all->warnings, "; "), "");
    ASSERT_EQ(all->keys.size(), std::size_t{count});
    const auto verifier = Verifier::create(*all);
    ASSERT_TRUE(verifier) << verifier.error().text();
    for (const std::size_t i : {std::size_t{0}, std::size_t{567}, std::size_t{count} - 1}) {
        const auto good =
            verifier->verify_bytes(data, armor_signature(keys[i].sign(data, now)), "x");
        ASSERT_TRUE(good) << i << ": " << good.error().text();
        EXPECT_EQ(good->primary.text(), keys[i].fingerprint());
        EXPECT_EQ(good->label, fmt::format("the {}.", i));
        EXPECT_FALSE(
            verifier->verify_bytes("other bytes", armor_signature(keys[i].sign(data, now)), "x"));
    }
    const std::string stranger = x_gpg.make_key("Other <o@example.org>");
    const auto refused = verifier->verify_bytes(data, x_gpg.sign(data, {stranger}), "x");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("not trusted"));
}

// Two keys with the same 32-bit key id, which take some hundred thousand tries. With the same 64
// bits they would take 2^33, and one like a given key 2^64: not made here. What is compared is the
// whole fingerprint, of which neither is a part.
TEST_F(Verdicts, same_key_id_other_key) {
    const auto now = static_cast<std::uint32_t>(std::time(nullptr));
    test::MadeKey listed(now);
    test::MadeKey other(now);
    constexpr std::size_t front = 40 - 8;
    std::map<std::string, std::uint32_t> ours_by_id, theirs_by_id;
    bool found = false;
    for (std::uint32_t time = now - 1000; !found && time > now - 1'000'000; --time) {
        listed.set_created(time);
        other.set_created(time);
        const std::string our_id = listed.fingerprint().substr(front);
        const std::string their_id = other.fingerprint().substr(front);
        ours_by_id.emplace(our_id, time);
        theirs_by_id.emplace(their_id, time);
        if (const auto same = ours_by_id.find(their_id); same != ours_by_id.end()) {
            listed.set_created(same->second);
            found = true;
        } else if (const auto again = theirs_by_id.find(our_id); again != theirs_by_id.end()) {
            other.set_created(again->second);
            found = true;
        }
    }
    ASSERT_TRUE(found);
    ASSERT_EQ(listed.fingerprint().substr(front), other.fingerprint().substr(front));
    ASSERT_NE(listed.fingerprint(), other.fingerprint());
    const std::string good = armor_signature(listed.sign(data, now));
    const std::string bad = armor_signature(other.sign(data, now));
    const std::vector<TrustEntry> entries{{Fingerprint::parse(listed.fingerprint()).value(), "us"}};
    const std::string ours = listed.packets("Us <us@example.org>");
    const std::string theirs = other.packets("Us <us@example.org>");
    // Its key in the same file, in either order, or alone.
    for (const std::string& packets : {ours, ours + theirs, theirs + ours}) {
        const auto trusted = trusted_from(entries, {test::armor_public_key(packets)});
        ASSERT_TRUE(trusted) << trusted.error().text();
        ASSERT_EQ(trusted->keys.size(), 1U);
        EXPECT_EQ(verdict(*trusted, good), "");
        EXPECT_THAT(verdict(*trusted, bad), HasSubstr("not trusted"));
        EXPECT_THAT(verdict(*trusted, bad), HasSubstr(other.fingerprint()));
    }
    const auto swapped = trusted_from(entries, {test::armor_public_key(theirs)});
    ASSERT_TRUE(swapped) << swapped.error().text();
    EXPECT_EQ(swapped->keys.size(), 0U);
    EXPECT_THAT(verdict(*swapped, bad), HasSubstr("no usable public part"));
    // And no key id is taken for a fingerprint.
    for (const std::size_t digits : {8U, 16U, 32U}) {
        const std::string id = listed.fingerprint().substr(40 - digits);
        EXPECT_FALSE(parse_trust_file(R"({"trust":1,"keys":[{"fingerprint":")" + id + R"("}]})"));
        EXPECT_FALSE(Fingerprint::from_person("0x" + id));
    }
}

TEST_F(Verdicts, user_id_that_looks_like_a_status_line) {
    const std::string listed = x_gpg.make_key("Listed <a@example.org>");
    const std::string evil = x_gpg.make_key("x\n[GNUPG:] VALIDSIG " + listed +
                                            " 2020-01-01 1577836800 0 4 0 22 8 00 " + listed);
    const TrustedKeys both = trust({listed, evil});
    auto verifier = Verifier::create(both);
    ASSERT_TRUE(verifier);
    const auto good = verifier->verify_bytes(data, x_gpg.sign(data, {evil}), "x");
    if (good) EXPECT_EQ(good->primary.text(), evil);
    EXPECT_THAT(verdict(trust({listed}), x_gpg.sign(data, {evil})), HasSubstr("not trusted"));
}

class Programs : public Verdicts {
protected:
    std::filesystem::path script(std::string_view body) {
        const std::filesystem::path path = x_gpg.home() / "gpgv";
        EXPECT_TRUE(base::write_file(path, fmt::format("#!/bin/sh\n{}\n", body), 0755));
        return path;
    }
};

TEST_F(Programs, gpgv_missing) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    VerifierOptions options;
    options.gpgv = "/nonexistent/gpgv";
    const auto verifier = Verifier::create(trust({key}), options);
    ASSERT_FALSE(verifier);
    EXPECT_THAT(verifier.error().message, HasSubstr("/nonexistent/gpgv is not installed"));
    EXPECT_THAT(verifier.error().hint, HasSubstr("apt-get install gpgv"));
}

TEST_F(Programs, gpgv_hangs_is_killed_crashes_and_lies) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string signature = x_gpg.sign(data, {key});
    VerifierOptions options;
    options.deadline = std::chrono::milliseconds(300);
    options.gpgv = script("exec sleep 60");
    EXPECT_THAT(verdict(trusted, signature, data, options), HasSubstr("did not finish within"));
    options.deadline = std::chrono::seconds(30);
    options.gpgv = script("kill -9 $$");
    EXPECT_THAT(verdict(trusted, signature, data, options), HasSubstr("signal 9"));
    options.gpgv = script("exit 3");
    EXPECT_THAT(verdict(trusted, signature, data, options), HasSubstr("exit status 3"));
    options.gpgv = script("exit 0");
    EXPECT_THAT(verdict(trusted, signature, data, options), HasSubstr("no usable signature"));
    options.gpgv = script("echo Good signature; exit 0");
    EXPECT_THAT(verdict(trusted, signature, data, options), HasSubstr("not understood"));
    options.gpgv = script("echo '[GNUPG:] NEWSIG'; echo '[GNUPG:] GOODSIG " + key + " x'; exit 0");
    EXPECT_THAT(verdict(trusted, signature, data, options), HasSubstr("not understood"));
}

// Whoever reads much may take long, here a minute and a second instead of a second.
TEST_F(Programs, gpgv_has_time_for_what_it_reads) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string large(std::size_t{60} << 20U, 'x');
    VerifierOptions options;
    options.deadline = std::chrono::seconds(1);
    options.gpgv = script("sleep 3; exec /usr/bin/gpgv \"$@\"");
    EXPECT_EQ(verdict(trusted, x_gpg.sign(large, {key}), large, options), "");
    EXPECT_THAT(verdict(trusted, x_gpg.sign(data, {key}), data, options),
                HasSubstr("did not finish within 1"));
}

TEST_F(Programs, hostile_home_and_path) {
    const std::string key = x_gpg.make_key("Listed <a@example.org>");
    const std::string other = x_gpg.make_key("Other <b@example.org>");
    const TrustedKeys trusted = trust({key});
    auto hostile = base::TempDir::create("/tmp", "sft-");
    ASSERT_TRUE(hostile);
    const std::filesystem::path gnupg = hostile->path() / ".gnupg";
    ASSERT_TRUE(base::make_dirs(gnupg, 0700));
    const std::string everything = x_gpg.run({"--export"});
    for (const char* name : {"trustedkeys.gpg", "trustedkeys.kbx", "pubring.gpg"}) {
        ASSERT_TRUE(base::write_file(gnupg / name, everything));
    }
    for (const char* name : {"gpg.conf", "gpgv.conf"}) {
        ASSERT_TRUE(base::write_file(gnupg / name, "keyring trustedkeys.gpg\nstatus-fd 2\n"));
    }
    ASSERT_TRUE(base::write_file(hostile->path() / "gpgv",
                                 "#!/bin/sh\ntouch " + (hostile->path() / "ran").string() + "\n",
                                 0755));
    ASSERT_TRUE(base::write_file(hostile->path() / "gpg",
                                 "#!/bin/sh\ntouch " + (hostile->path() / "ran").string() + "\n",
                                 0755));
    const std::string path = std::getenv("PATH");
    const std::string home = std::getenv("HOME") == nullptr ? "/" : std::getenv("HOME");
    ::setenv("PATH", (hostile->path().string() + ":" + path).c_str(), 1);
    ::setenv("HOME", hostile->path().c_str(), 1);
    ::setenv("GNUPGHOME", gnupg.c_str(), 1);
    EXPECT_EQ(verdict(trust({key}), x_gpg.sign(data, {key})), "");
    EXPECT_THAT(verdict(trusted, x_gpg.sign(data, {other})), HasSubstr("not trusted"));
    ::setenv("PATH", path.c_str(), 1);
    ::setenv("HOME", home.c_str(), 1);
    ::unsetenv("GNUPGHOME");
    EXPECT_FALSE(base::exists(hostile->path() / "ran"));
    // Nothing was written into the user's folder.
    EXPECT_EQ(base::list_dir(gnupg).value().size(), 5U);
}

// Rotation: which sites accept which releases.
TEST_F(Verdicts, rotation) {
    const std::string old_key = x_gpg.make_key("Old <old@example.org>");
    const std::string new_key = x_gpg.make_key("New <new@example.org>");
    const std::string by_old = x_gpg.sign(data, {old_key});
    const std::string by_new = x_gpg.sign(data, {new_key});
    const std::string by_both = x_gpg.sign(data, {old_key, new_key});
    const auto ok = [&](const TrustedKeys& trusted, const std::string& signature) {
        return verdict(trusted, signature).empty();
    };
    const TrustedKeys site_old = trust({old_key});
    const TrustedKeys site_new = trust({new_key});
    const TrustedKeys site_both = trust({old_key, new_key});
    EXPECT_TRUE(ok(site_old, by_old));
    EXPECT_TRUE(ok(site_old, by_both));
    EXPECT_FALSE(ok(site_old, by_new));
    EXPECT_FALSE(ok(site_new, by_old));
    EXPECT_TRUE(ok(site_new, by_both));
    EXPECT_TRUE(ok(site_new, by_new));
    EXPECT_TRUE(ok(site_both, by_old));
    EXPECT_TRUE(ok(site_both, by_both));
    EXPECT_TRUE(ok(site_both, by_new));
    x_gpg.revoke_key(old_key);
    const TrustedKeys old_revoked = trust({old_key});
    const TrustedKeys both_revoked = trust({old_key, new_key});
    EXPECT_FALSE(ok(old_revoked, by_old));
    EXPECT_FALSE(ok(old_revoked, by_both));
    EXPECT_FALSE(ok(old_revoked, by_new));
    EXPECT_FALSE(ok(both_revoked, by_old));
    EXPECT_FALSE(ok(both_revoked, by_both));
    EXPECT_TRUE(ok(both_revoked, by_new));
    EXPECT_TRUE(ok(site_new, by_both));
}

}  // namespace
}  // namespace sf::trust
