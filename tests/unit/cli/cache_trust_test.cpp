// SPDX-License-Identifier: Apache-2.0
// cache add|list|remove, key revoke and key revocations: the words, the files, what is refused.
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cache/named_caches.hpp"
#include "command_line.hpp"
#include "support/pinentry.hpp"

namespace sf::cli::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class CacheTrust : public CommandLine {
protected:
    std::string make_key(const std::string& name, const std::string& passphrase_file = {}) {
        std::vector<std::string> words{"--json",  "key",           "create", "--name", name,
                                       "--email", "t@example.org", "--kind", "ed25519"};
        if (!passphrase_file.empty())
            words.insert(words.end(), {"--passphrase-file", passphrase_file});
        const Said said = run_here(words);
        EXPECT_EQ(said.code, 0) << said.err;
        return json::parse(said.out).at("fingerprint");
    }
    void expect(int code, const std::string& said_part, const std::vector<std::string>& words) {
        const Said said = run_here(words);
        EXPECT_EQ(said.code, code) << base::join(words, " ") << '\n' << said.out << said.err;
        EXPECT_THAT(said.out + said.err, HasSubstr(said_part)) << base::join(words, " ");
    }
    [[nodiscard]] base::fs::path list_file() const { return state() / "keys/trust/caches.json"; }
};

TEST_F(CacheTrust, ANameThatNobodyHasGivenIsNoFolder) {
    const std::string key = make_key("Publisher");
    expect(0, "trusted", {"key", "trust", key});
    expect(2, "none has a name yet", {"cache", "verify", "locl"});
    const std::string place = (folder() / "cache").string();
    expect(0, "is listed", {"cache", "add", "local", place, "--key", key});
    expect(0, "is listed", {"cache", "add", "far", "https://cache.example.org", "--key", key});
    const std::string revocations = (folder() / "revocations.json").string();
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"cache", "verify", "locl"},
             {"cache", "refresh", "locl"},
             {"cache", "index", "locl"},
             {"cache", "prune", "locl"},
             {"cache", "mirror", "locl", place},
             {"cache", "mirror", "local", "locl"},
             {"install", "slurm@25.11", "--toolchain", "bookworm", "--cache", "locl", "--prefix",
              (folder() / "p").string()},
             {"bundle", "create", "--offline", "slurm@25.11", "--toolchain", "bookworm", "--cache",
              "locl", "-o", (folder() / "o.tar").string()},
             {"spack-env", "slurm@25.11", (folder() / "e").string(), "--cache", "locl"}}) {
        expect(2, "no cache is called 'locl' here", words);
        expect(2, "there is: local, far", words);
    }
    for (const char* verb : {"verify", "refresh", "index", "prune"})
        expect(1, "nothing was published to", {"cache", verb, "local"});
    expect(1, "nothing was published to", {"cache", "mirror", "local", "./new"});
    expect(2, "can only be read", {"cache", "prune", "far"});
    EXPECT_FALSE(base::exists(revocations));
}

