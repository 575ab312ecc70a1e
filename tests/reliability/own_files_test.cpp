// SPDX-License-Identifier: Apache-2.0
// A1 of the threat model, of what a machine itself says of whom it believes: the list of trusted
// keys, their public parts, the list of caches. They are the administrator's and nobody signs them,
// so a changed bit in a fingerprint is just another fingerprint. What has to hold of each changed
// bit: the file is refused; or it says the same; or one thing in it is another, and gives nobody a
// right: a fingerprint of a key that is not here, the name or the place of a cache or what its
// mirrors are held to (what is there has to be signed by the same keys), a number of days, a label.
// So no key counts that did not count before, no root signs packages, none that was revoked counts
// again, and no cache may hold what nobody has signed.
#include <algorithm>
#include <set>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "cache/named_caches.hpp"
#include "reliability/soundness.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/trust_store.hpp"
#include "trust/verdict.hpp"

namespace sf::test {
namespace {

namespace fs = std::filesystem;
using trust::Fingerprint;

std::string flipped(std::string text, std::uint64_t bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << (bit % 8)));
    return text;
}

std::string read(const fs::path& file) { return base::read_file(file).value(); }

void write(const fs::path& file, const std::string& text) {
    const base::Status written = base::write_file(file, text);
    ASSERT_TRUE(written) << written.error().text();
}

// A public part as GnuPG exports it without --armor: nothing in it tells of a changed bit.
std::string binary_form(const std::string& armoured) {
    const std::size_t begin = armoured.find("\n\n") + 2;
    const std::size_t end =
        std::min(armoured.find("\n=", begin), armoured.find("\n-----END", begin));
    const std::string digits = armoured.substr(begin, end - begin);
    return base::from_base64(base::replace_all(digits, "\n", "")).value();
}

// The fingerprints of `now` that are others than in the same place before; none goes or comes.
std::vector<Fingerprint> strangers(const std::vector<trust::TrustEntry>& before,
                                   const std::vector<trust::TrustEntry>& now) {
    std::vector<Fingerprint> found;
    EXPECT_EQ(now.size(), before.size());
    for (std::size_t i = 0; i < std::min(now.size(), before.size()); ++i)
        if (now[i].fingerprint != before[i].fingerprint) found.push_back(now[i].fingerprint);
    return found;
}

// What of a cache is another; what gives a right is not.
std::vector<std::string> differences(const cache::NamedCache& before,
                                     const cache::NamedCache& now) {
    EXPECT_EQ(now.allow_unsigned, before.allow_unsigned);
    EXPECT_EQ(now.root.has_value(), before.root.has_value());
    EXPECT_EQ(now.max_age_days == 0, before.max_age_days == 0);
    EXPECT_EQ(now.keys.size(), before.keys.size());
    EXPECT_EQ(now.mirrors.size(), before.mirrors.size());
    std::vector<std::string> found;
    if (now.name != before.name) found.emplace_back("name");
    if (now.place != before.place) found.emplace_back("place");
    if (now.max_age_days != before.max_age_days) found.emplace_back("age");
    if (now.mirrors != before.mirrors) found.emplace_back("mirrors");
    if (now.root && now.root != before.root) found.push_back(now.root->text());
    for (std::size_t i = 0; i < std::min(now.keys.size(), before.keys.size()); ++i)
        if (now.keys[i] != before.keys[i]) found.push_back(now.keys[i].text());
    return found;
}

class OwnFiles : public ::testing::Test {
protected:
    struct Owner {
        Fingerprint key;
        std::string text;  // that it has signed, while it could
    };

    OwnFiles()
        : x_folder(base::TempDir::create(room_in_memory(), "sfr-").value()),
          x_keyring(x_folder.path() / "gnupg"),
          x_release(make("Release")),
          x_revoked(make("Revoked")),
          x_root(make("Authority")),
          x_stranger(make("Stranger")) {
        auto store = trust::TrustStore::open(x_trust).value();
        EXPECT_TRUE(store.add({x_release.key, "release"}, public_part(x_release)));
        EXPECT_TRUE(store.add({x_revoked.key, "old"}, public_part(x_revoked)));
        EXPECT_TRUE(store.add_root({x_root.key, "root"}, public_part(x_root)));
        const std::string taken_back =
            x_keyring
                .revoke(x_revoked.key, trust::RevocationReason::compromised, trust::Passphrase{})
                .value();
        EXPECT_TRUE(store.refresh(x_revoked.key, taken_back).value());
        nobody_else_counts();
        EXPECT_EQ(x_good, 1U);
    }

