// SPDX-License-Identifier: Apache-2.0
// What nobody trusted has signed is refused, unless a site says otherwise; then it says so, every
// digest is compared all the same, and what somebody made of a good signature is refused as ever.
#include <gmock/gmock.h>

#include "base/text.hpp"
#include "tree/check.hpp"
#include "trust/clearsign.hpp"
#include "unit/install/cache_maker.hpp"

namespace sf::install {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Unsigned : public CacheTest {
protected:
    Unsigned()
        : x_theirs(x_gpg.make_key("Theirs <t@example.org>")),
          x_ours(x_gpg.make_key("Ours <o@example.org>")) {
        const auto report = publish("cache", "25.11.2", {x_theirs});
        EXPECT_TRUE(report) << report.error().text();
    }
    // As package_search.cpp does: of nobody where nobody is trusted.
    base::Result<Resolved> find(const trust::Verifier& verifier, bool accept = true,
                                const std::string& memory = "memory") {
        ReaderOptions options;
        options.mirror = main_folder;
        options.memory = x_folder.path() / memory;
        options.now = std::time(nullptr);
        options.accept_unsigned = accept;
        cache::FileBackend mirror(place("cache") / main_folder);
        SF_TRY(const MirrorReader reader, MirrorReader::open(mirror, verifier, options, x_heard));
        return reader.resolve({"slurm", "25.11", "bookworm", "x86_64_v3"});
    }
    [[nodiscard]] fs::path snapshot() const {
        return place("cache") / main_folder / "_sf/snapshot.json";
    }
    [[nodiscard]] trust::Verifier trusts(const std::string& key) {
        return trust::Verifier::create(trusting({key})).value();
    }
    // The snapshot's text, with no signature around it.
    void strip_snapshot() {
        const std::string text = trust::frame_of_clearsigned(read(snapshot())).value();
        ASSERT_TRUE(base::write_file(snapshot(), text));
    }

