// SPDX-License-Identifier: Apache-2.0
// cache add --repository: a machine that has never seen a cache believes no other repository there,
// though the trusted key has signed it.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cache/named_caches.hpp"
#include "support/mirrors.hpp"
#include "trusting.hpp"

namespace sf::cli::test {
namespace {

namespace fs = std::filesystem;
using sf::test::deps_folder;
using sf::test::main_folder;
using sf::test::Mirrors;
using testing::AllOf;
using testing::HasSubstr;

class PinnedCache : public TrustingCommandLine {
protected:
    PinnedCache() : x_place(x_all.publish_all()), x_other(x_all.publish_all("other")) {
        trust(x_all.anna, "anna");
    }
    // What its publisher says of it.
    std::string repository(const fs::path& place, const std::string& mirror) {
        const Said said = run_here({"--json", "cache", "verify", place.native()});
        EXPECT_EQ(said.code, 0) << said.out << said.err;
        for (const std::string& line : base::split(said.out, '\n')) {
            if (line.empty()) continue;
            const base::Json json = base::parse_json(line).value();
            if (json.value("event", "") == "mirror_verified" &&
                json.at("mirror").get<std::string>().ends_with('/' + mirror))
                return json.at("repository");
        }
        ADD_FAILURE() << said.out;
        return {};
    }
    Said add(const fs::path& place, const std::vector<std::string>& repositories) {
        std::vector<std::string> words{"cache",        "add",   "site",
                                       place.native(), "--key", x_all.anna.primary()};
        for (const std::string& each : repositories) {
            words.emplace_back("--repository");
            words.push_back(each);
        }
        return run_here(std::move(words));
    }
    Said install() {
        return run_here({"install", "slurm@25.11", "--toolchain", "bookworm", "--dry-run",
                         "--cache", "site", "--prefix", (folder() / "prefix").native()});
    }
    // As a machine that has never seen it.
    void forget() { ASSERT_TRUE(base::remove_tree(state() / "caches")); }
    [[nodiscard]] fs::path list_file() const { return state() / "keys/trust/caches.json"; }

    Mirrors x_all{state() / "keys/gnupg"};
    fs::path x_place;
    fs::path x_other;
    const std::string x_main = main_folder;
};

TEST_F(PinnedCache, TheFirstLookBelievesNoOther) {
    const std::string right = repository(x_place, x_main);
    const std::string wrong = repository(x_other, x_main);
    ASSERT_NE(right, wrong);
    EXPECT_NE(right, repository(x_place, deps_folder)) << "each mirror has its own";
    forget();
    ASSERT_EQ(add(x_place, {x_main + '=' + right + ":1"}).code, 0);
    EXPECT_EQ(install().code, 0);

    // Signed by the same key, and another.
    forget();
    ASSERT_TRUE(base::remove_tree(x_place));
    fs::rename(x_other, x_place);
    const Said refused = install();
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err,
                AllOf(HasSubstr("this is another cache: " + wrong), HasSubstr(right),
                      HasSubstr(list_file().native()), HasSubstr("ask who publishes")));
    const Said verified = run_here({"cache", "verify", "site"});
    EXPECT_EQ(verified.code, 1);
    EXPECT_THAT(verified.out, HasSubstr("this is another cache: " + wrong));
    // By another word than its name it is the same cache.
    const Said refreshed = run_here(
        {"cache", "refresh", x_place.native(), "--force", "--signing-key", x_all.anna.primary()});
    EXPECT_EQ(refreshed.code, 1);
    EXPECT_THAT(refreshed.err, HasSubstr("this is another cache: " + wrong));