TEST_F(CacheTrust, UnsignedNeedsTwoWords) {
    const std::string place = (folder() / "cache").string();
    const std::string prefix = (folder() / "p").string();
    const auto install = [&](std::vector<std::string> more) {
        more.insert(more.begin(),
                    {"install", "slurm@25.11", "--toolchain", "bookworm", "--prefix", prefix});
        return more;
    };
    expect(2, "--key is required", {"cache", "add", "lab", place});
    expect(0, "runs what he likes here", {"cache", "add", "lab", place, "--allow-unsigned"});
    expect(0, "UNSIGNED packages may be installed from it", {"cache", "list"});
    const auto kept = cache::NamedCaches::open(list_file()).value();
    ASSERT_EQ(kept.all().size(), 1U);
    EXPECT_TRUE(kept.all()[0].allow_unsigned);
    EXPECT_THAT(kept.all()[0].keys, testing::IsEmpty());
    expect(2, "is said of one cache", install({"--allow-unsigned"}));
    expect(1, "no key is listed for the cache lab", install({"--cache", "lab"}));
    expect(1, "with --allow-unsigned alone", install({"--cache", "lab"}));
    expect(1, "nothing was published to", install({"--cache", "lab", "--allow-unsigned"}));
    // What has nothing to do with who has signed has its own advice.
    const std::string root = make_key("Its root");
    expect(0, "a root", {"key", "trust", "--root", root});
    const std::string publisher = make_key("Its publisher");
    expect(0, "trusted", {"key", "trust", publisher});
    expect(
        0, "is listed",
        {"cache", "add", "rooted", place, "--allow-unsigned", "--key", publisher, "--root", root});
    expect(1, "or list the cache without --root", install({"--cache", "rooted"}));
    // By another word than its name it is the same cache; another cache is not.
    expect(1, "nothing was published to", install({"--cache", place, "--allow-unsigned"}));
    expect(1, "is not allowed here",
           install({"--cache", (folder() / "other").string(), "--allow-unsigned"}));
    // Of it nothing comes.
    expect(1, "nothing of it is copied", {"cache", "mirror", "lab", (folder() / "copy").string()});
    expect(1, "nothing of it is copied",
           {"bundle", "create", "--offline", "slurm@25.11", "--toolchain", "bookworm", "--cache",
            "lab", "-o", (folder() / "o.tar").string()});
    const std::string key = make_key("Publisher");
    expect(0, "trusted", {"key", "trust", key});
    expect(0, "is changed", {"cache", "add", "lab", place, "--allow-unsigned", "--key", key});
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"cache", "mirror", "lab", (folder() / "copy").string()},
             {"cache", "mirror", place, (folder() / "copy").string()},
             {"cache", "refresh", "lab"},
             {"cache", "index", "lab"},
             {"spack-env", "slurm@25.11", (folder() / "e").string(), "--cache", "lab"}})
        expect(1, "nothing of it is copied", words);
    // A list that others can write says nothing.
    std::filesystem::permissions(list_file(), std::filesystem::perms::others_write,
                                 std::filesystem::perm_options::add);
    expect(1, "can be written by others", install({"--cache", "lab", "--allow-unsigned"}));
}

TEST_F(CacheTrust, CachesGetNames) {
    const std::string key = make_key("Publisher");
    expect(0, "there are none yet", {"cache", "list"});
    expect(2, "no cache is listed on this machine",
           {"install", "slurm@25.11", "--prefix", (folder() / "p").string(), "--toolchain",
            "bookworm"});
    const std::string place = (folder() / "cache").string();
    expect(0, "is not trusted here yet", {"cache", "add", "local", place, "--key", key});
    expect(0, "is as it was", {"cache", "add", "local", place + "/", "--key", key});
    expect(0, "is changed", {"cache", "add", "local", place, "--key", key, "--max-age-days", "90"});
    expect(0, "snapshots are good for 90 days", {"cache", "list"});
    expect(0, "is listed",
           {"cache", "add", "upstream", "https://cache.example.org/slurm", "--key", key});
    const auto kept = cache::NamedCaches::open(list_file()).value();
    ASSERT_EQ(kept.all().size(), 2U);
    EXPECT_EQ(kept.all()[0].place, place);
    EXPECT_EQ(kept.all()[0].keys.front().text(), key);
    EXPECT_EQ(kept.all()[1].name, "upstream");

    expect(2, "--key is required", {"cache", "add", "x", place});
    expect(2, "name of a cache", {"cache", "add", "../x", place, "--key", key});
    expect(2, "a password", {"cache", "add", "x", "https://me:secret@host/x", "--key", key});
    expect(2, "gopher", {"cache", "add", "x", "gopher://host/x", "--key", key});
    EXPECT_NE(run_here({"cache", "add", "x", place, "--key", "DEADBEEF"}).code, 0);
    expect(1, "there is no cache 'x'", {"cache", "remove", "x"});
    EXPECT_EQ(cache::NamedCaches::open(list_file()).value().all().size(), 2U);

    // Nothing was published there, nobody is trusted: each is said with the cache's name.
    const std::vector<std::string> install{"install",  "slurm@25.11", "--toolchain",
                                           "bookworm", "--prefix",    (folder() / "p").string(),
                                           "--cache"};
    const auto from = [&](const std::string& cache) {
        std::vector<std::string> words = install;
        words.push_back(cache);
        return words;
    };
    expect(1, "no key that is listed for the cache local is trusted", from("local"));
    expect(1, "no key that is listed for the cache local is trusted", from(place));
    expect(0, "trusted", {"key", "trust", key});
    expect(1, "nothing was published to", from("local"));
    expect(0, "not listed any more", {"cache", "remove", "local"});
    expect(0, "not listed any more", {"cache", "remove", "upstream"});
    expect(0, "there are none yet", {"cache", "list"});
}

