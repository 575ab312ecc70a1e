// SPDX-License-Identifier: Apache-2.0
// Clearsigned texts against real GnuPG: who signed, and what exactly was signed.
#include "trust/clearsign.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <functional>

#include "base/json.hpp"
#include "base/text.hpp"
#include "support/gnupg.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/verdict.hpp"

namespace sf::trust {
namespace {

using ::testing::HasSubstr;

// With lines that must be escaped, and some that look as if.
const std::string text =
    "{\n  \"name\": \"slurm\",\n\t\"list\": [\n- 1,\n-----BEGIN PGP SIGNATURE-----\n From\n"
    "From here\n\n-\n- - 2\n\xc3\xa4]}\n";

class Clearsign : public ::testing::Test {
protected:
    TrustedKeys trust(const std::vector<std::string>& fingerprints) {
        std::vector<TrustEntry> entries;
        std::vector<std::string> keys;
        for (const std::string& each : fingerprints) {
            entries.push_back({Fingerprint::parse(each).value(), "label of " + each.substr(0, 4)});
            keys.push_back(x_gpg.export_key(each));
        }
        return trusted_from(entries, keys).value();
    }
    // By gpg itself, so that what our signer would not sign can be made too.
    std::string sign(std::string_view bytes, const std::vector<std::string>& keys,
                     const std::vector<std::string>& extra = {}) {
        std::vector<std::string> arguments = extra;
        for (const std::string& key : keys)
            arguments.insert(arguments.end(), {"--local-user", key});
        arguments.insert(arguments.end(), {"--no-emit-version", "--no-comments", "--clear-sign"});
        const bool chosen = std::ranges::find(extra, "--digest-algo") != extra.end();
        if (!chosen) arguments.insert(arguments.begin(), {"--digest-algo", "SHA512"});
        return x_gpg.run(arguments, bytes);
    }
    // The text if it is accepted; "refused: ..." otherwise.
    static std::string verdict(const TrustedKeys& trusted, std::string_view bytes,
                               VerifierOptions options = {}) {
        const auto verifier = Verifier::create(trusted, std::move(options));
        if (!verifier) return "refused: " + verifier.error().text();
        const auto good = verifier->verify_clearsigned(bytes, "spec.json");
        if (good) return good->text;
        EXPECT_EQ(good.error().code, base::Code::refused) << good.error().text();
        EXPECT_THAT(good.error().text(), HasSubstr("spec.json"));
        return "refused: " + good.error().text();
    }

    test::Gnupg x_gpg;
};

std::string replaced(const std::string& bytes, std::string_view from, std::string_view to) {
    EXPECT_NE(bytes.find(from), std::string::npos) << from;
    return base::replace_all(bytes, from, to);
}

// Both blocks' packets under the text of the first.
std::string joined(const std::string& first, const std::string& second) {
    const std::string_view begin = "\n-----BEGIN PGP SIGNATURE-----\n";
    const auto at = [&](const std::string& bytes) { return bytes.rfind(begin) + 1; };
    return first.substr(0, at(first)) +
           armor_signature(dearmor_signature(first.substr(at(first))).value() +
                           dearmor_signature(second.substr(at(second))).value());
}

TEST_F(Clearsign, good) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const auto verifier = Verifier::create(trust({key}));
    ASSERT_TRUE(verifier) << verifier.error().text();
    const auto good = verifier->verify_clearsigned(sign(text, {key}), "x");
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_EQ(good->text, text);
    EXPECT_EQ(good->signature.primary.text(), key);
    EXPECT_EQ(good->signature.key.text(), key);
    EXPECT_EQ(good->signature.label, "label of " + key.substr(0, 4));
    EXPECT_GT(good->signature.created, 0);
    // The same verifier again, after a refusal, and for a file.
    EXPECT_FALSE(verifier->verify_clearsigned("other", "x"));
    EXPECT_TRUE(verifier->verify_clearsigned(sign("other\n", {key}), "x"));
    EXPECT_TRUE(verifier->verify_bytes(text, x_gpg.sign(text, {key}), "x"));
}

TEST_F(Clearsign, tampered) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string good = sign(text, {key});
    EXPECT_EQ(verdict(trusted, good), text);
    EXPECT_THAT(verdict(trusted, replaced(good, "slurm", "slurn")),
                HasSubstr("changed after signing"));
    EXPECT_THAT(verdict(trusted, replaced(good, "SHA512", "SHA256")), HasSubstr("refused"));
}

