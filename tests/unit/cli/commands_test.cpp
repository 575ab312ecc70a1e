// SPDX-License-Identifier: Apache-2.0
// Commands that need no root and no network: their lines, their JSON, their exit codes.
#include <gmock/gmock.h>

#include <unistd.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using base::Json;
using testing::HasSubstr;
using testing::Not;

class Commands : public CommandLine {
protected:
    // Each line of `out` as an object.
    static std::vector<Json> objects(const std::string& out) {
        std::vector<Json> list;
        for (const std::string& line : base::split(out, '\n')) {
            if (line.empty()) continue;
            auto object = base::parse_json(line);
            EXPECT_TRUE(object) << line;
            if (object) list.push_back(std::move(*object));
        }
        return list;
    }
    static base::fs::path golden(const char* name) {
        return base::fs::path(SF_GOLDEN) / "recipe" / name;
    }
};

TEST_F(Commands, LintExitsOneWithFindings) {
    Said said = run({"recipe", "lint", golden("good").string()});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_EQ(said.out, "");
    said = run({"recipe", "lint", "--data-dir", golden("bad").string()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.out, HasSubstr("broken/recipe.yaml:"));
    EXPECT_THAT(said.err, HasSubstr("findings in"));

    said = run({"--json", "recipe", "lint", golden("bad").string()});
    EXPECT_EQ(said.code, 1);
    const std::vector<Json> list = objects(said.out);
    ASSERT_GT(list.size(), 3U);
    EXPECT_EQ(list.front()["event"], "finding");
    EXPECT_GT(list.front()["line"].get<int>(), 0);
    EXPECT_EQ(list[list.size() - 2]["findings"].get<std::size_t>(), list.size() - 2);
    EXPECT_EQ(list.back()["event"], "error");
}

TEST_F(Commands, VersionsShowSupportAndAdvisories) {
    Said said = run_here({"versions"});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("25.11  released"));
    EXPECT_THAT(said.out, HasSubstr("newest"));
    EXPECT_LT(said.out.find("25.11"), said.out.find("23.11"));
    said = run_here({"versions", "25.11", "--json"});
    const std::vector<Json> list = objects(said.out);
    ASSERT_EQ(list.size(), 1U);
    EXPECT_EQ(list[0]["series"], "25.11");
    EXPECT_TRUE(list[0]["versions"][0]["newest"].get<bool>());
}

TEST_F(Commands, AvailabilityIsAskedForOnlyWhenWanted) {
    const Said said = run_here({"versions", "25.11", "--available", "--offline", "--json"});
    EXPECT_EQ(said.code, 0) << said.err;
    const std::vector<Json> list = objects(said.out);
    ASSERT_EQ(list.size(), 1U);
    for (const Json& version : list[0]["versions"]) EXPECT_FALSE(version["available"].get<bool>());
}

TEST_F(Commands, WhereToLookGoesWithAvailable) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"versions", "--offline"}, {"versions", "--source-mirror", "/srv/sources"}}) {
        const Said said = run_here(words);
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr(words[1] + " goes with --available"));
    }
    // What is meant for every command says nothing here.
    set("SLURM_FACTORY_SOURCE_MIRROR", "/srv/sources");
    write(folder() / "config/slurm-factory/config.yaml", "offline: true\n");
    EXPECT_EQ(run_here({"versions"}).code, 0);
}

TEST_F(Commands, ToolchainsAreListed) {
    Said said = run_here({"toolchain", "list"});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("bookworm"));
    said = run_here({"toolchain", "list", "--json"});
    for (const Json& toolchain : objects(said.out)) {
        EXPECT_EQ(toolchain["event"], "toolchain");
        EXPECT_EQ(toolchain["supported"].get<bool>(), toolchain["family"] != "el");
        EXPECT_TRUE(toolchain["roots"].empty());
    }
    said = run_here({"toolchain", "remove", "bookworm"});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("there was no root"));
}

TEST_F(Commands, EnterpriseLinuxRootsAreRefusedWithWhatThereIs) {
    const Said said = run_here({"toolchain", "prepare", "rockylinux9"});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("makes no roots of the family 'el' yet"));
    EXPECT_THAT(said.err, HasSubstr("noble"));
}

