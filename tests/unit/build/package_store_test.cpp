// SPDX-License-Identifier: Apache-2.0
// Who vouches for the packages of a store: for what was taken, and for what was built with that.
#include "build/package_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "base/json.hpp"

namespace sf::build {
namespace {

using ::testing::HasSubstr;

class PackageStoreTest : public ::testing::Test {
protected:
    struct Origin {
        std::optional<Taken> taken{};
        MadeOf made_of{};
    };
    static Taken from(const std::string& signer) {
        return {"/srv/cache", "", "", 0, signer, signer, 1};
    }

    // The package, as it is in the store then.
    model::Package add(const std::string& name, const Origin& origin) {
        model::Package package;
        package.name = name;
        package.version = "1";
        package.toolchain = "bookworm";
        package.target = "x86_64_v3";
        package.license = "MIT";
        package.identity_text = base::canonical_json({{"name", name}}).value();
        package.identity = base::sha256(package.identity_text);
        const std::string archive = "the archive of " + name;
        package.run = {"run.tar.zst", base::sha256(archive), archive.size(), 1, 1};
        const base::TempDir room = base::TempDir::create(x_dir.path(), "room-").value();
        EXPECT_TRUE(base::make_dirs(room.path() / "tree"));
        EXPECT_TRUE(base::make_dirs(room.path() / "folder"));
        EXPECT_TRUE(base::write_file(room.path() / "folder/run.tar.zst", archive));
        EXPECT_TRUE(x_store.commit(package, room.path() / "tree", room.path() / "folder",
                                   origin.taken, origin.made_of));
        return package;
    }
    // One that believes everybody but this one.
    PackageStore without(const std::string& signer) {
        return PackageStore(
            x_state,
            [signer](const TakenPackage& package) -> base::Result<std::optional<std::string>> {
                if (package.from.signer == signer) return "nobody trusts it";
                return std::nullopt;
            });
    }

    base::TempDir x_dir =
        base::TempDir::create(std::filesystem::temp_directory_path(), "sf-store-").value();
    StateDir x_state{x_dir.path() / "state"};
    PackageStore x_store{x_state};
};

TEST_F(PackageStoreTest, WhatWasTakenIsJudgedEachTime) {
    const model::Package zlib = add("zlib", {from("A"), {}});
    const std::string name = zlib.store_name();
    EXPECT_TRUE(x_store.find(name).value());
    EXPECT_TRUE(without("B").find(name).value());
    EXPECT_EQ(without("B").doubt_about(name).value(), std::nullopt);
    EXPECT_FALSE(without("A").find(name).value());
    EXPECT_EQ(without("A").doubt_about(name).value(),
              "taken from /srv/cache, signed by A: nobody trusts it");
    EXPECT_EQ(x_store.made_of(name).value(), MadeOf{taken_package(zlib, from("A"))});
    // What is not there is in no doubt.
    EXPECT_EQ(without("A").doubt_about("curl-1-12345678").value(), std::nullopt);
    // Built here, it is this machine's.
    add("zlib", {});
    EXPECT_TRUE(without("A").find(name).value());
    EXPECT_TRUE(x_store.made_of(name).value().empty());
}

TEST_F(PackageStoreTest, WhatWasBuiltWithItIsNoBetter) {
    const model::Package zlib = add("zlib", {from("A"), {}});
    const model::Package flex = add("flex", {from("B"), {}});
    MadeOf both = x_store.made_of(zlib.store_name()).value();
    sf::build::add(both, x_store.made_of(flex.store_name()).value());
    sf::build::add(both, MadeOf(both));
    ASSERT_EQ(both.size(), 2U);
    const std::string slurm = add("slurm", {{}, both}).store_name();
    EXPECT_EQ(x_store.taken(slurm).value(), std::nullopt);
    EXPECT_EQ(x_store.made_of(slurm).value(), both);
    EXPECT_TRUE(without("C").find(slurm).value());
    for (const auto& [signer, with] : {std::pair{"A", zlib}, {"B", flex}}) {
        EXPECT_FALSE(without(signer).find(slurm).value());
        EXPECT_THAT(without(signer).doubt_about(slurm).value().value_or(""),
                    HasSubstr("built with " + with.store_name() + ", taken from /srv/cache"));
    }
    // Whatever is there now of what it was built with.
    add("zlib", {});
    EXPECT_FALSE(without("A").find(slurm).value());
}

TEST_F(PackageStoreTest, ARecordThatCannotBeReadVouchesForNothing) {
    const model::Package zlib = add("zlib", {from("A"), {}});
    const std::string curl =
        add("curl", {{}, x_store.made_of(zlib.store_name()).value()}).store_name();
    for (const auto& [name, file] :
         {std::pair{zlib.store_name(), "taken.json"}, {curl, "made-of.json"}}) {
        ASSERT_TRUE(base::write_file(x_store.folder(name) / file, "{}"));
        EXPECT_FALSE(x_store.made_of(name));
        EXPECT_FALSE(without("nobody").find(name).value());
        EXPECT_THAT(without("nobody").doubt_about(name).value().value_or(""), HasSubstr(file));
    }
    // Whoever cannot tell says so.
    const std::string lz4 = add("lz4", {from("A"), {}}).store_name();
    const PackageStore asking(x_state,
                              [](const TakenPackage&) -> base::Result<std::optional<std::string>> {
                                  return base::fail(base::Code::failed, "no list");
                              });
    EXPECT_FALSE(asking.find(lz4));
}

TEST_F(PackageStoreTest, TheRecordHasOneText) {
    MadeOf made_of{taken_package(add("zlib", {}), from("A"))};
    sf::build::add(made_of, {taken_package(add("flex", {}), from("B"))});
    EXPECT_EQ(made_of[0].store_name.substr(0, 4), "flex");
    const std::string text = to_json(made_of).value();
    EXPECT_EQ(made_of_from_json(text).value(), made_of);
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_FALSE(made_of_from_json(text.substr(0, i)));
        std::string bent = text;
        bent[i] = static_cast<char>(bent[i] ^ 0x11);
        if (const auto read = made_of_from_json(bent)) {
            EXPECT_EQ(to_json(*read).value(), bent);
        }
    }
    EXPECT_FALSE(made_of_from_json(text + "\n"));
}

}  // namespace
}  // namespace sf::build
