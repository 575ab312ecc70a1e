// SPDX-License-Identifier: Apache-2.0
// The verbs of `cache` on real, signed mirrors: what verify finds, and that the others mend, copy
// and tidy what it looks at.
#include <gmock/gmock.h>

#include <chrono>
#include <map>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/http_backend.hpp"
#include "install/mirror_audit.hpp"
#include "support/mirrors.hpp"
#include "trust/trust_store.hpp"
#include "trusting.hpp"
#include "unit/net/raw_server.hpp"

namespace sf::cli::test {
namespace {

namespace fs = std::filesystem;
using sf::test::deps_folder;
using sf::test::main_folder;
using sf::test::Mirrors;
using testing::HasSubstr;
using testing::Not;

class CacheVerbs : public TrustingCommandLine {
protected:
    CacheVerbs() : x_place(x_all.publish_all()) { trust(x_all.anna, "anna"); }

    Said cache(std::vector<std::string> words) {
        words.insert(words.begin(), "cache");
        return run_here(std::move(words));
    }
    Said verify(const fs::path& place, std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"verify", place.native()});
        return cache(std::move(more));
    }
    // The events of one kind.
    static std::vector<base::Json> events(const Said& said, const std::string& kind) {
        std::vector<base::Json> found;
        for (const std::string& line : base::split(said.out, '\n')) {
            if (line.empty()) continue;
            const base::Json json = base::parse_json(line).value();
            if (json.value("event", "") == kind) found.push_back(json);
        }
        return found;
    }
    static void flip(const fs::path& file) {
        std::string bytes = base::read_file(file).value();
        bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
        ASSERT_TRUE(base::write_file(file, bytes));
    }
    base::Result<install::AuditReport> audit(bool deep) {
        cache::FileBackend mirror(x_place / main_folder);
        install::AuditOptions how;
        how.mirror = main_folder;
        how.now = x_all.now;
        how.deep = deep;
        return install::audit(mirror, *x_all.anna.verifier, how);
    }
    [[nodiscard]] fs::path run_blob(std::size_t package) const {
        return cache::key_of(cache::BlobName{x_all.built.at(package).package.run.sha256}).value();
    }

    Mirrors x_all{state() / "keys/gnupg"};  // whose signer is this machine's
    fs::path x_place;
};

TEST_F(CacheVerbs, VerifyTellsWhatIsThere) {
    const Said said = verify(x_place, {"--deep", "--json"});
    EXPECT_EQ(said.code, 0) << said.out << said.err;
    const auto mirrors = events(said, "mirror_verified");
    ASSERT_EQ(mirrors.size(), 2U);
    EXPECT_EQ(mirrors[0].at("packages"), 2) << "what Slurm needs comes first";
    EXPECT_EQ(mirrors[1].at("packages"), 1);
    for (const base::Json& mirror : mirrors) {
        EXPECT_EQ(mirror.at("defects"), 0);
        EXPECT_EQ(mirror.at("unnamed"), 0);
        EXPECT_EQ(mirror.at("serial"), 1);
        EXPECT_EQ(mirror.at("signer"), x_all.anna.primary());
        EXPECT_EQ(mirror.at("read"), mirror.at("bytes"));
        EXPECT_GT(mirror.at("read"), 0);
    }
    EXPECT_EQ(mirrors[0].at("objects"), 1 + 4 + 2 + 8);
    const Said text = verify(x_place);
    EXPECT_EQ(text.code, 0);
    EXPECT_THAT(text.out, HasSubstr("deps: good"));
    EXPECT_THAT(text.out, HasSubstr("25.11: good"));
}

// One bit anywhere in anything that is named.
TEST_F(CacheVerbs, VerifyFindsEachFlippedBit) {
    const auto good = audit(true);
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_TRUE(good->defects.empty());
    std::size_t flipped = 0;
    for (const std::string& key : Mirrors::keys(x_place / main_folder)) {
        // What Spack reads of keys is not read by anybody of ours.
        if (key.starts_with("v3/manifests/key/") || key == "v3/layout.json") continue;
        const fs::path file = x_place / main_folder / key;
        const std::string before = base::read_file(file).value();
        const bool of_spack = before.find("\"keys\"") == 1 ||
                              before.find("BEGIN PGP PUBLIC KEY") != std::string::npos;
        if (of_spack) continue;
        flip(file);
        const auto found = audit(true);
        if (key == "_sf/snapshot.json") {
            EXPECT_FALSE(found);
        } else if (before.find("\"database\"") == 1 || key.starts_with("v3/manifests/index/")) {
            // A form of Spack's own would be no defect, and is told.
            ASSERT_TRUE(found) << key << found.error().text();
            EXPECT_EQ(found->defects.size() + found->notes.size(), 1U) << key;
        } else {
            ASSERT_TRUE(found) << key << found.error().text();
            EXPECT_GE(found->defects.size(), 1U) << key;
        }
        ++flipped;
        ASSERT_TRUE(base::write_file(file, before));
    }
    EXPECT_EQ(flipped, 13U);
    EXPECT_TRUE(audit(true)->defects.empty());
}

