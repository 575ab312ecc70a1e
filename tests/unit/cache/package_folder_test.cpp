// SPDX-License-Identifier: Apache-2.0
// A folder of signed packages, with real keys: what goes in comes out, and nothing else does.
#include "cache/package_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/files.hpp"
#include "support/gnupg.hpp"
#include "support/packages.hpp"
#include "trust/gpg_signer.hpp"
#include "trust/keyring.hpp"

namespace sf::cache {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PackageFolders : public ::testing::Test {
protected:
    PackageFolders()
        : x_folder(base::TempDir::create("/tmp", "sft-").value()), x_cache(at("cache")) {
        EXPECT_TRUE(x_cache.prepare());
        x_built = test::make_package(at("packages"), "zlib", "1.3.1",
                                     {{"lib/libz.so.1", "elf", true}, {"share/doc", "words"}});
        x_spec = spec_of(x_built->package);
    }

    [[nodiscard]] fs::path at(const std::string& name) const { return x_folder.path() / name; }

    static model::Spec spec_of(const model::Package& package) {
        model::Spec spec;
        spec.name = package.name;
        spec.version = package.version;
        spec.toolchain = package.toolchain;
        spec.target = package.target;
        spec.identity = package.identity;
        return spec;
    }

    trust::GpgSigner signer(const std::string& who) {
        const trust::Keyring keyring(at("keys-" + who));
        trust::KeyRequest request;
        request.name = "Packages of " + who;
        request.email = who + "@example.org";
        request.kind = trust::KeyKind::ed25519;
        const trust::Key key = keyring.create(request).value();
        const auto trusted =
            trust::trusted_from({{key.primary.fingerprint, who}},
                                {keyring.export_public(key.primary.fingerprint).value()});
        x_verifiers.insert_or_assign(who, trust::Verifier::create(trusted.value()).value());
        return trust::GpgSigner::create(keyring, key.primary.fingerprint, {}).value();
    }

    base::Result<std::optional<CachedPackage>> take(const std::string& who) {
        return take(who, x_spec);
    }
    base::Result<std::optional<CachedPackage>> take(const std::string& who,
                                                    const model::Spec& spec) {
        const fs::path into = at("into" + std::to_string(++x_count));
        EXPECT_TRUE(base::make_dirs(into));
        return x_cache.take(spec, x_verifiers.at(who), into);
    }
    [[nodiscard]] fs::path inside(const std::string& file) const {
        return x_cache.package_folder(x_built->package.store_name()) / file;
    }

    base::TempDir x_folder;
    PackageFolder x_cache;
    std::optional<test::BuiltPackage> x_built;
    model::Spec x_spec;
    std::map<std::string, trust::Verifier> x_verifiers;
    int x_count = 0;
};

TEST_F(PackageFolders, WhatIsPutIsTaken) {
    const trust::GpgSigner anna = signer("anna");
    const auto absent = take("anna");
    ASSERT_TRUE(absent) << absent.error().text();
    EXPECT_FALSE(*absent);

    EXPECT_EQ(x_cache.put(x_built->package, x_built->folder, anna).value(), PackagePut::added);
    EXPECT_EQ(x_cache.put(x_built->package, x_built->folder, anna).value(), PackagePut::there);
    const auto taken = take("anna");
    ASSERT_TRUE(taken) << taken.error().text();
    ASSERT_TRUE(*taken);
    EXPECT_EQ((*taken)->package.identity, x_spec.identity);
    EXPECT_EQ((*taken)->signer.label, "anna");
    EXPECT_EQ(base::sha256_file((*taken)->archives / "run.tar.zst").value(),
              x_built->package.run.sha256);
    EXPECT_EQ(base::read_file((*taken)->tree / "lib/libz.so.1").value(), "elf");
}

TEST_F(PackageFolders, AStrangersPackageIsNotTaken) {
    static_cast<void>(signer("anna"));
    const trust::GpgSigner mallory = signer("mallory");
    ASSERT_TRUE(x_cache.put(x_built->package, x_built->folder, mallory));
    const auto taken = take("anna");
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, base::Code::refused);
}