TEST_F(Clearsign, unknown_key_alone_and_beside_a_good_one) {
    const std::string listed = x_gpg.make_key("Listed <a@example.org>");
    const std::string other = x_gpg.make_key("Other <b@example.org>");
    const TrustedKeys trusted = trust({listed});
    EXPECT_THAT(verdict(trusted, sign(text, {other})), HasSubstr("not trusted: " + other));
    EXPECT_EQ(verdict(trusted, sign(text, {listed, other})), text);
    EXPECT_EQ(verdict(trusted, sign(text, {other, listed})), text);
    EXPECT_THAT(verdict({}, sign(text, {listed})), HasSubstr("no key is trusted"));
}

TEST_F(Clearsign, good_beside_a_bad_one) {
    const std::string first = x_gpg.make_key("First <a@example.org>");
    const std::string second = x_gpg.make_key("Second <b@example.org>");
    const std::string good = sign(text, {first});
    const TrustedKeys both = trust({first, second});
    EXPECT_THAT(verdict(both, joined(good, sign("other\n", {second}))),
                HasSubstr("changed after signing"));
    EXPECT_EQ(verdict(both, joined(good, sign(text, {second}))), text);
}

TEST_F(Clearsign, revoked_key) {
    const std::string key = x_gpg.make_key("Gone <gone@example.org>");
    const std::string good = sign(text, {key});
    EXPECT_EQ(verdict(trust({key}), good), text);
    x_gpg.revoke_key(key);
    EXPECT_THAT(verdict(trust({key}), good), HasSubstr("revoked key"));
}

TEST_F(Clearsign, expired_key_and_expired_signature) {
    const std::string key =
        x_gpg.make_key("Old <old@example.org>", "ed25519", "2020-02-01", "20200102T000000");
    EXPECT_THAT(
        verdict(trust({key}), sign(text, {key}, {"--faked-system-time", "20200103T000000"})),
        HasSubstr("expired key"));
    const std::string other =
        x_gpg.make_key("Sig <sig@example.org>", "ed25519", "never", "20200102T000000");
    EXPECT_THAT(verdict(trust({other}), sign(text, {other},
                                             {"--faked-system-time", "20200103T000000",
                                              "--default-sig-expire", "1d"})),
                HasSubstr("has expired"));
}

TEST_F(Clearsign, future) {
    const std::string key = x_gpg.make_key("Future <f@example.org>");
    EXPECT_THAT(
        verdict(trust({key}), sign(text, {key}, {"--faked-system-time", "20990101T000000"})),
        HasSubstr("in the future"));
}

TEST_F(Clearsign, weak_key) {
    for (const char* algorithm : {"rsa1024", "rsa2048", "dsa2048"}) {
        const std::string key = x_gpg.make_key("Weak <weak@example.org>", algorithm);
        EXPECT_THAT(verdict(trust({key}), sign(text, {key}, {"--digest-algo", "SHA256"})),
                    HasSubstr("too weak"))
            << algorithm;
    }
}

TEST_F(Clearsign, weak_hash) {
    const std::string key = x_gpg.make_key("Rsa <rsa@example.org>", "rsa3072");
    for (const char* hash : {"SHA1", "SHA224", "RIPEMD160"}) {
        const std::string weak = sign(text, {key}, {"--digest-algo", hash});
        EXPECT_THAT(verdict(trust({key}), weak), HasSubstr("strong hash")) << hash;
        // The header says otherwise than the signature.
        EXPECT_THAT(verdict(trust({key}),
                            replaced(weak, std::string("Hash: ") + hash + "\n", "Hash: SHA512\n")),
                    HasSubstr("refused"))
            << hash;
    }
    for (const char* hash : {"SHA256", "SHA384", "SHA512"})
        EXPECT_EQ(verdict(trust({key}), sign(text, {key}, {"--digest-algo", hash})), text) << hash;
}

TEST_F(Clearsign, a_signature_of_a_files_bytes_under_a_text) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    // What a text signature covers has no line feed at its end.
    for (const std::string_view bytes : {"a\n", "a"}) {
        const std::string detached = x_gpg.sign(bytes, {key}, {"--digest-algo", "SHA512"});
        EXPECT_THAT(verdict(trust({key}), clearsigned_text("a\n", "SHA512", detached)),
                    HasSubstr("refused"));
    }
    // And a text's signature beside a file.
    const std::string clear = sign("a\n", {key});
    const auto verifier = Verifier::create(trust({key}));
    ASSERT_TRUE(verifier);
    EXPECT_FALSE(
        verifier->verify_bytes("a", clear.substr(clear.find("-----BEGIN PGP SIGNATURE")), "x"));
}