    // Where nothing is said the first that is seen is believed; and it was not seen until now.
    ASSERT_EQ(add(x_place, {}).code, 0);
    EXPECT_EQ(install().code, 0);
    ASSERT_EQ(add(x_place, {x_main + '=' + wrong + ":2"}).code, 0);
    const Said old = install();
    EXPECT_EQ(old.code, 1);
    EXPECT_THAT(old.err, AllOf(HasSubstr("number 1"), HasSubstr("none below 2")));
    ASSERT_EQ(add(x_place, {x_main + '=' + wrong}).code, 0);
    EXPECT_EQ(install().code, 0);
}

TEST_F(PinnedCache, AFileIsHeldToItToo) {
    const fs::path file = folder() / "slurm.tar";
    const std::string right = repository(x_place, x_main);
    const Said made =
        run_here({"bundle", "create", "--offline", "slurm@25.11", "--cache", x_place.native(),
                  "--toolchain", "bookworm", "--target", "x86_64_v3", "-o", file.native()});
    ASSERT_EQ(made.code, 0) << made.err;
    forget();
    ASSERT_EQ(add(file, {x_main + '=' + repository(x_other, x_main)}).code, 0);
    const Said refused = run_here({"bundle", "verify", file.native()});
    EXPECT_EQ(refused.code, 1);
    EXPECT_THAT(refused.err, HasSubstr("this is another cache: " + right));
    ASSERT_EQ(add(file, {x_main + '=' + right}).code, 0);
    const Said good = run_here({"bundle", "verify", file.native()});
    EXPECT_EQ(good.code, 0) << good.err;
}

TEST_F(PinnedCache, WhatVerifyShowsCanBeSaid) {
    const Said shown = run_here({"cache", "verify", x_place.native()});
    ASSERT_EQ(shown.code, 0) << shown.err;
    std::vector<std::string> words;
    const std::string before = "for cache add: --repository ";
    for (const std::string& line : base::split(shown.out, '\n'))
        if (const std::size_t at = line.find(before); at != std::string::npos)
            words.push_back(line.substr(at + before.size()));
    ASSERT_EQ(words.size(), 2U) << shown.out;
    ASSERT_EQ(add(x_place, words).code, 0);
    EXPECT_THAT(add(x_place, words).out, HasSubstr("is as it was"));
    const auto kept = cache::NamedCaches::open(list_file()).value();
    ASSERT_EQ(kept.all().size(), 1U);
    const std::string id = repository(x_place, x_main);
    ASSERT_TRUE(kept.all()[0].mirrors.contains(x_main));
    EXPECT_EQ(kept.all()[0].mirrors.at(x_main), (cache::SnapshotPin{id, 1}));
    EXPECT_EQ(kept.all()[0].mirrors.size(), 2U);
    EXPECT_THAT(run_here({"cache", "list"}).out, HasSubstr(x_main + " is repository " + id));
    const Said listed = run_here({"--json", "cache", "list"});
    const base::Json json = base::parse_json(listed.out).value();
    EXPECT_EQ(json.at("mirrors").at(x_main).at("repository"), id);
    EXPECT_EQ(json.at("mirrors").at(x_main).at("serial"), 1);
}

TEST_F(PinnedCache, WhatIsNoRepositoryIsRefused) {
    const std::string id(32, 'a');
    for (const std::string& bad :
         {std::string("x"), id, x_main, x_main + '=', x_main + "=aa", x_main + '=' + id + ':',
          x_main + '=' + id + ":0", x_main + '=' + id + ":-1", x_main + '=' + id + ":1x",
          x_main + '=' + id + ":18446744073709551616", "bookworm=" + id, x_main + ":1=" + id,
          x_main + '=' + std::string(32, 'A')}) {
        const Said said = add(x_place, {bad});
        EXPECT_EQ(said.code, 2) << bad << said.err;
        EXPECT_THAT(said.err, HasSubstr("is not MIRROR=ID or MIRROR=ID:N")) << bad;
    }
    const Said twice = add(x_place, {x_main + '=' + id, x_main + '=' + std::string(32, 'b')});
    EXPECT_EQ(twice.code, 2);
    EXPECT_THAT(twice.err, HasSubstr("says two things of " + x_main));
    EXPECT_FALSE(base::exists(list_file()));
    EXPECT_EQ(add(x_place, {x_main + '=' + id, x_main + '=' + id}).code, 0);
}

}  // namespace
}  // namespace sf::cli::test