    [[nodiscard]] Owner make(const std::string& name) const {
        const trust::Key key = x_keyring
                                   .create({.name = name,
                                            .email = "someone@example.org",
                                            .kind = trust::KeyKind::ed25519,
                                            .expires = "0",
                                            .passphrase = {}})
                                   .value();
        const auto signer =
            trust::GpgSigner::create(x_keyring, key.primary.fingerprint, {}).value();
        return {key.primary.fingerprint, signer.clearsign("packages\n").value()};
    }
    [[nodiscard]] std::string public_part(const Owner& owner) const {
        return x_keyring.export_public(owner.key).value();
    }
    [[nodiscard]] fs::path file_of(const Fingerprint& key) const {
        return x_trust / (key.text() + ".asc");
    }

    // By what lies there now.
    void nobody_else_counts() {
        const std::vector<fs::path> folders{x_trust};
        ++x_loads;
        const auto roots = trust::load_roots(folders);
        if (roots) check_keys(*roots, {x_root.key});
        const auto keys = trust::load_trusted(folders);
        if (!keys) return;
        check_keys(*keys, {x_release.key, x_revoked.key});
        const auto verifier = trust::Verifier::create(*keys);
        if (!verifier) return;
        for (const Owner* each : {&x_revoked, &x_root, &x_stranger})
            EXPECT_FALSE(verifier->verify_clearsigned(each->text, "it")) << each->key.text();
        const auto good = verifier->verify_clearsigned(x_release.text, "it");
        if (!good) return;
        EXPECT_EQ(good->signature.primary, x_release.key);
        EXPECT_EQ(good->text, "packages\n");
        ++x_good;
    }
    void check_keys(const trust::TrustedKeys& keys, const std::set<Fingerprint>& ours) const {
        for (const trust::Key& each : keys.keys) {
            const Fingerprint& key = each.primary.fingerprint;
            EXPECT_TRUE(ours.contains(key)) << key.text();
            EXPECT_EQ(each.primary.revoked, key == x_revoked.key) << key.text();
        }
        // Whose public part is of no use, or not here, is said.
        EXPECT_EQ(keys.keys.size() + keys.warnings.size(), keys.entries.size());
    }

    base::TempDir x_folder;
    trust::Keyring x_keyring;
    fs::path x_trust = x_folder.path() / "trust";
    Owner x_release;
    Owner x_revoked;
    Owner x_root;
    Owner x_stranger;  // listed nowhere
    std::uint64_t x_loads = 0;
    std::uint64_t x_good = 0;  // of them, in which the release key counted
};

TEST_F(OwnFiles, A1ChangedBitsOfTheListOfKeys) {
    const std::uint64_t seldom = is_nightly() ? 1 : 40;
    static_cast<void>(begin_suite(
        "A1 list of keys",
        fmt::format("every bit; every {}. list that names another key is loaded", seldom),
        x_folder.path()));
    const fs::path file = x_trust / "trust.json";
    const std::string good = read(file);
    const trust::TrustFile before = trust::parse_trust_file(good).value();
    std::uint64_t refused = 0, same = 0, others = 0;
    for (std::uint64_t bit = 0; bit < good.size() * 8 && !HasFailure(); ++bit) {
        const std::string changed = flipped(good, bit);
        const auto now = trust::parse_trust_file(changed);
        if (!now) {
            ++refused;
            continue;
        }
        std::vector<Fingerprint> found = strangers(before.keys, now->keys);
        for (Fingerprint& each : strangers(before.roots, now->roots))
            found.push_back(std::move(each));
        ASSERT_LE(found.size(), 1U) << bit;
        if (found.empty()) {
            ++same;
            continue;
        }
        EXPECT_FALSE(base::exists(file_of(found.front()))) << bit;
        if (others++ % seldom != 0) continue;
        write(file, changed);
        nobody_else_counts();
    }
    write(file, good);
    x_good = 0;
    nobody_else_counts();
    EXPECT_EQ(x_good, 1U);
    EXPECT_GT(refused, 0U);
    EXPECT_GT(others, 0U);
    say("A1 list of keys",
        fmt::format("{} bits changed: {} refused, {} of labels, {} another fingerprint, of a key "
                    "that is not here; {} of those loaded: no other key counts",
                    good.size() * 8, refused, same, others, (others + seldom - 1) / seldom));
}