TEST_F(Clearsign, every_flipped_bit) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const auto verifier = Verifier::create(trust({key}));
    ASSERT_TRUE(verifier);
    const std::string good = sign("{\"a\": 1}\n- b\n", {key});
    ASSERT_TRUE(verifier->verify_clearsigned(good, "x"));
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string changed = good;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(verifier->verify_clearsigned(changed, "x")) << "bit " << bit;
    }
}

// The vectors A5 of the threat model: each is refused, or its text is the signed one.
TEST_F(Clearsign, A5) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string good = sign(text, {key});
    const std::string other = sign("{\"evil\": true}\n", {key});
    const std::string begin = "-----BEGIN PGP SIGNED MESSAGE-----\n";
    const std::string hash = "Hash: SHA512\n";
    const std::string begin_signature = "\n-----BEGIN PGP SIGNATURE-----\n";
    const std::string end_signature = "-----END PGP SIGNATURE-----\n";
    const std::string armor = good.substr(good.rfind(begin_signature) + 1);
    const std::string evil = "{\"evil\": true}\n";
    const auto header = [&](const std::string& line) { return replaced(good, hash, line); };
    const auto after_begin = [&](const std::string& bytes) {
        return replaced(good, begin, "-----BEGIN PGP SIGNED MESSAGE-----" + bytes + "\n");
    };
    const auto in_text = [&](const std::string& from, const std::string& to) {
        return replaced(good, from, to);
    };
    const std::string nul(1, '\0');
    const std::string longest(max_clearsign_line, 'x');
    const std::string refused = "refused";
    const struct {
        const char* name;
        std::string bytes;
        std::string wanted;
    } vectors[] = {
        {"as it is", good, text},
        {"text before", evil + good, refused},
        {"text after", good + evil, refused},
        {"blank line before", "\n" + good, refused},
        {"blank line after", good + "\n", refused},
        {"byte order mark before", "\xef\xbb\xbf" + good, refused},
        {"no line feed at the end", good.substr(0, good.size() - 1), refused},
        {"two messages", good + other, refused},
        {"two messages, the second tampered", good + replaced(other, "true", "fals"), refused},
        {"two messages, the first tampered", replaced(other, "true", "fals") + good, refused},
        {"two texts, one signature", good.substr(0, good.find(begin_signature) + 1) + good,
         refused},
        {"space after the header", after_begin(" "), refused},
        {"tab after the header", after_begin("\t"), refused},
        {"VT after the header", after_begin("\v"), refused},
        {"FF after the header", after_begin("\f"), refused},
        {"NBSP after the header", after_begin("\xc2\xa0"), refused},
        {"CR after the header", after_begin("\r"), refused},
        {"text after the header", after_begin(evil.substr(0, evil.size() - 1)), refused},
        {"indented header", " " + good, refused},
        {"header in small letters", replaced(good, begin, base::replace_all(begin, "PGP", "pgp")),
         refused},
        {"header injection: Comment", header(hash + "Comment: x\n"), refused},
        {"header injection: Comment first", header("Comment: x\n" + hash), refused},
        {"header injection: Charset", header(hash + "Charset: UTF-7\n"), refused},
        {"header injection: text for a header", header(hash + evil), refused},
        {"header injection: a line of blanks", header(hash + " \t\n"), refused},
        {"header injection: Hash twice", header(hash + hash), refused},
        {"header injection: two hashes", header("Hash: SHA512,SHA256\n"), refused},
        {"header injection: MD5", header("Hash: MD5\n"), refused},
        {"header injection: hash in small letters", header("hash: sha512\n"), refused},
        {"header injection: blank after Hash", header("Hash: SHA512 \n"), refused},
        {"no Hash header", header(""), refused},
        {"no empty line", replaced(good, hash + "\n", hash), refused},
        {"NotDashEscaped", header(hash + "NotDashEscaped: You need GnuPG to verify this message\n"),
         refused},
        {"NotDashEscaped by gpg", sign("a\n- b\n", {key}, {"--not-dash-escaped"}), refused},
        {"dash not escaped", in_text("\n- - 1,", "\n- 1,"), refused},
        {"armour in the text not escaped", in_text("\n- -----BEGIN", "\n-----BEGIN"), refused},
        {"dash escaped without need", in_text("\n From", "\n-  From"), refused},
        {"From not escaped", in_text("\n- From here", "\nFrom here"), refused},
        {"dash-escaped JSON", sign("- {\"a\": 1}\n", {key}), "- {\"a\": 1}\n"},
        {"CRLF everywhere", base::replace_all(good, "\n", "\r\n"), refused},
        {"CRLF in the text", in_text("slurm\",\n", "slurm\",\r\n"), refused},
        {"CRLF signed", sign("a\r\nb\r\n", {key}), refused},
        {"CR at the ends of a line", in_text("slurm\",\n", "slurm\",\r\r\n"), refused},
        {"CR in a line", in_text("slurm", "slu\rrm"), refused},
        {"trailing space", in_text("slurm\",\n", "slurm\", \n"), refused},
        {"trailing tab", in_text("slurm\",\n", "slurm\",\t\n"), refused},
        {"trailing blanks signed", sign("a \t\nb\n", {key}), refused},
        // Gpg signs what it cut without a word: our signer refuses such a text before.
        {"a line of 19 994 bytes signed", sign(longest + "x\n", {key}), longest + "\n"},
        {"a line of 25 000 bytes signed", sign(longest + longest + "\n", {key}), longest + "\n"},
        {"a line made longer", replaced(sign(longest + "\n", {key}), longest, longest + "evil"),
         refused},
        {"the longest line", sign(longest + "\n", {key}), longest + "\n"},
        {"nested armor: a message in a message", sign(good, {key}), good},
        {"nested armor: the inner one tampered", replaced(sign(good, {key}), "slurm", "evil!"),
         refused},
        {"nested armor: a PGP MESSAGE", x_gpg.run({"--local-user", key, "--armor", "--sign"}, text),
         refused},
        {"nested armor: a signature in a signature",
         replaced(good, begin_signature, begin_signature + "\n" + armor), refused},
        {"signature before the text", armor + good.substr(0, good.find(begin_signature) + 1),
         refused},
        {"NUL in the text", in_text("slurm", "slu" + nul + "rm"), refused},
        {"NUL signed", sign("a" + nul + "b\n", {key}), refused},
        {"NUL after", good + nul, refused},
        {"NUL before", nul + good, refused},
        {"escape sequence signed", sign("\x1b[2J\n", {key}), refused},
        {"binary signature packets",
         good.substr(0, good.size() - armor.size()) + dearmor_signature(armor).value(), refused},
        {"binary message", x_gpg.run({"--local-user", key, "--sign"}, text), refused},
        {"a message's packets for a signature",
         good.substr(0, good.size() - armor.size()) +
             armor_signature(x_gpg.run({"--local-user", key, "--sign"}, text)),
         refused},
        {"header in the signature",
         replaced(good, begin_signature + "\n", begin_signature + "Version: 1\n\n"), refused},
        {"wrong checksum", replaced(good, armor.substr(armor.rfind("\n=") + 1, 5), "=AAAA"),
         refused},
        {"no checksum", replaced(good, armor.substr(armor.rfind("\n=") + 1, 6), ""), refused},
        {"another text's signature",
         good.substr(0, good.size() - armor.size()) +
             other.substr(other.rfind(begin_signature) + 1),
         refused},
        {"no signature", good.substr(0, good.size() - armor.size()), refused},
        {"end of the signature missing", replaced(good, end_signature, ""), refused},
        {"half", good.substr(0, good.size() / 2), refused},
        {"empty line before the signature", replaced(good, begin_signature, "\n" + begin_signature),
         refused},
        {"empty", "", refused},
        {"the header alone", begin, refused},
        {"the text alone", text, refused},
        {"duplicate JSON keys", sign("{\"a\": 1, \"a\": 2}\n", {key}), "{\"a\": 1, \"a\": 2}\n"},
        {"trailing JSON", sign("{\"a\": 1}\n{\"b\": 2}\n", {key}), "{\"a\": 1}\n{\"b\": 2}\n"},
    };
    for (const auto& vector : vectors) {
        const std::string said = verdict(trusted, vector.bytes);
        if (vector.wanted == refused)
            EXPECT_EQ(said.substr(0, 9), "refused: ") << vector.name;
        else
            EXPECT_TRUE(said == vector.wanted) << vector.name << ": " << said.substr(0, 200);
    }
    EXPECT_GE(std::size(vectors), 40U);
    // What is signed is still not what a reader of JSON takes.
    EXPECT_FALSE(base::parse_json("{\"a\": 1, \"a\": 2}\n"));
    EXPECT_FALSE(base::parse_json("{\"a\": 1}\n{\"b\": 2}\n"));
}

