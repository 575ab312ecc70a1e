// SPDX-License-Identifier: Apache-2.0
// bundle create --offline, and what it made on the other side: judged, and refused.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/object_tar.hpp"
#include "cache/tar_backend.hpp"
#include "command_line.hpp"
#include "support/mirrors.hpp"
#include "trust/trust_store.hpp"

namespace sf::cli::test {
namespace {

namespace fs = std::filesystem;
using sf::test::Mirrors;
using testing::HasSubstr;
using testing::Not;

class FileSink : public base::Sink {
public:
    base::Status write(base::Bytes bytes) override {
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
    }
    std::string text;
};

class Offline : public CommandLine {
protected:
    Offline() : x_place(x_all.publish_all()) { trust(); }

    void trust() {
        auto trusted = trust::TrustStore::open(state() / "keys/trust").value();
        EXPECT_TRUE(
            trusted.add({x_all.anna.key->primary.fingerprint, "anna"}, x_all.anna.public_key));
    }
    // As a machine that has never heard of anybody.
    void forget() { ASSERT_TRUE(base::remove_tree(state())); }

    Said create(std::vector<std::string> more = {}) {
        more.insert(more.begin(),
                    {"bundle", "create", "--offline", "slurm@25.11", "--cache", x_place.native(),
                     "--toolchain", "bookworm", "--target", "x86_64_v3", "-o", x_file.native()});
        return run_here(std::move(more));
    }
    Said verify(std::vector<std::string> more = {}) {
        more.insert(more.begin(), {"bundle", "verify", x_file.native()});
        return run_here(std::move(more));
    }
    [[nodiscard]] std::string bytes() const { return base::read_file(x_file).value(); }

    // The same objects, changed by `change`, in a file that is well formed.
    void remake(const std::function<void(std::map<std::string, std::string>&)>& change) {
        std::map<std::string, std::string> objects;
        {
            const auto place = cache::TarBackend::open(x_file).value();
            ASSERT_TRUE(place->list("", [&](const cache::ObjectInfo& object) -> base::Status {
                SF_TRY(const auto text, cache::read_object(*place, object.key, 1U << 30U));
                objects[object.key] = text->text;
                return {};
            }));
        }
        change(objects);
        FileSink sink;
        cache::ObjectTarWriter writer(sink);
        const std::string first(cache::object_tar_first);
        ASSERT_TRUE(writer.add(first, objects.at(first)));
        objects.erase(first);
        for (const auto& [key, text] : objects) ASSERT_TRUE(writer.add(key, text));
        ASSERT_TRUE(writer.finish());
        ASSERT_TRUE(base::write_file(x_file, sink.text));
    }
    void expect_refused(const std::string& why, std::vector<std::string> more = {}) {
        const Said said = verify(std::move(more));
        EXPECT_EQ(said.code, 1) << said.out;
        EXPECT_THAT(said.err, HasSubstr(why));
    }

