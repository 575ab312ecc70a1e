// SPDX-License-Identifier: Apache-2.0
// A3, A1 and B1 of the threat model at a cache's client: signed things in each other's places,
// every flipped bit of what is small, and who signed with which key.
#include <gmock/gmock.h>

#include <fstream>

#include "cache/gzip_text.hpp"
#include "cache/package_index.hpp"
#include "trust/armor.hpp"
#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using ::testing::HasSubstr;

class SignedSwaps : public CacheTest {
protected:
    fs::path mirror() const { return place("cache") / main_folder; }
    static void put(const fs::path& path, const std::string& bytes) {
        std::ofstream out(path, std::ios::binary | std::ios::trunc);
        out << bytes;
    }
    trust::SignedText verified(const std::string& bytes) const {
        return x_verifier->verify_clearsigned(bytes, "a file").value();
    }
    cache::Snapshot snapshot() const {
        return cache::snapshot_from_text(verified(read(mirror() / "_sf/snapshot.json")).text)
            .value();
    }
    std::string node(const cache::Ref& ref) const {
        return cache::gunzip(read(node_file(ref.sha256)), cache::max_index_node).value();
    }
    fs::path node_file(const base::Digest& digest) const {
        return mirror() / "_sf/index" / (digest.hex() + ".json.gz");
    }
    cache::Ref add_node(const std::string& text) const {
        const std::string packed = cache::gzip(text).value();
        const base::Digest digest = base::sha256(packed);
        put(node_file(digest), packed);
        return {digest, packed.size()};
    }
};

// Each manifest in the place of each other: by who can write but not sign, and by who signs an
// index that names the wrong one.
TEST_F(SignedSwaps, A3) {
    ASSERT_TRUE(publish("cache", "25.11.1", {x_key}));
    ASSERT_TRUE(publish("cache", "25.11.2", {x_key}));
    ASSERT_TRUE(publish("cache", "25.11.3", {x_key}, {}, "2"));
    // By key, in whichever mirror.
    std::map<std::string, fs::path> all;
    for (const char* folder : {"bookworm/slurm/deps", main_folder}) {
        const fs::path root = place("cache") / folder;
        for (auto it = fs::recursive_directory_iterator(root / "v3/manifests/spec");
             it != fs::recursive_directory_iterator(); ++it)
            if (it->is_regular_file())
                all[it->path().lexically_relative(root).native()] = it->path();
    }
    ASSERT_EQ(all.size(), 5U);
    int pairs = 0;
    for (const auto& [here, path] : all) {
        const std::string own = read(path);
        for (const auto& [other, from] : all) {
            if (here == other) continue;
            const std::string theirs = read(from);
            const auto manifest = cache::spec_manifest_from_json(verified(theirs).text, here);
            ASSERT_FALSE(manifest);
            EXPECT_THAT(manifest.error().message, HasSubstr(here));
            EXPECT_THAT(manifest.error().message, HasSubstr(other));
            ++pairs;
            const auto name = cache::name_of(here).value();
            const auto& spec = std::get<cache::SpecManifestName>(name);
            if (spec.name != "slurm") continue;
            put(path, theirs);
            EXPECT_FALSE(says("cache", client({x_key}), spec.version).starts_with("25."));

            // The signed index names what lies there.
            const std::string before = read(mirror() / "_sf/snapshot.json");
            cache::Snapshot changed = snapshot();
            cache::NameNode names =
                cache::name_node_from_json(node(changed.names.at("slurm"))).value();
            cache::VersionNode builds =
                cache::version_node_from_json(node(names.versions.at(spec.version))).value();
            builds.builds.front().manifest = {base::sha256(theirs), theirs.size()};
            names.versions.at(spec.version) = add_node(cache::to_json(builds).value());
            changed.names.at("slurm") = add_node(cache::to_json(names).value());
            ++changed.serial;
            put(mirror() / "_sf/snapshot.json",
                signer({x_key}).clearsign(cache::to_text(changed).value()).value());
            const std::string said =
                says("cache", client({x_key}, "memory-" + std::to_string(pairs)), spec.version);
            EXPECT_THAT(said, HasSubstr("the signed manifest of another package"));
            EXPECT_THAT(said, HasSubstr(here));
            EXPECT_THAT(said, HasSubstr(other));
            put(mirror() / "_sf/snapshot.json", before);
        }
        put(path, own);
    }
    EXPECT_EQ(pairs, 20);
    EXPECT_EQ(says("cache", client({x_key}, "last memory")), "25.11.3");
}