class ClearsignPrograms : public Clearsign {
protected:
    VerifierOptions script(std::string_view body) {
        VerifierOptions options;
        options.gpgv = x_gpg.home() / "gpgv";
        EXPECT_TRUE(base::write_file(options.gpgv, fmt::format("#!/bin/sh\n{}\n", body), 0755));
        return options;
    }
};

TEST_F(ClearsignPrograms, gpgv_hangs_dies_or_gives_out_another_text) {
    const std::string key = x_gpg.make_key("Good <good@example.org>");
    const TrustedKeys trusted = trust({key});
    const std::string good = sign(text, {key});
    EXPECT_EQ(verdict(trusted, good, script("exec /usr/bin/gpgv \"$@\"")), text);
    EXPECT_THAT(verdict(trusted, good, script("/usr/bin/gpgv \"$@\" | sed s/slurm/evil/")),
                HasSubstr("another text"));
    EXPECT_THAT(verdict(trusted, good, script("/usr/bin/gpgv \"$@\" >/dev/null")),
                HasSubstr("another text"));
    EXPECT_THAT(verdict(trusted, good, script("/usr/bin/gpgv \"$@\" 3>/dev/null")),
                HasSubstr("no usable signature"));
    // A status on the way of the text is a text.
    EXPECT_THAT(verdict(trusted, good, script("/usr/bin/gpgv \"$@\" 3>&1")),
                HasSubstr("no usable signature"));
    EXPECT_THAT(verdict(trusted, good, script("/usr/bin/gpgv \"$@\"; kill -9 $$")),
                HasSubstr("signal 9"));
    VerifierOptions slow = script("exec sleep 60");
    slow.deadline = std::chrono::milliseconds(300);
    EXPECT_THAT(verdict(trusted, good, slow), HasSubstr("did not finish within"));
}