    Mirrors x_all{state() / "keys/gnupg"};
    fs::path x_place;
    fs::path x_file = folder() / "slurm.tar";
};

TEST_F(Offline, OneFileHoldsAllThatAnInstallationTakes) {
    const Said said = create({"--json"});
    ASSERT_EQ(said.code, 0) << said.out << said.err;
    const base::Json made = base::parse_json(said.out.substr(0, said.out.find('\n'))).value();
    EXPECT_EQ(made.at("event"), "offline_created");
    EXPECT_EQ(made.at("version"), "25.11.2");
    EXPECT_EQ(made.at("sha256"), base::sha256(bytes()).hex());
    EXPECT_EQ(made.at("size"), bytes().size());
    EXPECT_EQ(made.at("signer"), x_all.anna.primary());
    const std::string before = bytes();
    ASSERT_EQ(create().code, 0);
    EXPECT_EQ(bytes(), before) << "the same cache gives the same file";

    const Said good = verify();
    EXPECT_EQ(good.code, 0) << good.err;
    EXPECT_THAT(good.out, HasSubstr("slurm 25.11.2 for bookworm, x86_64_v3: 3 packages"));
    EXPECT_THAT(good.out, HasSubstr("without a list of revocations"));
    EXPECT_EQ(verify({"--sha256", base::sha256(before).hex()}).code, 0);
    expect_refused("is not the file that was meant", {"--sha256", std::string(64, 'a')});
    // Nothing that only Spack reads.
    const auto place = cache::TarBackend::open(x_file).value();
    std::size_t objects = 0;
    ASSERT_TRUE(place->list("", [&](const cache::ObjectInfo& object) -> base::Status {
        EXPECT_THAT(object.key, Not(HasSubstr("v3/manifests/index")));
        objects += 1;
        return {};
    }));
    EXPECT_EQ(made.at("objects"), objects);
}

TEST_F(Offline, AMachineThatTrustsNobodyIsToldTheKeyByAPerson) {
    ASSERT_EQ(create().code, 0);
    forget();
    expect_refused("no key is trusted on this machine");
    EXPECT_EQ(verify({"--key", x_all.anna.primary()}).code, 0);
    expect_refused("is not here", {"--key", std::string(40, 'A')});
    // A key of that name in the file is none of that fingerprint.
    remake([&](auto& objects) {
        objects["keys/" + std::string(40, 'A') + ".asc"] = x_all.anna.public_key;
    });
    expect_refused("is not here", {"--key", std::string(40, 'A')});
}

TEST_F(Offline, FindsEachFlippedByte) {
    ASSERT_EQ(create().code, 0);
    const std::string good = bytes();
    forget();
    std::size_t found = 0;
    const std::size_t step = good.size() / 24;
    for (std::size_t at = 700; at < good.size(); at += step) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 4);
        ASSERT_TRUE(base::write_file(x_file, bad));
        const Said said = verify({"--key", x_all.anna.primary()});
        EXPECT_EQ(said.code, 1) << "byte " << at << ": " << said.out;
        ++found;
    }
    EXPECT_GT(found, 20U);
    for (const std::size_t size : {good.size() - 1, good.size() / 2, std::size_t{700}}) {
        ASSERT_TRUE(base::write_file(x_file, good.substr(0, size)));
        expect_refused("is cut short", {"--key", x_all.anna.primary()});
    }
}

TEST_F(Offline, HoldsNothingThatNobodySigned) {
    ASSERT_EQ(create().code, 0);
    remake([](auto& objects) { objects["bookworm/slurm/25.11/blobs/more"] = "?"; });
    expect_refused("nothing that is signed names it");
    ASSERT_EQ(create().code, 0);
    const std::string run =
        cache::key_of(cache::BlobName{x_all.built[0].package.run.sha256}).value();
    remake([&](auto& objects) { ASSERT_EQ(objects.erase("bookworm/slurm/deps/" + run), 1U); });
    expect_refused("is missing");
    ASSERT_EQ(create().code, 0);
    remake([](auto& objects) {
        std::string& record = objects.at("offline.json");
        record.replace(record.find("\"serial\":1"), 10, "\"serial\":2");
    });
    expect_refused("says something else than what is signed");
    ASSERT_EQ(create().code, 0);
    remake([](auto& objects) { objects.at("offline.json") = "{}"; });
    expect_refused("offline");
}

// The file may be carried under any name: what is remembered is the cache.
TEST_F(Offline, OlderFilesAreRefusedWhateverTheyAreCalled) {
    ASSERT_EQ(create().code, 0);
    const std::string first = bytes();
    const std::string key = x_all.anna.primary();
    ASSERT_EQ(
        run_here({"cache", "refresh", x_place.native(), "--force", "--signing-key", key}).code, 0);
    ASSERT_EQ(create().code, 0);
    ASSERT_NE(bytes(), first);
    ASSERT_EQ(verify().code, 0);
    x_file = folder() / "another.tar";
    ASSERT_TRUE(base::write_file(x_file, first));
    expect_refused("the cache has gone back");
}