// Every bit of the index's nodes, of the blobs that are read before anything is fetched, and of the
// signatures; every 41st of the signed texts, each of which costs a gpgv.
TEST_F(SignedSwaps, A1) {
    ASSERT_TRUE(publish("cache", "25.11.2", {x_key}));
    const Client site = client({x_key});
    ASSERT_EQ(says("cache", site), "25.11.2");
    cache::FileBackend whole(place("cache"));
    cache::SubBackend main(whole, main_folder);
    const cache::Ref names = snapshot().names.at("slurm");
    const cache::Ref builds =
        cache::name_node_from_json(node(names)).value().versions.at("25.11.2");
    int flips = 0;
    const auto flipped = [&](std::string bytes, std::size_t bit) {
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        ++flips;
        return bytes;
    };
    for (const cache::Ref& ref : {names, builds}) {
        const fs::path file = node_file(ref.sha256);
        const std::string good = read(file);
        const std::string key = cache::key_of(cache::IndexNodeName{ref.sha256}).value();
        for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
            put(file, flipped(good, bit));
            ASSERT_FALSE(cache::read_ref(main, key, ref)) << bit;
        }
        put(file, good);
    }
    const cache::VersionNode node_of_version = cache::version_node_from_json(node(builds)).value();
    const fs::path manifest =
        mirror() / cache::key_of(cache::SpecManifestName{"slurm", "25.11.2",
                                                         node_of_version.builds.front().hash})
                       .value();
    for (const fs::path& file : {mirror() / "_sf/snapshot.json", manifest}) {
        const std::string good = read(file);
        const std::size_t signature = good.rfind("-----BEGIN PGP SIGNATURE-----") * 8;
        ASSERT_TRUE(x_verifier->verify_clearsigned(good, "x"));
        for (std::size_t bit = 0; bit < good.size() * 8; bit += bit < signature ? 41 : 1)
            ASSERT_FALSE(x_verifier->verify_clearsigned(flipped(good, bit), "x")) << bit;
    }
    EXPECT_EQ(says("cache", site), "25.11.2");
    RecordProperty("flips", flips);
    EXPECT_GT(flips, 7'000);
}