    std::string x_theirs;
    std::string x_ours;
    trust::Verifier x_nobody{trust::Verifier::of_nobody().value()};
};

TEST_F(Unsigned, IsRefusedUnlessItIsAccepted) {
    EXPECT_THAT(find(x_nobody, false).error().text(), HasSubstr("not trusted"));
    EXPECT_THAT(find(trusts(x_ours), false).error().text(), HasSubstr("not trusted"));
    const auto found = find(x_nobody);
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_FALSE(found->signer);
    EXPECT_THAT(found->unsigned_parts,
                ElementsAre("the snapshot", "the manifest", "the bundle's manifest"));
    const auto by_ours = find(trusts(x_ours));
    ASSERT_TRUE(by_ours) << by_ours.error().text();
    EXPECT_EQ(by_ours->unsigned_parts.size(), 3U);
    const auto signed_one = find(trusts(x_theirs));
    ASSERT_TRUE(signed_one) << signed_one.error().text();
    EXPECT_THAT(signed_one->unsigned_parts, IsEmpty()) << "what is signed is not called unsigned";
    EXPECT_EQ(signed_one->signer->primary.text(), x_theirs);
}

TEST_F(Unsigned, ATextWithoutASignatureAtAll) {
    strip_snapshot();
    EXPECT_FALSE(find(trusts(x_theirs), false));
    const auto found = find(trusts(x_theirs));
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_THAT(found->unsigned_parts, ElementsAre("the snapshot"));
    // It still has its one form.
    ASSERT_TRUE(base::write_file(snapshot(), ' ' + read(snapshot())));
    EXPECT_EQ(find(x_nobody).error().code, base::Code::corrupt);
}

// Whoever changed what a trusted key had signed has not made it unsigned.
TEST_F(Unsigned, WhatWasChangedAfterSigningIsRefused) {
    const std::string good = read(snapshot());
    std::string bad = good;
    const std::size_t at = bad.find("\"serial\": 1");
    ASSERT_NE(at, std::string::npos);
    bad.replace(at, 11, "\"serial\": 2");
    ASSERT_TRUE(base::write_file(snapshot(), bad));
    EXPECT_THAT(find(trusts(x_theirs)).error().text(), HasSubstr("changed after signing"));
    ASSERT_TRUE(base::write_file(snapshot(), good.substr(0, good.size() / 2)));
    EXPECT_EQ(find(x_nobody).error().code, base::Code::refused) << "half a message is none";
    ASSERT_TRUE(base::write_file(snapshot(), good));
    trust::TrustedKeys withdrawn = trusting({x_theirs});
    withdrawn.withdrawn.emplace(trust::Fingerprint::parse(x_theirs).value(), "stolen");
    EXPECT_THAT(find(trust::Verifier::create(withdrawn).value()).error().text(),
                HasSubstr("stolen"));
    x_gpg.revoke_key(x_theirs);
    EXPECT_THAT(find(trusts(x_theirs)).error().text(), HasSubstr("revoked key"));
}

TEST_F(Unsigned, EveryDigestIsCompared) {
    const fs::path manifests = place("cache") / main_folder / "v3/manifests/spec/slurm";
    for (const auto& each : fs::directory_iterator(manifests)) {
        std::string text = read(each.path());
        text[text.size() / 3] = static_cast<char>(text[text.size() / 3] ^ 1);
        ASSERT_TRUE(base::write_file(each.path(), text));
    }
    EXPECT_THAT(find(x_nobody).error().text(), HasSubstr("is not what it should be"));
}

// Nobody vouches for its number: it must not lock out those to come; nor does it lead back.
TEST_F(Unsigned, ItIsNotRemembered) {
    const std::string good = read(snapshot());
    strip_snapshot();
    const std::string text = read(snapshot());
    const auto with_serial = [&](const std::string& serial) {
        std::string changed = text;
        changed.replace(changed.find("\"serial\": 1"), 11, "\"serial\": " + serial);
        ASSERT_TRUE(base::write_file(snapshot(), changed));
    };
    with_serial("9");
    ASSERT_TRUE(find(x_nobody));
    ASSERT_TRUE(base::write_file(snapshot(), good));
    ASSERT_TRUE(find(trusts(x_theirs), false)) << "the 9 was not remembered, and the 1 now is";
    // Another text under a number that was seen is refused, signed or not.
    std::string other = text;
    const std::size_t at = other.find("\"expires\": ") + 11;
    other[at + 9] = other[at + 9] == '1' ? '2' : '1';
    ASSERT_TRUE(base::write_file(snapshot(), other));
    const auto refused = find(x_nobody);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("is not the one that was seen before"));
}

TEST_F(Unsigned, TheGenerationSaysSoForGood) {
    const auto install = [&](const Resolved& found, const std::string& prefix) {
        cache::FileBackend main(place("cache") / main_folder);
        cache::FileBackend deps(place("cache") / "bookworm/slurm/deps");
        InstallOptions how;
        how.record = tree::NewGeneration{{{"cache", "x"}}, 1'790'000'000};
        if (!found.unsigned_parts.empty())
            how.record->origin.emplace(tree::origin_unsigned, found.unsigned_parts.front());
        FetchReport fetched;
        return install_from_cache(found, {&main, &deps}, x_folder.path() / prefix, how, fetched);
    };
    const auto report = install(find(x_nobody).value(), "p");
    ASSERT_TRUE(report) << report.error().text();
    const auto again = install(find(trusts(x_theirs), false).value(), "p");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(again->generation, report->generation);
    const auto kept = tree::read_generation(report->prefix, report->generation).value();
    EXPECT_EQ(kept.generation.origin.at(tree::origin_unsigned), "the snapshot");
    // Known, and told; no damage, whoever is trusted by now.
    tree::CheckOptions options;
    options.judge = [](const auto&, const auto&, const auto&) -> base::Status {
        return base::fail(base::Code::refused, "not trusted");
    };
    const auto checked = tree::check_installed(report->prefix, options).value();
    EXPECT_TRUE(checked.defects.empty()) << checked.defects.front().rule;
    EXPECT_THAT(checked.notices, testing::Contains(HasSubstr("installed UNSIGNED")));
    // Of a signed one the same judgement is a defect.
    const auto other = install(find(trusts(x_theirs), false).value(), "q");
    ASSERT_TRUE(other) << other.error().text();
    EXPECT_FALSE(tree::check_installed(other->prefix, options)->defects.empty());
}

}  // namespace
}  // namespace sf::install
