// SPDX-License-Identifier: Apache-2.0
// The parsers of what GnuPG prints, and the rules of the verdict, without GnuPG.
#include "trust/status.hpp"

#include <gtest/gtest.h>

#include <random>

#include "trust/key.hpp"
#include "trust/verdict.hpp"

namespace sf::trust {
namespace {

const std::string primary(40, 'A');
const std::string other(40, 'B');

std::string newsig() { return "[GNUPG:] NEWSIG\n"; }
std::string result(std::string_view keyword, const std::string& key) {
    return fmt::format("[GNUPG:] {} {} Some One <x@example.org>\n", keyword, key.substr(24));
}
std::string valid(const std::string& key, int hash = 10, std::string_view signature_class = "00") {
    return fmt::format("[GNUPG:] VALIDSIG {} 2020-01-01 1577836800 0 4 0 22 {} {} {}\n", key, hash,
                       signature_class, key);
}
std::string good(const std::string& key) { return newsig() + result("GOODSIG", key) + valid(key); }

std::vector<Key> listed() {
    KeyPart part{.fingerprint = Fingerprint::parse(primary).value(),
                 .key_id = primary.substr(24),
                 .algorithm = 22,
                 .bits = 255,
                 .created = 1500000000,
                 .expires = {},
                 .revoked = false,
                 .expired = false,
                 .signs = true};
    return {Key{std::move(part), {}, {}, false}};
}

Finding finding(const std::string& text) {
    const auto status = parse_status(text);
    EXPECT_TRUE(status) << status.error().text();
    return judge(*status, listed(), 1600000000).finding;
}

TEST(Status, verdicts) {
    EXPECT_EQ(finding(good(primary)), Finding::good);
    EXPECT_EQ(finding(good(other)), Finding::unknown_signer);
    EXPECT_EQ(finding(good(other) + good(primary)), Finding::good);
    EXPECT_EQ(finding(""), Finding::no_signature);
    EXPECT_EQ(finding("[GNUPG:] NODATA 4\n"), Finding::no_signature);
    EXPECT_EQ(finding(good(primary) + "[GNUPG:] UNEXPECTED 0\n"), Finding::no_signature);
    EXPECT_EQ(finding(newsig() + result("BADSIG", primary)), Finding::tampered);
    EXPECT_EQ(finding(good(primary) + newsig() + result("BADSIG", primary)), Finding::tampered);
    EXPECT_EQ(finding(good(primary) + newsig() + result("BADSIG", other)), Finding::good);
    EXPECT_EQ(finding(newsig() + result("EXPSIG", primary) + valid(primary)),
              Finding::expired_signature);
    EXPECT_EQ(finding(newsig() + result("EXPKEYSIG", primary) + valid(primary)),
              Finding::expired_key);
    EXPECT_EQ(finding(newsig() + result("REVKEYSIG", primary) + valid(primary) + good(primary)),
              Finding::revoked_key);
    EXPECT_EQ(finding(newsig() + result("GOODSIG", primary) + valid(primary, 2)),
              Finding::weak_hash);
    EXPECT_EQ(finding(newsig() + result("GOODSIG", primary) + valid(primary, 10, "01")),
              Finding::wrong_kind);
    EXPECT_EQ(finding(newsig() + "[GNUPG:] ERRSIG " + primary.substr(24) +
                      " 22 10 00 1577836800 4 " + primary + "\n"),
              Finding::uncheckable);
    EXPECT_EQ(
        finding(newsig() + "[GNUPG:] ERRSIG " + primary.substr(24) + " 22 1 00 1577836800 5 -\n"),
        Finding::weak_hash);
    EXPECT_EQ(finding(newsig() + "[GNUPG:] ERRSIG " + other.substr(24) + " 22 10 00 1577836800 9 " +
                      other + "\n[GNUPG:] NO_PUBKEY x\n"),
              Finding::unknown_signer);
}

TEST(Status, contradictions_are_refused) {
    const std::vector<std::string> bad{
        "hello\n",
        "[GNUPG:] NEWSIG",
        "[GNUPG:]\n",
        result("GOODSIG", primary),
        valid(primary),
        newsig(),
        newsig() + valid(primary),
        newsig() + result("GOODSIG", primary),
        newsig() + result("GOODSIG", primary) + valid(primary) + valid(primary),
        newsig() + result("GOODSIG", primary) + result("GOODSIG", primary) + valid(primary),
        newsig() + result("GOODSIG", primary) + result("BADSIG", primary) + valid(primary),
        newsig() + result("GOODSIG", other) + valid(primary),
        newsig() + result("BADSIG", primary) + valid(primary),
        newsig() + "[GNUPG:] GOODSIG\n" + valid(primary),
        newsig() + "[GNUPG:] GOODSIG AAAA x\n" + valid(primary),
        newsig() + result("GOODSIG", primary) + "[GNUPG:] VALIDSIG " + primary + "\n",
        newsig() + result("GOODSIG", primary) + valid(primary.substr(1)),
        newsig() + result("GOODSIG", primary) + "[GNUPG:] VALIDSIG " + primary +
            " 2020-01-01 20200101T000000 0 4 0 22 10 00 " + primary + "\n",
        newsig() + result("GOODSIG", primary) + "[GNUPG:] VALIDSIG " + primary +
            " 2020-01-01 -5 0 4 0 22 10 00 " + primary + "\n",
        newsig() + "[GNUPG:] ERRSIG " + primary.substr(24) + " 22 10 00\n",
        newsig() + "[GNUPG:] GOODSIG " + primary.substr(24) + " a\rb\n" + valid(primary),
    };
    for (const std::string& text : bad) {
        const auto status = parse_status(text);
        EXPECT_FALSE(status) << text;
        if (!status) EXPECT_EQ(status.error().code, base::Code::refused);
    }
}

TEST(Status, any_bytes_end) {
    std::mt19937 random(7);
    const std::string seed = good(primary) + newsig() + result("EXPKEYSIG", other) + valid(other);
    for (int round = 0; round < 20000; ++round) {
        std::string text = seed;
        for (unsigned change = random() % 6; change > 0; --change) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = static_cast<char>(random()); break;
                case 1: text.erase(at, random() % 20); break;
                default: text.insert(at, text.substr(random() % text.size(), random() % 90)); break;
            }
            if (text.empty()) text = "x";
        }
        const auto status = parse_status(text);
        if (status) (void)judge(*status, listed(), 1600000000);
        (void)parse_key_listing(text);
    }
}