// B1 through a cache: the snapshot is signed with each kind of key.
TEST_F(SignedSwaps, B1) {
    const auto make = [&](const char* name, const char* kind = "ed25519") {
        return x_gpg.make_key(std::string(name) + " <x@example.org>", kind);
    };
    const std::string subkeys = make("Subkeys");
    const std::string subkey = x_gpg.add_subkey(subkeys);
    const std::string gone_subkey = x_gpg.add_subkey(subkeys);
    const std::string expired =
        x_gpg.make_key("Old <old@example.org>", "ed25519", "2020-02-01", "20200102T000000");
    const std::string ancient =
        x_gpg.make_key("Ancient <old@example.org>", "ed25519", "never", "20200102T000000");
    const std::string revoked = make("Revoked");
    const std::string withdrawn = make("Withdrawn");
    const std::string stranger = make("Stranger");
    const std::string namesake = x_gpg.make_key("Release <release@example.org>");
    const std::string weak = make("Weak", "rsa2048");
    const std::string dsa = make("Dsa", "dsa2048");
    const std::string strong = make("Rsa", "rsa4096");
    const std::string ecdsa = make("Ec", "nistp256");
    ASSERT_TRUE(publish("cache", "25.11.2", {x_key}));
    const fs::path file = mirror() / "_sf/snapshot.json";
    const std::string good = read(file);
    const std::string text = verified(good).text;
    const auto sign = [&](const Keys& keys, const Keys& extra = {}, const std::string& what = "") {
        Keys arguments = extra;
        for (const std::string& key : keys)
            arguments.insert(arguments.end(), {"--local-user", key});
        if (std::ranges::find(extra, "--digest-algo") == extra.end())
            arguments.insert(arguments.end(), {"--digest-algo", "SHA512"});
        arguments.insert(arguments.end(), {"--no-emit-version", "--no-comments", "--clear-sign"});
        return x_gpg.run(arguments, what.empty() ? text : what);
    };
    const auto joined = [&](const std::string& first, const std::string& second) {
        const auto at = [](const std::string& bytes) {
            return bytes.rfind("-----BEGIN PGP SIGNATURE-----");
        };
        return first.substr(0, at(first)) +
               trust::armor_signature(trust::dearmor_signature(first.substr(at(first))).value() +
                                      trust::dearmor_signature(second.substr(at(second))).value());
    };
    const std::string by_revoked = sign({revoked});
    const std::string by_both_revoked = sign({x_key, revoked});
    const std::string by_gone = sign({gone_subkey + "!"});
    x_gpg.revoke_key(revoked);
    x_gpg.revoke_subkey(subkeys, 2);
    Client site =
        client({x_key, subkeys, expired, ancient, revoked, withdrawn, weak, dsa, strong, ecdsa});
    site.trusted.withdrawn.emplace(trust::Fingerprint::parse(withdrawn).value(), "lost");
    const std::string ok = "25.11.2";
    struct Row {
        const char* what;
        std::string bytes;
        std::string said;
    };
    const std::vector<Row> rows{
        {"the publisher", good, ok},
        {"again, by gpg", sign({x_key}), ok},
        {"RSA 4096", sign({strong}), ok},
        {"ECDSA", sign({ecdsa}), ok},
        {"a signing subkey", sign({subkey + "!"}), ok},
        {"a revoked subkey", by_gone, "revoked key"},
        {"a stranger", sign({stranger}), "not trusted: " + stranger},
        {"another of the same name", sign({namesake}), "not trusted: " + namesake},
        {"an expired key", sign({expired}, {"--faked-system-time", "20200103T000000"}),
         "expired key"},
        {"an expired signature",
         sign({ancient}, {"--faked-system-time", "20200103T000000", "--default-sig-expire", "1d"}),
         "has expired"},
        {"a revoked key", by_revoked, "revoked key"},
        {"good beside revoked", by_both_revoked, "revoked key"},
        {"a withdrawn key", sign({withdrawn}), "withdrawn: " + withdrawn + " (lost)"},
        {"good beside withdrawn", sign({withdrawn, x_key}), ok},
        {"RSA 2048", sign({weak}), "too weak"},
        {"DSA", sign({dsa}), "too weak"},
        {"SHA-1", sign({strong}, {"--digest-algo", "SHA1"}), "snapshot.json"},
        {"MD5", sign({strong}, {"--digest-algo", "MD5"}), "snapshot.json"},
        {"SHA-256", sign({strong}, {"--digest-algo", "SHA256"}), ok},
        {"made in the future", sign({x_key}, {"--faked-system-time", "20990101T000000"}),
         "in the future"},
        {"good and unknown", sign({x_key, stranger}), ok},
        {"unknown and good", sign({stranger, x_key}), ok},
        {"good and bad", joined(sign({x_key}), sign({strong}, {}, "another text\n")),
         "changed after signing"},
        {"bad and good",
         joined(sign({x_key}), joined(sign({strong}, {}, "another text\n"), sign({x_key}))),
         "changed after signing"},
        {"seventeen signatures",
         [&] {
             std::string many = sign({x_key});
             for (int i = 0; i < 16; ++i) many = joined(many, good);
             return many;
         }(),
         "snapshot.json"},
        {"a detached one of a file's bytes",
         good.substr(0, good.rfind("-----BEGIN PGP SIGNATURE-----")) + x_gpg.sign(text, {x_key}),
         "snapshot.json"},
        {"another text's", joined(sign({x_key}, {}, "another text\n"), good), "snapshot.json"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.what);
        put(file, row.bytes);
        const std::string said = says("cache", site);
        EXPECT_THAT(said, HasSubstr(row.said));
        EXPECT_EQ(said == ok, row.said == ok) << said;
    }
    EXPECT_GE(rows.size(), 26U);
    put(file, good);
    EXPECT_THAT(says("cache", client({stranger})), HasSubstr("not trusted"));
    EXPECT_THAT(says("cache", client({})), HasSubstr("no key is trusted"));
}

}  // namespace
}  // namespace sf::install