TEST(ClearsignText, WhatGpgWouldNotGiveBackIsRefusedBeforeItIsSigned) {
    for (const std::string& good :
         {std::string("a\n"), std::string("\n"), std::string("\n\n"), text,
          std::string(max_clearsign_line, 'x') + "\n", "-" + std::string(19'992, 'x') + "\n"})
        EXPECT_TRUE(check_clearsign_text(good)) << good.substr(0, 40);
    for (const std::string& bad :
         {std::string(), std::string("a"), std::string("a\nb"), std::string("a \n"),
          std::string("a\t\n"), std::string(" \n"), std::string("a\r\n"), std::string("a\rb\n"),
          std::string("a\0b\n", 4), std::string("\x1b\n"), std::string("\x7f\n"),
          std::string(max_clearsign_line + 1, 'x') + "\n",
          std::string(max_clearsign_text + 1, '\n')}) {
        const auto status = check_clearsign_text(bad);
        ASSERT_FALSE(status) << bad.substr(0, 40);
        EXPECT_EQ(status.error().code, base::Code::refused);
    }
    EXPECT_THAT(check_clearsign_text("a\nb\nc \n").error().text(), HasSubstr("line 3"));
}

class ClearsignSigner : public ::testing::Test {
protected:
    base::TempDir x_folder = base::TempDir::create("/tmp", "sft-").value();
    Keyring x_ring{x_folder.path() / "gnupg"};
};

TEST_F(ClearsignSigner, signs_what_the_verifier_gives_back) {
    KeyRequest request;
    request.name = "Release Key";
    request.email = "release@example.org";
    request.kind = KeyKind::ed25519;
    const Key key = x_ring.create(request).value();
    const Fingerprint& fingerprint = key.primary.fingerprint;
    const auto signer = GpgSigner::create(x_ring, fingerprint, {});
    ASSERT_TRUE(signer) << signer.error().text();
    const auto verifier = Verifier::create(
        trusted_from({{fingerprint, "us"}}, {x_ring.export_public(fingerprint).value()}).value());
    ASSERT_TRUE(verifier);
    std::string large;
    while (large.size() < max_clearsign_text - 20) large += "-\nFrom a\nline\n";
    for (const std::string& each :
         {text, std::string("\n"), std::string("\n\n\n"), large,
          std::string(max_clearsign_line, 'x') + "\n" + "-" + std::string(19'992, 'y') + "\n" +
              "From " + std::string(19'988, 'z') + "\n"}) {
        const auto message = signer->clearsign(each);
        ASSERT_TRUE(message) << message.error().text();
        EXPECT_THAT(*message,
                    ::testing::StartsWith("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"));
        const auto good = verifier->verify_clearsigned(*message, "x");
        ASSERT_TRUE(good) << good.error().text();
        EXPECT_EQ(good->text, each);
        EXPECT_EQ(good->signature.primary, fingerprint);
        EXPECT_EQ(good->signature.label, "us");
    }
    for (const std::string& bad :
         {std::string("a"), std::string("a \n"), std::string("a\r\n"),
          std::string(19'994, 'x') + "\n", std::string(25'000, 'x') + "\n"})
        EXPECT_EQ(signer->clearsign(bad).error().code, base::Code::refused);
}

}  // namespace
}  // namespace sf::trust