TEST_F(Offline, AnExpiredFileNeedsAWordOrTheSitesPatience) {
    x_all.now -= 86'400L * 40;
    ASSERT_TRUE(base::remove_tree(x_place));
    x_place = x_all.publish_all();
    const Said expired = create();
    EXPECT_EQ(expired.code, 1);
    EXPECT_THAT(expired.err, HasSubstr("expired 10 days ago"));
    const Said created = create({"--accept-expired"});
    ASSERT_EQ(created.code, 0) << created.err;
    EXPECT_THAT(created.err, HasSubstr("good for 0 more days"));
    expect_refused("expired 10 days ago");
    EXPECT_EQ(verify({"--accept-expired"}).code, 0);
    const std::string key = x_all.anna.primary();
    ASSERT_EQ(
        run_here({"cache", "add", "carried", x_file.native(), "--key", key, "--max-age-days", "90"})
            .code,
        0);
    EXPECT_EQ(verify().code, 0) << "the site says for how long";
    ASSERT_EQ(
        run_here({"cache", "add", "carried", x_file.native(), "--key", key, "--max-age-days", "30"})
            .code,
        0);
    expect_refused("expired 10 days ago");
}

TEST_F(Offline, TakesTheProgramAlong) {
    const fs::path tool = folder() / "slurm-factory-0.1.0-linux-amd64.tar.gz";
    write(tool, "an archive");
    write(tool.native() + ".asc", "a signature");
    EXPECT_THAT(create().out, HasSubstr("without the program: --tool"));
    const Said said = create({"--tool", tool.native()});
    ASSERT_EQ(said.code, 0) << said.err;
    const Said good = verify();
    EXPECT_EQ(good.code, 0) << good.err;
    EXPECT_THAT(good.out, HasSubstr(base::sha256("an archive").hex()));
    remake([&](auto& objects) {
        EXPECT_EQ(objects.at("tool/" + tool.filename().native() + ".asc"), "a signature");
        objects.at("tool/" + tool.filename().native()) = "another one";
    });
    expect_refused("11 bytes, but 10 belong there");
    EXPECT_EQ(create({"--tool", x_place.native()}).code, 2);
    EXPECT_EQ(create({"--tool", (folder() / "none.tar.gz").native()}).code, 1);
}

TEST_F(Offline, IsNoWholeCache) {
    ASSERT_EQ(create().code, 0);
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"cache", "verify", x_file.native()},
             {"cache", "mirror", x_file.native(), (folder() / "copy").native()}}) {
        const Said said = run_here(words);
        EXPECT_EQ(said.code, 2) << base::join(words, " ");
        EXPECT_THAT(said.err, HasSubstr("a part of a cache"));
    }
    EXPECT_EQ(run_here({"cache", "prune", x_file.native()}).code, 2);
    EXPECT_EQ(run_here({"cache", "mirror", x_place.native(), x_file.native()}).code, 2);
    const Said online = run_here(
        {"bundle", "create", "slurm@25.11", "--cache", x_place.native(), "-o", x_file.native()});
    EXPECT_EQ(online.code, 2);
    EXPECT_THAT(online.err, HasSubstr("say --offline"));
    const Said pentium = run_here({"bundle", "create", "--offline", "slurm@25.11", "--cache",
                                   x_place.native(), "-o", x_file.native(), "--target", "i586"});
    EXPECT_EQ(pentium.code, 2);
    EXPECT_THAT(pentium.err, HasSubstr("'i586' is no level of a processor"));
    EXPECT_EQ(verify({"--signature", "x"}).code, 2);
    EXPECT_EQ(verify({"--accept-unsigned"}).code, 2);
    // What is there is not lost by what could not be made.
    const std::string before = bytes();
    ASSERT_TRUE(base::remove_tree(x_place / "bookworm/slurm/deps/blobs"));
    EXPECT_EQ(create().code, 1);
    EXPECT_EQ(bytes(), before);
}

}  // namespace
}  // namespace sf::cli::test