TEST_F(Commands, WhatIsWrongIsSaidBeforeTheLongWork) {
    // A root would be made, sources asked for, everything built: none of it may begin.
    for (const auto& [words, said_of] :
         std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"toolchain", "shell", "bookworm", "--", "gcc"}, "'gcc' is not an absolute path"},
             {{"toolchain", "prepare", "bookworm", "--mirror", "not an address"}, "--mirror"},
             {{"toolchain", "prepare", "bookworm", "--mirror", "http://u:SECRET@127.0.0.1:9/d"},
              "user name or password"},
             {{"build-slurm", "--toolchain", "bookworm", "--package", "mnuge"}, "'mnuge'"},
             {{"build-slurm", "--toolchain", "bookworm", "--signing-key", "ABC"}, "--signing-key"},
         }) {
        SCOPED_TRACE(base::join(words, " "));
        std::vector<std::string> all{"--state-dir", state(), "--data-dir", golden("good")};
        all.insert(all.end(), words.begin(), words.end());
        const Said said = run(all);
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr(said_of));
        EXPECT_THAT(said.err, Not(HasSubstr("SECRET")));
        EXPECT_FALSE(base::exists(state()));
    }
    write(folder() / "passphrase", "correct horse\n");
    const Said said = run_here({"build-slurm", "--toolchain", "bookworm", "--passphrase-file",
                                (folder() / "passphrase").string()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("chmod 600"));
}

TEST_F(Commands, AKeyFromBirthToTrust) {
    Said said = run_here({"key", "list"});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.err, HasSubstr("there are no keys yet"));

    said = run_here({"--json", "key", "create", "--name", "Test key", "--email", "t@example.org",
                     "--kind", "ed25519", "--expires", "30d"});
    ASSERT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.err, HasSubstr("has no passphrase"));
    const Json created = objects(said.out).at(0);
    const std::string fingerprint = created["fingerprint"];
    EXPECT_EQ(fingerprint.size(), 40U);
    EXPECT_TRUE(created["secret"].get<bool>());
    EXPECT_FALSE(created["trusted"].get<bool>());

    said = run_here({"key", "export", fingerprint});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_TRUE(said.out.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"));
    const base::fs::path file = folder() / "key.asc";
    EXPECT_EQ(run_here({"key", "export", fingerprint, "-o", file.string()}).code, 0);
    EXPECT_EQ(base::read_file(file).value(), said.out);

    const std::vector<std::string> elsewhere{"--state-dir", (folder() / "elsewhere").string()};
    const auto there = [&](std::vector<std::string> words) {
        words.insert(words.end(), elsewhere.begin(), elsewhere.end());
        return run(std::move(words));
    };
    said = there({"key", "trust", fingerprint});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("key import FILE"));
    said = there({"key", "import", file.string()});
    EXPECT_EQ(said.code, 0) << said.err;
    EXPECT_THAT(said.out, HasSubstr("not trusted"));
    EXPECT_THAT(said.out, Not(HasSubstr("can sign here")));
    said = there({"key", "trust", fingerprint, "--label", "release team"});
    EXPECT_EQ(said.code, 0) << said.err;
    said = there({"key", "list", "--json"});
    EXPECT_TRUE(objects(said.out).at(0)["trusted"].get<bool>());
    // The list alone is trust: without the keyring the key still counts, and is shown.
    ASSERT_TRUE(base::remove_tree(folder() / "elsewhere/keys/gnupg"));
    EXPECT_THAT(there({"key", "list"}).out, HasSubstr("release team"));
}

TEST_F(Commands, KeysAreNamedByWholeFingerprints) {
    const Said said = run_here({"key", "trust", "DEADBEEF"});
    EXPECT_NE(said.code, 0);
    EXPECT_THAT(said.err, HasSubstr("fingerprint"));
}

