// SPDX-License-Identifier: Apache-2.0
// Keys made, listed, moved, revoked; signatures made; the trust store. Against real GnuPG.
#include "trust/keyring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <fcntl.h>
#include <unistd.h>

#include "base/stream.hpp"
#include "support/gnupg.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/trust_store.hpp"
#include "trust/verdict.hpp"

namespace sf::trust {
namespace {

using ::testing::HasSubstr;

class Keys : public ::testing::Test {
protected:
    Keys() : x_folder(base::TempDir::create("/tmp", "sft-").value()) {}

    Keyring keyring(std::string_view name = "gnupg") const {
        return Keyring(x_folder.path() / "keys" / name);
    }
    static Key make(const Keyring& keyring, Passphrase passphrase = {}) {
        KeyRequest request;
        request.name = "Release Key";
        request.email = "release@example.org";
        request.kind = KeyKind::ed25519;
        request.passphrase = std::move(passphrase);
        auto key = keyring.create(request);
        EXPECT_TRUE(key) << (key ? "" : key.error().text());
        return std::move(*key);
    }
    std::filesystem::path file(std::string_view name, std::string_view content,
                               unsigned mode = 0600) const {
        const std::filesystem::path path = x_folder.path() / name;
        EXPECT_TRUE(base::write_file(path, content, mode));
        return path;
    }
    // No agent of ours may live longer than its session.
    static bool agent_alive(const std::filesystem::path& home) {
        for (const auto& process : std::filesystem::directory_iterator("/proc")) {
            const auto line = base::read_file_if_exists(process.path() / "cmdline");
            if (line && *line && (*line)->find("gpg-agent") != std::string::npos &&
                (*line)->find(home.string()) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

    base::TempDir x_folder;
};

TEST_F(Keys, create_and_list) {
    const Keyring ring = keyring();
    EXPECT_TRUE(ring.list().value().empty());
    const Key key = make(ring);
    EXPECT_TRUE(key.secret);
    EXPECT_TRUE(key.primary.signs);
    EXPECT_TRUE(key.primary.expires.has_value());
    EXPECT_EQ(algorithm_text(key.primary), "Ed25519");
    EXPECT_EQ(key.user_ids, std::vector<std::string>{"Release Key <release@example.org>"});
    const auto keys = ring.list();
    ASSERT_TRUE(keys) << keys.error().text();
    ASSERT_EQ(keys->size(), 1U);
    EXPECT_EQ(keys->front().primary.fingerprint, key.primary.fingerprint);
    EXPECT_TRUE(keys->front().secret);
    struct stat status {};
    ASSERT_EQ(::stat(ring.home().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    EXPECT_FALSE(agent_alive(ring.home()));
}

TEST_F(Keys, rsa4096_by_default) {
    KeyRequest request;
    request.name = "Release Key";
    request.email = "release@example.org";
    request.expires = "0";
    const auto key = keyring().create(request);
    ASSERT_TRUE(key) << key.error().text();
    EXPECT_EQ(algorithm_text(key->primary), "RSA 4096");
    EXPECT_FALSE(key->primary.expires.has_value());
}

TEST_F(Keys, home_deeper_than_a_socket_name_can_be) {
    const std::filesystem::path deep =
        x_folder.path() / std::string(100, 'a') / std::string(100, 'b') / "sp ace \xC3\xA9";
    const Keyring ring(deep / "gnupg");
    const Key key = make(ring);
    const auto signer = GpgSigner::create(ring, key.primary.fingerprint, {});
    ASSERT_TRUE(signer) << signer.error().text();
    EXPECT_TRUE(signer->sign_bytes("bytes"));
    EXPECT_FALSE(agent_alive(ring.home()));
}

TEST_F(Keys, open_home_is_refused) {
    const Keyring ring = keyring();
    ASSERT_TRUE(base::make_dirs(ring.home(), 0755));
    ASSERT_EQ(::chmod(ring.home().c_str(), 0755), 0);
    const auto keys = ring.list();
    ASSERT_FALSE(keys);
    EXPECT_THAT(keys.error().text(), HasSubstr("open to other users"));
    EXPECT_THAT(keys.error().hint, HasSubstr("chmod 700"));
}

TEST_F(Keys, requests_that_would_be_more_than_a_name) {
    const KeyRequest good{.name = "Release Key", .email = "a@example.org"};
    EXPECT_TRUE(check_key_request(good));
    for (const char* name : {"", "abc", "Key\n%no-protection", "Key <x@y>", "Key \x1b[31m",
                             "%commit", " padded ", "1 digit"}) {
        KeyRequest bad = good;
        bad.name = name;
        EXPECT_FALSE(check_key_request(bad)) << name;
    }
    for (const char* email : {"", "a", "a@b\nPassphrase: x", "a b@c", "@", "a@b>"}) {
        KeyRequest bad = good;
        bad.email = email;
        EXPECT_FALSE(check_key_request(bad)) << email;
    }
    for (const char* expires : {"", "soon", "2y\n", "-1d", "1h", "20300101"}) {
        KeyRequest bad = good;
        bad.expires = expires;
        EXPECT_FALSE(check_key_request(bad)) << expires;
    }
}

TEST_F(Keys, passphrase_from_file_and_descriptor) {
    const Keyring ring = keyring();
    const Passphrase right{Passphrase::From::file, -1, file("right", "correct horse\n")};
    const Passphrase wrong{Passphrase::From::file, -1, file("wrong", "battery staple\n")};
    const Key key = make(ring, right);
    const Fingerprint& fingerprint = key.primary.fingerprint;
    const auto sign = [&](const Passphrase& passphrase) {
        return GpgSigner::create(ring, fingerprint, passphrase).value().sign_bytes("bytes");
    };
    EXPECT_TRUE(sign(right));
    const auto refused = sign(wrong);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("passphrase"));
    EXPECT_FALSE(sign({}));
    const base::Fd descriptor = base::open_file(right.file, O_RDONLY).value();
    EXPECT_TRUE(sign({Passphrase::From::descriptor, descriptor.get(), {}}));
    // A pipe gives its line once; a run signs more than once.
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const base::Fd reading(ends[0]);
    {
        const base::Fd writing(ends[1]);
        ASSERT_TRUE(base::write_all(writing.get(), base::as_bytes("correct horse\n"), "a pipe"));
    }
    const auto signer =
        GpgSigner::create(ring, fingerprint, {Passphrase::From::descriptor, reading.get(), {}});
    ASSERT_TRUE(signer) << signer.error().text();
    EXPECT_TRUE(signer->sign_bytes("one"));
    EXPECT_TRUE(signer->sign_bytes("another"));
    // A file others can read is not a secret.
    const Passphrase open{Passphrase::From::file, -1, file("open", "correct horse\n", 0644)};
    const auto careless = sign(open);
    ASSERT_FALSE(careless);
    EXPECT_THAT(careless.error().text(), HasSubstr("can be read by others"));
}

TEST_F(Keys, sign_file_and_verify) {
    const Keyring ring = keyring();
    const Key key = make(ring);
    const auto signer = GpgSigner::create(ring, key.primary.fingerprint, {});
    ASSERT_TRUE(signer);
    const std::filesystem::path path = file("a file", std::string(3'000'000, 'x'));
    ASSERT_TRUE(signer->sign_file(path));
    const std::string signature = base::read_file(path.string() + ".asc").value();
    const auto trusted = trusted_from({{key.primary.fingerprint, "us"}},
                                      {ring.export_public(key.primary.fingerprint).value()});
    ASSERT_TRUE(trusted);
    auto verifier = Verifier::create(*trusted);
    ASSERT_TRUE(verifier);
    const base::Fd fd = base::open_file(path, O_RDONLY).value();
    const auto good = verifier->verify(fd.get(), signature, path.string());
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 0);
    EXPECT_FALSE(signer->sign_file(x_folder.path() / "absent"));
}

TEST_F(Keys, export_import_and_trust) {
    const Keyring ours = keyring();
    const Keyring theirs = keyring("theirs");
    const Key key = make(ours);
    const Fingerprint& fingerprint = key.primary.fingerprint;
    const std::string text = ours.export_public(fingerprint).value();
    EXPECT_THAT(text, HasSubstr("BEGIN PGP PUBLIC KEY BLOCK"));
    const std::filesystem::path path = file("key.asc", text);

    const auto imported = theirs.import(path);
    ASSERT_TRUE(imported) << imported.error().text();
    EXPECT_FALSE(imported->secret);
    ASSERT_EQ(imported->keys.size(), 1U);
    EXPECT_EQ(imported->keys[0].primary.fingerprint, fingerprint);
    EXPECT_FALSE(theirs.find(fingerprint).value().secret);
    EXPECT_FALSE(GpgSigner::create(theirs, fingerprint, {}));
    EXPECT_FALSE(theirs.import(file("rubbish", "rubbish")));
    EXPECT_FALSE(theirs.import(x_folder.path() / "absent"));

    const std::filesystem::path folder = x_folder.path() / "trust";
    auto store = TrustStore::open(folder);
    ASSERT_TRUE(store);
    EXPECT_TRUE(store->entries().empty());
    ASSERT_TRUE(store->add({fingerprint, "release \"team\""}, text));
    const auto trusted = load_trusted({folder, x_folder.path() / "nothing"});
    ASSERT_TRUE(trusted) << trusted.error().text();
    EXPECT_EQ(trusted->keys.size(), 1U);
    EXPECT_EQ(trusted->label_of(fingerprint), "release \"team\"");
    EXPECT_EQ(trusted->doubt_of(fingerprint.text(), fingerprint.text()), std::nullopt);
    EXPECT_EQ(trusted->doubt_of(std::string(40, 'A'), std::string(40, 'A')),
              "this key is not trusted here");
    EXPECT_EQ(trusted->doubt_of(fingerprint.text(), std::string(40, 'A')),
              "the key that signed is no part of it as it is known here");
    TrustedKeys without_key = *trusted;
    without_key.keys.clear();
    EXPECT_EQ(without_key.doubt_of(fingerprint.text(), fingerprint.text()),
              "its public part is not here");
    TrustedKeys taken_back = *trusted;
    taken_back.withdrawn.emplace(fingerprint, "stolen");
    EXPECT_EQ(taken_back.doubt_of(fingerprint.text(), fingerprint.text()),
              "this key is withdrawn: stolen");
    EXPECT_TRUE(trusted->warnings.empty());

    // Somebody else's key file does not make them trusted.
    const Key other = make(theirs);
    EXPECT_FALSE(store->add({other.primary.fingerprint, ""}, text));

    // A revocation arrives, and an old copy of the key does not undo it.
    const auto revoked = ours.revoke(fingerprint, RevocationReason::compromised, {});
    ASSERT_TRUE(revoked) << revoked.error().text();
    EXPECT_TRUE(ours.find(fingerprint).value().primary.revoked);
    // Others learn of it from its public part; also who has never heard of the key.
    for (const Keyring& whose : {theirs, Keyring(x_folder.path() / "strangers")}) {
        const auto imported = whose.import(file("revoked.asc", *revoked));
        ASSERT_TRUE(imported) << imported.error().text();
        EXPECT_TRUE(imported->keys.at(0).primary.revoked);
    }
    EXPECT_FALSE(GpgSigner::create(ours, fingerprint, {}));
    EXPECT_TRUE(store->refresh(fingerprint, *revoked).value());
    EXPECT_FALSE(store->refresh(other.primary.fingerprint, *revoked).value());
    EXPECT_TRUE(load_trusted({folder}).value().keys[0].primary.revoked);
    EXPECT_EQ(load_trusted({folder}).value().doubt_of(fingerprint.text(), fingerprint.text()),
              "this key is revoked");
    EXPECT_FALSE(store->add({fingerprint, ""}, text));
    EXPECT_TRUE(store->remove(fingerprint).value());
    EXPECT_FALSE(store->remove(fingerprint).value());
    EXPECT_FALSE(store->add({fingerprint, ""}, text));
}

TEST_F(Keys, secret_key_import) {
    test::Gnupg gpg;
    const std::string fingerprint = gpg.make_key("Made elsewhere <x@example.org>");
    const std::filesystem::path path =
        file("secret.asc", gpg.run({"--armor", "--export-secret-keys", fingerprint}));
    const auto imported = keyring().import(path);
    ASSERT_TRUE(imported) << imported.error().text();
    EXPECT_TRUE(imported->secret);
    const auto signer = GpgSigner::create(keyring(), Fingerprint::parse(fingerprint).value(), {});
    ASSERT_TRUE(signer) << signer.error().text();
    EXPECT_TRUE(signer->sign_bytes("x"));
}

TEST_F(Keys, weak_keys_are_not_trusted_and_do_not_sign) {
    test::Gnupg gpg;
    const std::string text = gpg.make_key("Weak <x@example.org>", "rsa2048");
    const Fingerprint fingerprint = Fingerprint::parse(text).value();
    auto store = TrustStore::open(x_folder.path() / "trust").value();
    const base::Status refused = store.add({fingerprint, ""}, gpg.export_key(text));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("too weak"));
    ASSERT_TRUE(
        keyring().import(file("weak.asc", gpg.run({"--armor", "--export-secret-keys", text}))));
    EXPECT_FALSE(GpgSigner::create(keyring(), fingerprint, {}));
}

TEST_F(Keys, trust_files_that_others_can_write) {
    const std::filesystem::path folder = x_folder.path() / "trust";
    ASSERT_TRUE(base::make_dirs(folder));
    ASSERT_TRUE(base::write_file(folder / "trust.json", R"({"trust":1,"keys":[]})"));
    EXPECT_TRUE(TrustStore::open(folder));
    ASSERT_EQ(::chmod((folder / "trust.json").c_str(), 0666), 0);
    EXPECT_THAT(TrustStore::open(folder).error().text(), HasSubstr("can be written by others"));
    ASSERT_EQ(::chmod((folder / "trust.json").c_str(), 0644), 0);
    ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
    EXPECT_FALSE(TrustStore::open(folder));
    ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
    ASSERT_EQ(::rename((folder / "trust.json").c_str(), (folder / "real").c_str()), 0);
    std::filesystem::create_symlink("real", folder / "trust.json");
    EXPECT_FALSE(TrustStore::open(folder));
}

// With a checksum, in whatever form it comes: a changed bit in a revocation would lose it else.
TEST_F(Keys, public_parts_are_kept_armoured) {
    test::Gnupg gpg;
    const std::string key = gpg.make_key("Site <site@example.org>");
    const Fingerprint fingerprint = Fingerprint::parse(key).value();
    auto store = TrustStore::open(x_folder.path() / "trust").value();
    const auto is_armoured = [&] {
        const std::string text = base::read_file(store.folder() / (key + ".asc")).value();
        EXPECT_TRUE(text.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"));
        EXPECT_THAT(text, ::testing::ContainsRegex("\n=....\n-----END PGP"));
    };
    ASSERT_TRUE(store.add({fingerprint, ""}, gpg.run({"--export", key})));
    is_armoured();
    gpg.revoke_key(key);
    EXPECT_TRUE(store.refresh(fingerprint, gpg.run({"--export", key})).value());
    is_armoured();
    EXPECT_TRUE(load_trusted({store.folder()}).value().keys.at(0).primary.revoked);
}

TEST_F(Keys, roots_are_listed_apart) {
    test::Gnupg gpg;
    const std::string root = gpg.make_key("Root <root@example.org>");
    const std::string other = gpg.make_key("Other <other@example.org>");
    const auto folder = base::TempDir::create("/tmp", "sft-").value();
    auto store = TrustStore::open(folder.path() / "trust").value();
    const Fingerprint fingerprint = Fingerprint::parse(root).value();
    ASSERT_TRUE(store.add_root({fingerprint, "root"}, gpg.export_key(root)));
    ASSERT_TRUE(store.add({Fingerprint::parse(other).value(), ""}, gpg.export_key(other)));
    const auto both = store.add({fingerprint, "x"}, gpg.export_key(root));
    ASSERT_FALSE(both);
    EXPECT_THAT(both.error().message, HasSubstr("one key is not both"));
    const TrustedKeys keys = load_trusted({store.folder()}).value();
    const TrustedKeys roots = load_roots({store.folder()}).value();
    ASSERT_EQ(keys.keys.size(), 1U);
    EXPECT_EQ(keys.keys[0].primary.fingerprint.text(), other);
    ASSERT_EQ(roots.keys.size(), 1U);
    EXPECT_EQ(roots.keys[0].primary.fingerprint, fingerprint);
    gpg.revoke_key(root);
    EXPECT_TRUE(store.refresh(fingerprint, gpg.export_key(root)).value());
    EXPECT_TRUE(load_roots({store.folder()}).value().keys[0].primary.revoked);
    EXPECT_TRUE(store.remove(fingerprint).value());
    EXPECT_TRUE(TrustStore::open(store.folder()).value().roots().empty());
}

TEST(TrustFile, strict) {
    const std::string fingerprint(40, 'A');
    const auto text = trust_file_text({{{Fingerprint::parse(fingerprint).value(), "x\ny"}}, {}});
    ASSERT_TRUE(text);
    const auto again = parse_trust_file(*text);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->keys.at(0).fingerprint.text(), fingerprint);
    EXPECT_EQ(again->keys.at(0).label, "x\ny");
    EXPECT_TRUE(parse_trust_file(R"({"trust":1,"keys":[]})"));
    const std::string key = R"({"fingerprint":")" + fingerprint + R"("})";
    EXPECT_TRUE(parse_trust_file(R"({"trust":1,"keys":[)" + key + "]}"));
    const auto roots = parse_trust_file(R"({"trust":1,"keys":[],"roots":[)" + key + "]}");
    ASSERT_TRUE(roots);
    EXPECT_TRUE(roots->keys.empty());
    EXPECT_EQ(roots->roots.at(0).fingerprint.text(), fingerprint);
    EXPECT_EQ(parse_trust_file(trust_file_text(*roots).value())->roots.size(), 1U);
    for (const std::string& bad : {
             std::string(),
             std::string("[]"),
             std::string("{}"),
             std::string("null"),
             std::string(R"({"trust":2,"keys":[]})"),
             std::string(R"({"trust":"1","keys":[]})"),
             std::string(R"({"trust":1,"keys":{}})"),
             std::string(R"({"trust":1,"keys":[],"more":1})"),
             std::string(R"({"trust":1,"trust":1,"keys":[]})"),
             std::string(R"({"trust":1,"keys":[]} x)"),
             std::string(R"({"trust":1,"keys":[1]})"),
             R"({"trust":1,"keys":[)" + key + "," + key + "]}",
             R"({"trust":1,"keys":[{"fingerprint":"ABCD"}]})" + std::string(),
             R"({"trust":1,"keys":[{"fingerprint":")" + fingerprint + R"(","label":1}]})",
             R"({"trust":1,"keys":[{"fingerprint":")" + fingerprint + R"(","x":""}]})",
             R"({"trust":1,"keys":[{"label":""}]})" + std::string(),
             R"({"trust":1,"keys":[)" + key + R"(],"roots":[)" + key + "]}",
             R"({"trust":1,"keys":[],"roots":{}})" + std::string(),
             R"({"trust":1,"roots":[)" + key + "]}",
         }) {
        EXPECT_FALSE(parse_trust_file(bad)) << bad;
    }
}

}  // namespace
}  // namespace sf::trust
