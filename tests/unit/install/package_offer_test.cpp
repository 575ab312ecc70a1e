// SPDX-License-Identifier: Apache-2.0
// One package of a cache for who would build it otherwise: found by its inputs, brought whole, and
// not taken for another, whatever whoever serves the cache does.
#include "install/package_offer.hpp"

#include <gmock/gmock.h>

#include "base/text.hpp"
#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using base::Code;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Offers : public CacheTest {
protected:
    Offers() : x_key(x_gpg.make_key("Release <r@example.org>")) {
        EXPECT_TRUE(publish("cache", "25.11.2", {x_key}));
        x_built = test::make_slurm(x_folder.path() / "again", "25.11.2", "1");
        x_client = client({x_key});
        x_client->options.mirror = deps;
    }
    static constexpr const char* deps = "bookworm/slurm/deps";

    static model::Spec spec_of(const model::Package& package) {
        model::Spec spec;
        spec.name = package.name;
        spec.version = package.version;
        spec.toolchain = package.toolchain;
        spec.target = package.target;
        spec.identity = package.identity;
        spec.identity_text = package.identity_text;
        return spec;
    }
    model::Spec zlib() const { return spec_of(x_built[0].package); }

    base::Result<OfferSearch> look(const model::Spec& spec) {
        cache::FileBackend whole(place("cache"));
        cache::SubBackend mirror(whole, x_client->options.mirror);
        SF_TRY(const trust::Verifier verifier, trust::Verifier::create(x_client->trusted));
        SF_TRY(const MirrorReader reader,
               MirrorReader::open(mirror, verifier, x_client->options, x_heard));
        return reader.offer(spec);
    }
    base::Result<cache::CachedPackage> fetch(const PackageOffer& offer) {
        cache::FileBackend whole(place("cache"));
        cache::SubBackend mirror(whole, x_client->options.mirror);
        EXPECT_TRUE(base::remove_tree(room()));
        EXPECT_TRUE(base::make_dirs(room()));
        return fetch_offer(mirror, offer, room());
    }
    // "" or the message, of the whole way.
    std::string refusal(const model::Spec& spec) {
        const auto found = look(spec);
        if (!found) return found.error().text();
        if (!found->offer) return found->why_not;
        const auto got = fetch(*found->offer);
        return got ? "" : got.error().text();
    }
    fs::path room() const { return x_folder.path() / "room"; }
    fs::path object(const cache::ObjectName& name) const {
        return place("cache") / x_client->options.mirror / cache::key_of(name).value();
    }
    void forget() { EXPECT_TRUE(base::remove_tree(x_client->memory)); }

    std::string x_key;
    std::vector<test::BuiltPackage> x_built;
    std::optional<Client> x_client;
};

TEST_F(Offers, APackageComesAsItWasBuilt) {
    const auto found = look(zlib());
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_TRUE(found->offer) << found->why_not;
    EXPECT_EQ(found->offer->serial, 1U);
    EXPECT_EQ(found->offer->repository.size(), 32U);
    EXPECT_EQ(size_of(*found->offer), x_built[0].package.run.size);
    const auto got = fetch(*found->offer);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->signer.primary.text(), x_key);
    EXPECT_EQ(model::to_json(got->package).value(), model::to_json(x_built[0].package).value());
    EXPECT_EQ(read(got->archives / "run.tar.zst"), read(x_built[0].folder / "run.tar.zst"));
    EXPECT_EQ(read(got->tree / "lib/libz.so.1.3.1"), "zlib code");
    EXPECT_EQ(got->tree.filename(), x_built[0].package.store_name());
}

TEST_F(Offers, OtherInputsAreSaid) {
    model::Spec spec = zlib();
    spec.identity = base::sha256("other inputs");
    EXPECT_THAT(refusal(spec), HasSubstr("it has zlib 1.3.1 of other inputs"));
    spec.version = "1.3.2";
    EXPECT_EQ(refusal(spec), "it has no zlib 1.3.2");
    spec.version = "1.3.1";
    spec.toolchain = "noble";
    EXPECT_THAT(refusal(spec), HasSubstr("and not for noble, x86_64_v3"));
    // The identity alone is not enough.
    spec.identity = zlib().identity;
    EXPECT_THAT(refusal(spec), HasSubstr("is of another package: toolchain bookworm, not noble"));
}

TEST_F(Offers, ABitAnywhereIsSeen) {
    const model::Package& package = x_built[0].package;
    std::vector<fs::path> files{object(cache::BlobName{package.run.sha256}),
                                object(cache::FixedName::snapshot)};
    for (const auto& each :
         fs::recursive_directory_iterator(place("cache") / deps / "v3/manifests/spec/zlib"))
        if (each.is_regular_file()) files.push_back(each.path());
    ASSERT_EQ(files.size(), 3U);
    EXPECT_THAT(refusal(zlib()), IsEmpty());
    for (const fs::path& file : files) {
        const std::string good = read(file);
        std::string bent = good;
        bent[bent.size() / 2] = static_cast<char>(bent[bent.size() / 2] ^ 4);
        ASSERT_TRUE(base::write_file(file, bent));
        forget();
        EXPECT_FALSE(refusal(zlib()).empty()) << file;
        EXPECT_FALSE(base::exists(room() / "trees" / package.store_name())) << file;
        ASSERT_TRUE(base::write_file(file, good));
    }
    forget();
    EXPECT_THAT(refusal(zlib()), IsEmpty());
}

TEST_F(Offers, AHoleIsNotAnAbsence) {
    ASSERT_TRUE(base::remove_file(object(cache::BlobName{x_built[0].package.run.sha256})));
    const auto found = look(zlib());
    ASSERT_TRUE(found && found->offer);
    const auto got = fetch(*found->offer);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::corrupt);
}

TEST_F(Offers, AnotherPackagesManifestUnderTheNameIsNotTaken) {
    fs::path zlib_manifest;
    std::string munge_manifest;
    for (const auto& each :
         fs::recursive_directory_iterator(place("cache") / deps / "v3/manifests/spec")) {
        if (!each.is_regular_file()) continue;
        if (each.path().filename().native().starts_with("zlib-"))
            zlib_manifest = each.path();
        else
            munge_manifest = read(each.path());
    }
    ASSERT_TRUE(base::write_file(zlib_manifest, munge_manifest));
    EXPECT_THAT(refusal(zlib()), HasSubstr("zlib"));
    const auto found = look(zlib());
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::corrupt);
}

TEST_F(Offers, StrangersExpiryAndRevocationCount) {
    const std::string stranger = x_gpg.make_key("Stranger <s@example.org>");
    Client good = *x_client;
    x_client = client({stranger}, "other memory");
    x_client->options.mirror = deps;
    EXPECT_EQ(look(zlib()).error().code, Code::refused);
    x_client = good;
    x_client->options.now += 40 * 86'400;
    EXPECT_EQ(look(zlib()).error().code, Code::refused);
    EXPECT_THAT(refusal(zlib()), HasSubstr("expired"));
    x_client = good;
    x_client->options.revocations.builds = {{x_built[0].package.identity, "it has a worm", 1}};
    EXPECT_THAT(refusal(zlib()), HasSubstr("was revoked: zlib-1.3.1-"));
    EXPECT_THAT(refusal(zlib()), HasSubstr("it has a worm"));
    EXPECT_THAT(refusal(spec_of(x_built[1].package)), IsEmpty());
}

}  // namespace
}  // namespace sf::install