TEST_F(OwnFiles, A1ChangedBitsOfPublicParts) {
    const std::uint64_t count = rounds(10, 500);
    Random random = begin_suite(
        "A1 public parts",
        fmt::format("{} bits of each of 3, one of them revoked, one a root; of 2 in binary", count),
        x_folder.path());
    x_loads = 0;
    x_good = 0;
    const auto change_bits = [&](const fs::path& file, const std::string& good) {
        for (std::uint64_t i = 0; i < count && !HasFailure(); ++i) {
            const std::uint64_t bit = below(random, good.size() * 8);
            SCOPED_TRACE(fmt::format("bit {} of {}, {} bytes", bit, file.native(), good.size()));
            write(file, flipped(good, bit));
            nobody_else_counts();
        }
    };
    for (const Owner* each : {&x_release, &x_revoked, &x_root}) {
        const fs::path file = file_of(each->key);
        const std::string good = read(file);
        change_bits(file, good);
        // Of a revoked one a changed bit may lose the revocation, which no one but a checksum would
        // tell: ours are armoured (docs/formats/trust.md).
        if (each != &x_revoked) change_bits(file, binary_form(good));
        write(file, good);
    }
    say("A1 public parts",
        fmt::format("{} bits changed: no other key counts, and none that was revoked; the one that "
                    "should did in {}",
                    x_loads, x_good));
    // In binary, as it should be.
    const std::string good = read(file_of(x_release.key));
    for (const std::string& form : {binary_form(good), good}) {
        write(file_of(x_release.key), form);
        x_good = 0;
        nobody_else_counts();
        EXPECT_EQ(x_good, 1U);
    }
}

TEST_F(OwnFiles, A1ChangedBitsOfTheListOfCaches) {
    cache::NamedCache site;
    site.name = "site";
    site.place = "https://cache.example.org/slurm";
    site.keys = {x_release.key, x_revoked.key};
    site.root = x_root.key;
    site.max_age_days = 90;
    site.mirrors["noble/slurm/25.11"] = {std::string(32, '9'), 12};
    cache::NamedCache lab;
    lab.name = "lab";
    lab.place = "/srv/slurm-cache";
    lab.allow_unsigned = true;
    const std::vector<cache::NamedCache> before{site, lab};
    const std::string good = cache::caches_file_text(before).value();
    static_cast<void>(begin_suite("A1 list of caches", "every bit", x_folder.path()));
    std::uint64_t refused = 0, others = 0;
    for (std::uint64_t bit = 0; bit < good.size() * 8 && !HasFailure(); ++bit) {
        SCOPED_TRACE(fmt::format("bit {}", bit));
        const auto now = cache::parse_caches_file(flipped(good, bit));
        if (!now) {
            ++refused;
            continue;
        }
        ASSERT_EQ(now->size(), before.size());
        std::vector<std::string> found;
        for (std::size_t i = 0; i < before.size(); ++i)
            for (const std::string& each : differences(before[i], (*now)[i])) found.push_back(each);
        // Nothing in it has two forms.
        ASSERT_EQ(found.size(), 1U);
        ++others;
        EXPECT_FALSE(base::exists(x_trust / (found.front() + ".asc"))) << found.front();
    }
    EXPECT_GT(refused, 0U);
    EXPECT_GT(others, 0U);
    say("A1 list of caches",
        fmt::format("{} bits changed: {} refused, {} another name, place, age or mirror, or a "
                    "fingerprint of a key that is not here",
                    good.size() * 8, refused, others));
}

// What comes of it: nothing is installed, or what should be.
TEST(OwnFilesOfASite, A1ChangedBitsByTheProgram) {
    const std::uint64_t count = rounds(12, 1'000);
    const std::string version = "25.11.2";
    Site site({version}, room_in_memory());
    const Soundness sound(site);
    const std::string key = read(site.small().folder() / "fingerprint");
    const Said listed = site.run({"cache", "add", "site", site.cache().native(), "--key", key});
    ASSERT_EQ(listed.code, 0) << listed.text();
    Random random = begin_suite(
        "A1 own files by the program",
        fmt::format("{} bits of trust.json, caches.json and a public part", count), site.folder());
    const fs::path folder = site.at("client") / "keys/trust";
    const std::vector<fs::path> files{folder / "trust.json", folder / "caches.json",
                                      folder / (key + ".asc")};
    const fs::path prefix = site.at("prefix");
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
        const fs::path& file = files[i % files.size()];
        const std::string good = read(file);
        const std::uint64_t bit = below(random, good.size() * 8);
        write(file, flipped(good, bit));
        const Said said = site.run(site.install(version, prefix, "site"));
        SCOPED_TRACE(fmt::format("bit {} of {}: {}", bit, file.native(), said.text()));
        EXPECT_FALSE(said.hung || said.signal != 0);
        if (said.code == 0) {
            sound.check_has(prefix, version, true);
        } else {
            EXPECT_FALSE(base::exists(prefix / "store"));
            EXPECT_FALSE(base::exists(prefix / "view"));
            ++refused;
        }
        fs::remove_all(prefix);
        write(file, good);
    }
    const Said last = site.run(site.install(version, prefix, "site"));
    EXPECT_EQ(last.code, 0) << last.text();
    say("A1 own files by the program",
        fmt::format("{} bits changed: {} refused, the others installed the same", count, refused));
}

}  // namespace
}  // namespace sf::test