TEST_F(CacheVerbs, VerifyFindsAllThatIsMissing) {
    const fs::path deps = x_place / deps_folder;
    ASSERT_TRUE(base::remove_file(deps / run_blob(0)));
    ASSERT_TRUE(base::remove_file(deps / run_blob(1)));
    const Said said = verify(x_place, {"--json"});
    EXPECT_EQ(said.code, 1);
    const auto defects = events(said, "defect");
    ASSERT_EQ(defects.size(), 4U) << "each in its mirror, and as what Slurm needs";
    for (const base::Json& defect : defects) {
        EXPECT_EQ(defect.at("code"), "absent");
        EXPECT_NE(defect.at("hint"), "");
    }
    EXPECT_THAT(said.out, HasSubstr("which slurm 25.11.2"));
}

TEST_F(CacheVerbs, OnlyDeepReadsArchives) {
    flip(x_place / main_folder / run_blob(2));
    EXPECT_EQ(verify(x_place).code, 0);
    const Said deep = verify(x_place, {"--deep"});
    EXPECT_EQ(deep.code, 1);
    EXPECT_THAT(deep.out, HasSubstr(run_blob(2).native()));
    EXPECT_THAT(deep.out, HasSubstr("next:"));
}

// A bucket that may not be listed, behind a web server: it says of nothing that it is not there.
TEST_F(CacheVerbs, VerifyGoesOnWhereWhatIsNotThereIsRefused) {
    set("no_proxy", "*");
    using Server = sf::test::RawServer;
    Server server([this](const Server::Request& request, Server::Connection& to) {
        const auto object = base::read_file(x_place / request.path.substr(1));
        if (!object) {
            to.send(sf::test::answer("403 Forbidden", "", ""));
        } else if (request.is_head()) {
            to.send(
                fmt::format("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                            object->size()));
        } else {
            to.send(sf::test::answer("200 OK", "", *object));
        }
    });
    sf::cache::HttpBackend mirror(
        net::Url::parse(server.url(std::string("/") + main_folder)).value());
    const auto audited = [&] {
        install::AuditOptions how;
        how.mirror = main_folder;
        how.now = x_all.now;
        return install::audit(mirror, *x_all.anna.verifier, how);
    };
    const auto good = audited();
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_TRUE(good->defects.empty());
    EXPECT_FALSE(good->part);
    ASSERT_EQ(good->notes.size(), 1U);
    EXPECT_THAT(good->notes.front(), HasSubstr("whether this is a copy of a part"));
    EXPECT_THAT(good->notes.front(), HasSubstr("Forbidden"));
    // As of a whole one: all has to be there.
    ASSERT_TRUE(base::remove_file(x_place / main_folder / run_blob(2)));
    const auto lacking = audited();
    ASSERT_TRUE(lacking) << lacking.error().text();
    ASSERT_EQ(lacking->defects.size(), 1U);
    EXPECT_EQ(lacking->defects.front().object, run_blob(2).native());
}

TEST_F(CacheVerbs, AnExpiredSnapshotIsADefectUntilItIsSignedAfresh) {
    x_all.now -= 40 * sf::test::one_day;
    const fs::path old = x_all.publish_all("old");
    const Said expired = verify(old);
    EXPECT_EQ(expired.code, 1);
    EXPECT_THAT(expired.out, HasSubstr("cache refresh"));
    const Said refreshed = cache({"refresh", old.native(), "--lifetime", "90"});
    EXPECT_EQ(refreshed.code, 0) << refreshed.err;
    EXPECT_THAT(refreshed.out, HasSubstr("snapshot 2, expires"));
    EXPECT_EQ(verify(old).code, 0);
    const Said again = cache({"refresh", old.native()});
    EXPECT_EQ(again.code, 0);
    EXPECT_THAT(again.out, HasSubstr("snapshot 2 is young enough"));
}

TEST_F(CacheVerbs, WhatIsBrokenOrForeignIsNotSigned) {
    ASSERT_TRUE(base::remove_file(x_place / deps_folder / run_blob(0)));
    const Said broken = cache({"refresh", x_place.native(), "--force"});
    EXPECT_EQ(broken.code, 1);
    EXPECT_THAT(broken.err, HasSubstr("is not signed afresh"));
    const sf::test::Publisher bert(x_all.at("keys-of-bert"), "bert");
    auto trusted = trust::TrustStore::open(x_all.at("only-bert")).value();
    ASSERT_TRUE(trusted.add({bert.key->primary.fingerprint, "bert"}, bert.public_key));
    const Said foreign =
        cache({"refresh", x_place.native(), "--force", "--trust-dir", x_all.at("only-bert")});
    EXPECT_EQ(foreign.code, 1);
    EXPECT_THAT(foreign.err, HasSubstr("is not trusted here"));
}

TEST_F(CacheVerbs, IndexMendsWhatSpackReads) {
    const fs::path index = x_place / main_folder / "v3/manifests/index/index.manifest.json";
    ASSERT_TRUE(base::remove_file(index));
    const Said spoilt = verify(x_place);
    EXPECT_EQ(spoilt.code, 1);
    EXPECT_THAT(spoilt.out, HasSubstr("cache index"));
    const Said mended = cache({"index", x_place.native()});
    EXPECT_EQ(mended.code, 0) << mended.err;
    EXPECT_THAT(mended.out, HasSubstr("made anew"));
    EXPECT_THAT(mended.out, HasSubstr("right already"));
    EXPECT_EQ(verify(x_place).code, 0);
}

TEST_F(CacheVerbs, MirrorCopiesWhatWasAskedFor) {
    const fs::path copy = x_all.at("copy");
    const Said copied = cache({"mirror", x_place.native(), copy.native()});
    EXPECT_EQ(copied.code, 0) << copied.err;
    EXPECT_EQ(verify(copy, {"--deep"}).code, 0);
    const Said again = cache({"mirror", x_place.native(), copy.native(), "--series", "25.11"});
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_THAT(again.out, HasSubstr("snapshot 1 is there already"));
    const Said none = cache({"mirror", x_place.native(), copy.native(), "--series", "24.11"});
    EXPECT_EQ(none.code, 1);
    EXPECT_THAT(none.err, HasSubstr("has no Slurm 24.11"));
    EXPECT_THAT(none.err, HasSubstr(main_folder));
}

TEST_F(CacheVerbs, PruneAndVerifyCountTheSame) {
    const std::string key = cache::key_of(cache::BlobName{base::sha256("litter")}).value();
    const fs::path file = x_place / deps_folder / key;
    ASSERT_TRUE(base::make_dirs(file.parent_path()));
    ASSERT_TRUE(base::write_file(file, "litter"));
    EXPECT_THAT(verify(x_place).out, HasSubstr("1 objects (6 B) that nothing names"));
    const Said young = cache({"prune", x_place.native()});
    EXPECT_EQ(young.code, 0) << young.err;
    EXPECT_THAT(young.out, HasSubstr("1 that nothing names are younger than 60 days"));
    Mirrors::age(file, 61);
    const Said dry = cache({"prune", x_place.native(), "--dry-run"});
    EXPECT_THAT(dry.out, HasSubstr("would remove " + key));
    EXPECT_TRUE(base::exists(file));
    const Said pruned = cache({"prune", x_place.native()});
    EXPECT_EQ(pruned.code, 0) << pruned.err;
    EXPECT_FALSE(base::exists(file));
    EXPECT_EQ(verify(x_place, {"--deep"}).code, 0);
}

TEST_F(CacheVerbs, ARetirementThatIsRefusedHasRemovedNothing) {
    x_all.built = sf::test::make_slurm(x_all.at("packages"), "25.11.3", "2");
    x_all.publish_all();
    const std::string key = cache::key_of(cache::BlobName{base::sha256("litter")}).value();
    const auto litter_in = [&](const fs::path& place) {
        const fs::path file = place / main_folder / key;
        EXPECT_TRUE(base::make_dirs(file.parent_path()));
        EXPECT_TRUE(base::write_file(file, "litter"));
        Mirrors::age(file, 61);
        return file;
    };
    const fs::path litter = litter_in(x_place);
    // On a machine without the key.
    const Said no_key =
        run({"cache", "prune", x_place.native(), "--keep", "1", "--trust-dir",
             (state() / "keys/trust").native(), "--state-dir", (folder() / "elsewhere").native(),
             "--data-dir", (fs::path(SF_GOLDEN) / "recipe/good").native()});
    EXPECT_EQ(no_key.code, 1);
    EXPECT_THAT(no_key.err, HasSubstr("no key here that can sign"));
    EXPECT_TRUE(base::exists(litter));
    // Of a mirror with a defect.
    const fs::path run_archive = x_place / main_folder / run_blob(2);
    const std::string bytes = base::read_file(run_archive).value();
    ASSERT_TRUE(base::remove_file(run_archive));
    const Said broken = cache({"prune", x_place.native(), "--keep", "1"});
    EXPECT_EQ(broken.code, 1);
    EXPECT_THAT(broken.err, HasSubstr("is not signed afresh"));
    EXPECT_TRUE(base::exists(litter));
    ASSERT_TRUE(base::write_file(run_archive, bytes));
    // Of a copy of a part.
    const fs::path part = x_all.at("part");
    const Said copied = cache({"mirror", x_place.native(), part.native(), "--versions", "25.11.3"});
    ASSERT_EQ(copied.code, 0) << copied.err;
    const fs::path litter_of_part = litter_in(part);
    const Said of_part = cache({"prune", part.native(), "--keep", "1"});
    EXPECT_EQ(of_part.code, 1);
    EXPECT_THAT(of_part.err, HasSubstr("nothing is retired here"));
    EXPECT_TRUE(base::exists(litter_of_part));
    // Of one that anybody's packages may come from.
    const std::vector<std::string> unsigned_too{
        "add", "lab", x_place.native(), "--key", x_all.anna.primary(), "--allow-unsigned"};
    const Said added = cache(unsigned_too);
    ASSERT_EQ(added.code, 0) << added.err;
    const Said no_origin = cache({"prune", "lab", "--keep", "1"});
    EXPECT_EQ(no_origin.code, 1);
    EXPECT_THAT(no_origin.err, HasSubstr("unsigned packages may be installed"));
    EXPECT_TRUE(base::exists(litter));
    const Said removed = cache({"remove", "lab"});
    ASSERT_EQ(removed.code, 0) << removed.err;
    const Said done = cache({"prune", x_place.native(), "--keep", "1"});
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_THAT(done.out, HasSubstr("retired slurm 25.11.2"));
    EXPECT_FALSE(base::exists(litter));
}

// What a site builds for by default does not say which part of a cache is looked at.
TEST_F(CacheVerbs, AConfigurationFileNarrowsNothing) {
    write(folder() / "config/slurm-factory/config.yaml", "toolchain: elsewhere\n");
    for (const char* verb : {"verify", "index", "prune"}) {
        const Said said = cache({verb, x_place.native()});
        EXPECT_EQ(said.code, 0) << verb << ": " << said.err;
        EXPECT_THAT(said.out, HasSubstr(main_folder)) << verb;
    }
    EXPECT_EQ(cache({"mirror", x_place.native(), x_all.at("copy")}).code, 0);
    EXPECT_EQ(verify(x_place, {"--toolchain", "elsewhere"}).code, 1);
}

TEST_F(CacheVerbs, ThePlaceHasToFit) {
    const Said nothing = verify(x_all.at("nothing"));
    EXPECT_EQ(nothing.code, 1);
    EXPECT_THAT(nothing.err, HasSubstr("nothing was published to"));
    EXPECT_THAT(nothing.err, HasSubstr("there is no such folder"));
    EXPECT_THAT(nothing.err, HasSubstr("slurm-factory cache list"));
    ASSERT_TRUE(base::make_dirs(x_all.at("empty")));
    const Said empty = verify(x_all.at("empty"));
    EXPECT_EQ(empty.code, 1);
    EXPECT_THAT(empty.err, HasSubstr("nothing was published to"));
    EXPECT_THAT(empty.err, HasSubstr("--publish-to " + x_all.at("empty").native()));
    const Said web = cache({"prune", "http://127.0.0.1:9/"});
    EXPECT_EQ(web.code, 2);
    EXPECT_THAT(web.err, HasSubstr("can only be read"));
    EXPECT_EQ(verify(x_place, {"--series", "25.11.2"}).code, 2);
}

}  // namespace
}  // namespace sf::cli::test