TEST_F(CacheTrust, ARootTakesBack) {
    const std::string root = make_key("The root");
    const std::string key = make_key("Publisher");
    const std::string file = (folder() / "revocations.json").string();
    const std::string cache = (folder() / "cache").string();
    const std::string build(64, 'a');
    expect(2, "signed by a root: say which", {"key", "revocations", file});
    EXPECT_FALSE(base::exists(file));
    expect(0, "number 1", {"key", "revocations", file, "--signing-key", root});
    expect(1, "no root is trusted on this machine", {"key", "revocations", file});
    expect(0, "a root", {"key", "trust", "--root", root});
    expect(1, "one key is not both", {"key", "trust", root});
    expect(0, "a root: its lists of revocations count", {"key", "list"});
    expect(0, "number 1", {"key", "revocations", file});
    expect(0, "has it now", {"key", "revocations", file, "--publish-to", cache});
    expect(0, "had it already", {"key", "revocations", file, "--publish-to", cache});
    EXPECT_EQ(base::read_file(base::fs::path(cache) / "_sf/revocations.json").value(),
              base::read_file(file).value());
    const std::string first = base::read_file(file).value();

    expect(2, "--reason", {"key", "revocations", file, "--signing-key", root, "--revoke-key", key});
    expect(2, "--reason is required with --revoke-key and --revoke-build",
           {"key", "revocations", file, "--signing-key", root, "--revoke-build", "zz"});
    expect(2, "--reason goes with", {"key", "revocations", file, "--reason", "x"});
    expect(2, "is no SHA-256",
           {"key", "revocations", file, "--signing-key", root, "--revoke-build", "abc", "--reason",
            "x"});
    expect(
        2, "does not take itself back",
        {"key", "revocations", file, "--signing-key", root, "--revoke-key", root, "--reason", "x"});
    EXPECT_EQ(base::read_file(file).value(), first);
    // Somebody who is no root.
    const std::string other = (folder() / "other.json").string();
    expect(0, "number 1", {"key", "revocations", other, "--signing-key", key});
    expect(1, "not trusted: " + key, {"key", "revocations", other});
    expect(1, "not trusted: " + key, {"key", "revocations", other, "--publish-to", cache});
    expect(0, "key " + key,
           {"key", "revocations", file, "--signing-key", root, "--revoke-key", key,
            "--revoke-build", build, "--reason", "stolen on a train", "--publish-to", cache});
    const Said shown = run_here({"--json", "key", "revocations", file});
    const json list = json::parse(shown.out);
    EXPECT_EQ(list["serial"], 2);
    EXPECT_EQ(list["keys"][0]["fingerprint"], key);
    EXPECT_EQ(list["keys"][0]["reason"], "stolen on a train");
    EXPECT_EQ(list["builds"][0]["sha256"], build);
    ASSERT_TRUE(base::write_file(file, first));
    expect(1, "has gone back", {"key", "revocations", file, "--publish-to", cache});
}

TEST_F(CacheTrust, TrustIsTakenBack) {
    const std::string key = make_key("Publisher");
    const std::string root = make_key("The root");
    expect(1, "is not trusted here", {"key", "distrust", key});
    expect(2, "fingerprint", {"key", "distrust", "DEADBEEF"});
    expect(0, "trusted", {"key", "trust", key});
    expect(0, "a root", {"key", "trust", "--root", root});
    expect(0, "count no more", {"key", "distrust", key});
    EXPECT_THAT(run_here({"key", "list", "--json"}).out, Not(HasSubstr(R"("trusted":true)")));
    expect(0, "lists of revocations count no more", {"key", "distrust", root});
    expect(1, "is not trusted here", {"key", "distrust", root});
    // It is no verdict on the key: it may become the other kind.
    expect(0, "a root", {"key", "trust", "--root", key});
}