TEST_F(PackageFolders, ChangedBytesAreNotTaken) {
    const trust::GpgSigner anna = signer("anna");
    ASSERT_TRUE(x_cache.put(x_built->package, x_built->folder, anna));
    const std::string archive = base::read_file(inside("run.tar.zst")).value();
    const std::string manifest = base::read_file(inside("manifest.json")).value();

    for (const auto& [file, text] :
         {std::pair{"run.tar.zst", archive}, {"manifest.json", manifest}}) {
        std::string changed = text;
        changed[changed.size() / 2] ^= 1;
        ASSERT_TRUE(base::write_file(inside(file), changed));
        EXPECT_FALSE(take("anna")) << file << " with a bit flipped";
        ASSERT_TRUE(base::write_file(inside(file), text + ' '));
        EXPECT_FALSE(take("anna")) << file << " with a byte more";
        ASSERT_TRUE(base::write_file(inside(file), text.substr(0, text.size() - 1)));
        EXPECT_FALSE(take("anna")) << file << " with a byte less";
        ASSERT_TRUE(base::write_file(inside(file), text));
    }
    ASSERT_TRUE(take("anna").value());
    ASSERT_TRUE(base::remove_file(inside("manifest.json.asc")));
    EXPECT_FALSE(take("anna")) << "without a signature";
}

// A package that was signed, under the name of another that was asked for.
TEST_F(PackageFolders, OnePackageIsNotTakenForAnother) {
    const trust::GpgSigner anna = signer("anna");
    ASSERT_TRUE(x_cache.put(x_built->package, x_built->folder, anna));
    model::Spec other = x_spec;
    other.identity = base::sha256("other inputs");
    ASSERT_TRUE(base::rename(x_cache.package_folder(x_spec.store_name()),
                             x_cache.package_folder(other.store_name())));
    const auto taken = take("anna", other);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().text(), HasSubstr("is of another package: identity"));

    other = x_spec;
    ASSERT_TRUE(x_cache.put(x_built->package, x_built->folder, anna));
    other.target = "x86_64";
    const auto wrong_target = take("anna", other);
    ASSERT_FALSE(wrong_target);
    EXPECT_THAT(wrong_target.error().text(), HasSubstr("target x86_64_v3, not x86_64"));
}

TEST_F(PackageFolders, NothingIsReplaced) {
    const trust::GpgSigner anna = signer("anna");
    ASSERT_TRUE(x_cache.put(x_built->package, x_built->folder, anna));
    // The same inputs with another result: what a build that is not reproducible would bring.
    const test::BuiltPackage again =
        test::make_package(at("again"), "zlib", "1.3.1", {{"lib/libz.so.1", "other", true}});
    ASSERT_EQ(again.package.identity, x_built->package.identity);
    EXPECT_EQ(x_cache.put(again.package, again.folder, anna).value(), PackagePut::different);
    EXPECT_EQ(take("anna").value()->package.run.sha256, x_built->package.run.sha256);
}

TEST_F(PackageFolders, AChangedArchiveIsNotPut) {
    const trust::GpgSigner anna = signer("anna");
    ASSERT_TRUE(base::write_file(x_built->folder / "run.tar.zst", "not what was built"));
    const auto put = x_cache.put(x_built->package, x_built->folder, anna);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, base::Code::corrupt);
    EXPECT_TRUE(base::list_dir(at("cache") / "packages").value().empty()) << "litter is left";
}

TEST_F(PackageFolders, AFileIsNoCache) {
    ASSERT_TRUE(base::write_file(at("file"), "words"));
    EXPECT_FALSE(PackageFolder(at("file")).prepare());
}

}  // namespace
}  // namespace sf::cache