TEST(KeyListing, reads_keys_subkeys_and_user_ids) {
    const std::string text =
        "tru::1:1795398405:0:3:1:5\n"
        "pub:r:4096:1:AAAAAAAAAAAAAAAA:1500000000:1600000000::u:::scESC::::::23::0:\n"
        "fpr:::::::::" +
        primary +
        ":\n"
        "uid:r::::1500000000::HASH::A \\x3a colon \\x0a feed::::::::::0:\n"
        "sub:e:255:22:BBBBBBBBBBBBBBBB:1500000001::::::s:::::ed25519::\n"
        "fpr:::::::::" +
        other + ":\n";
    const auto keys = parse_key_listing(text);
    ASSERT_TRUE(keys) << keys.error().text();
    ASSERT_EQ(keys->size(), 1U);
    const Key& key = keys->front();
    EXPECT_TRUE(key.primary.revoked);
    EXPECT_EQ(key.primary.bits, 4096U);
    EXPECT_EQ(key.primary.expires, 1600000000);
    EXPECT_EQ(key.user_ids.front(), "A : colon \n feed");
    ASSERT_EQ(key.subkeys.size(), 1U);
    EXPECT_TRUE(key.subkeys[0].expired);
    EXPECT_TRUE(key.subkeys[0].signs);
    EXPECT_EQ(key.part(other), &key.subkeys[0]);
    EXPECT_EQ(algorithm_text(key.primary), "RSA 4096");
    EXPECT_EQ(algorithm_text(key.subkeys[0]), "Ed25519");
}

TEST(KeyListing, refuses_what_it_does_not_understand) {
    for (const char* text : {"pub:-:x:1:A:1::::::s:\n", "sub:-:1:1:A:1::::::s:\nfpr:\n",
                             "pub:-:255:22:A:1500000000::::::s:\n", "pub\n",
                             "pub:-:255:22:A:1500000000::::::s:\nfpr:::::::::ABC:\n"}) {
        EXPECT_FALSE(parse_key_listing(text)) << text;
    }
}

TEST(Fingerprints, strict_and_friendly_forms) {
    EXPECT_TRUE(Fingerprint::parse(primary));
    EXPECT_TRUE(Fingerprint::parse(std::string(64, '0')));
    for (const std::string& bad :
         {std::string(), primary.substr(1), primary + "A", std::string(40, 'a'),
          std::string(40, 'G'), std::string(16, 'A'), " " + primary.substr(1)}) {
        EXPECT_FALSE(Fingerprint::parse(bad)) << bad;
    }
    EXPECT_EQ(Fingerprint::from_person("aaaa aaaa aaaa aaaa aaaa  aaaa aaaa aaaa aaaa AAAA\n")
                  .value()
                  .text(),
              primary);
    EXPECT_EQ(Fingerprint::from_person("0x" + primary).value().text(), primary);
    EXPECT_FALSE(Fingerprint::from_person("0xDEADBEEF"));
    EXPECT_FALSE(Fingerprint::from_person("someone@example.org"));
}

}  // namespace
}  // namespace sf::trust