TEST_F(Commands, APassphraseFileMustBePrivate) {
    write(folder() / "passphrase", "correct horse\n");
    const Said said =
        run_here({"key", "create", "--name", "Test key", "--email", "t@example.org", "--kind",
                  "ed25519", "--passphrase-file", (folder() / "passphrase").string()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("chmod 600"));
}

TEST_F(Commands, AnEmptyPassphraseMakesNoKey) {
    const base::fs::path file = folder() / "passphrase";
    const std::vector<std::string> create{"key",     "create",        "--name", "Test key",
                                          "--email", "t@example.org", "--kind", "ed25519"};
    const auto create_with = [&](const std::string& option, const std::string& value) {
        std::vector<std::string> words = create;
        words.insert(words.end(), {option, value});
        return run_here(std::move(words));
    };
    for (const std::string& text :
         {std::string(), std::string("\n"), std::string("\r\n"), std::string("\nsecond line\n"),
          std::string(" \t\n"), std::string("\0after a NUL\n", 13)}) {
        ASSERT_TRUE(base::write_file(file, text, 0600));
        SCOPED_TRACE(base::escape_untrusted(text));
        Said said = create_with("--passphrase-file", file);
        EXPECT_EQ(said.code, 2);
        EXPECT_EQ(said.out, "");
        EXPECT_THAT(said.err, HasSubstr(file.string()));
        EXPECT_THAT(said.err, HasSubstr("next: "));
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        ASSERT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
        ::close(ends[1]);
        said = create_with("--passphrase-fd", std::to_string(ends[0]));
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr("descriptor"));
        ::close(ends[0]);
    }
    ASSERT_TRUE(base::write_file(file, std::string(256, 'x'), 0600));
    EXPECT_THAT(create_with("--passphrase-file", file).err, HasSubstr("255"));
    EXPECT_FALSE(base::exists(state() / "keys/gnupg/private-keys-v1.d"));

    // A good one, by a pipe that goes on after it: the key is protected by it, not by less.
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const std::string lines = "correct horse\nnot ours\n";
    ASSERT_EQ(::write(ends[1], lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
    ::close(ends[1]);
    const Said said = create_with("--passphrase-fd", std::to_string(ends[0]));
    ASSERT_EQ(said.code, 0) << said.err;
    char rest[64] = {};
    EXPECT_EQ(::read(ends[0], rest, sizeof rest), 9);
    ::close(ends[0]);
    const base::fs::path secrets = state() / "keys/gnupg/private-keys-v1.d";
    const std::vector<std::string> names = base::list_dir(secrets).value();
    ASSERT_EQ(names.size(), 1U);
    EXPECT_THAT(base::read_file(secrets / names[0]).value(), HasSubstr("(protected-private-key"));
}

TEST_F(Commands, ABundleThatIsNotThere) {
    const Said said = run_here({"bundle", "verify", (folder() / "none.tar.gz").string()});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("none.tar.gz"));
}

TEST_F(Commands, ATrustFolderThatIsNamedMustBeThere) {
    const Said said = run_here({"bundle", "verify", "any.tar.gz", "--trust-dir", "/nowhere"});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("/nowhere"));
}

TEST_F(Commands, DoctorSaysWhatItFoundAndHowToMendIt) {
    const Said said = run_here({"doctor", "--json"});
    const std::vector<Json> list = objects(said.out);
    std::size_t missing = 0;
    bool summed_up = false;
    for (const Json& object : list) {
        if (object["event"] == "doctor") {
            summed_up = true;
            EXPECT_EQ(object["missing"].get<std::size_t>(), missing);
        }
        if (object["event"] != "check") continue;
        if (object["health"] != "MISSING") continue;
        ++missing;
        EXPECT_NE(object["mend"], "") << object.dump();
    }
    EXPECT_TRUE(summed_up);
    EXPECT_EQ(said.code, missing == 0 ? 0 : 1);
    EXPECT_THAT(said.out, HasSubstr("bwrap"));
}

TEST_F(Commands, DoctorWithoutPrograms) {
    set("PATH", folder());
    const Said said = run_here({"doctor"});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.out, HasSubstr("MISSING"));
    EXPECT_THAT(said.out, HasSubstr("bubblewrap"));
    EXPECT_THAT(said.out, HasSubstr("mmdebstrap"));
    EXPECT_THAT(said.err, HasSubstr("needed for building"));
}

}  // namespace
}  // namespace sf::cli::test