TEST_F(CacheTrust, AnOwnerTakesBack) {
    const std::string key = make_key("Owner");
    expect(0, "trusted", {"key", "trust", key});
    expect(2, "cannot be undone", {"key", "revoke", key});
    expect(0, R"("revoked":false)", {"key", "list", "--json"});
    const std::string file = (folder() / "revoked.asc").string();
    expect(0, "also in the list of trusted keys",
           {"key", "revoke", key, "--reason", "compromised", "-o", file, "--yes"});
    expect(0, "REVOKED", {"key", "list"});
    EXPECT_THAT(base::read_file(file).value(), HasSubstr("BEGIN PGP PUBLIC KEY"));
    expect(1, "is revoked",
           {"key", "revocations", (folder() / "l.json").string(), "--signing-key", key});
}

TEST_F(CacheTrust, KeysWithTheirOwnPassphrasesSignTogether) {
    const auto secret = [&](const std::string& name, const std::string& text) {
        const base::fs::path file = folder() / name;
        EXPECT_TRUE(base::write_file(file, text + "\n", 0600));
        return file.string();
    };
    const std::string first_file = secret("one", "first passphrase");
    const std::string second_file = secret("two", "second passphrase");
    const std::string first = make_key("First", first_file);
    const std::string second = make_key("Second", second_file);
    const std::string list = (folder() / "list.json").string();
    const std::vector<std::string> both{"key", "revocations",   list,  "--signing-key",
                                        first, "--signing-key", second};
    const auto with = [&](std::vector<std::string> more) {
        std::vector<std::string> words = both;
        words.insert(words.end(), more.begin(), more.end());
        return words;
    };
    expect(1, "wrong or missing",
           with({"--passphrase-file", second_file, "--passphrase-file", first_file}));
    expect(1, "wrong or missing", with({"--passphrase-file", first_file}));
    EXPECT_FALSE(base::exists(list));
    expect(0, "number 1",
           with({"--passphrase-file", first_file, "--passphrase-file", second_file}));
    expect(2, "would sign twice",
           {"key", "revocations", list, "--renew", "--signing-key", first, "--signing-key", first,
            "--passphrase-file", first_file});
    expect(2, "2 passphrase files for 1 keys",
           {"key", "revocations", list, "--renew", "--signing-key", first, "--passphrase-file",
            first_file, "--passphrase-file", second_file});
    // Either root's clients believe it.
    for (const std::string& root : {first, second}) {
        ASSERT_TRUE(base::remove_tree(state() / "keys/trust"));
        expect(0, "a root", {"key", "trust", "--root", root});
        expect(0, "number 1", {"key", "revocations", list});
    }
}

// By gpg's agent: said neither by a file nor by a descriptor.
TEST_F(CacheTrust, AnAgentAsksForEachKeysPassphraseOnce) {
    const base::fs::path file = folder() / "passphrase";
    ASSERT_TRUE(base::write_file(file, "correct horse\n", 0600));
    const std::string first = make_key("First", file);
    const std::string second = make_key("Second", file);
    const sf::test::Pinentry pinentry(state() / "keys/gnupg", folder());
    const std::string list = (folder() / "list.json").string();
    const std::vector<std::string> sign{"key", "revocations",   list,  "--signing-key",
                                        first, "--signing-key", second};
    pinentry.refuse(sf::test::Pinentry::no_terminal);
    expect(1, "nobody has given it: Inappropriate ioctl for device", sign);
    expect(1, "next: --passphrase-file FILE or --passphrase-fd N", sign);
    EXPECT_EQ(pinentry.asked(), 2U);
    EXPECT_FALSE(base::exists(list));
    pinentry.answer("correct horse");
    expect(0, "number 1", sign);
    // For each key, or for both: an agent tries the passphrase that it knows before it asks.
    const std::size_t asked = pinentry.asked();
    EXPECT_GE(asked, 3U);
    EXPECT_LE(asked, 4U);
    // One that was told before asks nobody, for a revocation neither.
    const sf::test::PersonsAgent agent(state() / "keys/gnupg");
    agent.tell("correct horse");
    std::vector<std::string> again = sign;
    again.emplace_back("--renew");
    expect(0, "number 2", again);
    expect(0, "is revoked", {"key", "revoke", second, "--yes"});
    EXPECT_EQ(pinentry.asked(), asked);
    EXPECT_TRUE(agent.runs());
}

}  // namespace
}  // namespace sf::cli::test
