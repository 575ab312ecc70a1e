// SPDX-License-Identifier: Apache-2.0
// Help texts as they were agreed, and what is said to words that mean nothing.
#include <gmock/gmock.h>

#include "base/text.hpp"
#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class Usage : public CommandLine {};

TEST_F(Usage, HelpIsAsAgreed) {
    const std::vector<std::string> commands{"",
                                            "build-slurm",
                                            "plan",
                                            "versions",
                                            "toolchain",
                                            "toolchain list",
                                            "toolchain prepare",
                                            "toolchain shell",
                                            "toolchain remove",
                                            "key",
                                            "key create",
                                            "key list",
                                            "key export",
                                            "key import",
                                            "key trust",
                                            "bundle",
                                            "bundle verify",
                                            "bundle install",
                                            "recipe",
                                            "recipe lint",
                                            "doctor",
                                            "clean"};
    for (const std::string& command : commands) {
        SCOPED_TRACE("slurm-factory " + command + " --help");
        std::vector<std::string> words;
        for (const std::string& word : base::split(command, ' '))
            if (!word.empty()) words.push_back(word);
        words.emplace_back("--help");
        const Said said = run(words);
        EXPECT_EQ(said.code, 0);
        EXPECT_EQ(said.err, "");
        const std::string name =
            command.empty() ? "slurm-factory" : base::replace_all(command, " ", "-");
        const base::fs::path golden = base::fs::path(SF_GOLDEN) / "cli" / (name + ".txt");
        if (std::getenv("SF_UPDATE_GOLDEN") != nullptr) {
            ASSERT_TRUE(base::write_file(golden, said.out));
        }
        EXPECT_EQ(said.out, base::read_file(golden).value_or("(there is no such file)"));
        if (!command.empty()) EXPECT_THAT(said.out, HasSubstr("Examples:"));
    }
}

TEST_F(Usage, ASlipOfTheKeysExitsWithTwoAndASuggestion) {
    const std::vector<std::pair<std::vector<std::string>, std::string>> slips{
        {{"bild-slurm"}, "build-slurm"},
        {{"toolchian", "list"}, "toolchain"},
        {{"toolchain", "lst"}, "list"},
        {{"key", "creat"}, "create"},
        {{"clean", "--ful"}, "--full"},
        {{"clean", "--dryrun"}, "--dry-run"},
        {{"versions", "--quite"}, "--quiet"},
        {{"build-slurm", "--slurm-versoin=25.11"}, "--slurm-version"},
    };
    for (const auto& [words, meant] : slips) {
        SCOPED_TRACE(base::join(words, " "));
        const Said said = run(words);
        EXPECT_EQ(said.code, 2);
        EXPECT_EQ(said.out, "");
        EXPECT_THAT(said.err, HasSubstr("did you mean '" + meant + "'?"));
        EXPECT_THAT(said.err, HasSubstr("--help"));
    }
}

TEST_F(Usage, OtherUsageErrorsExitWithTwo) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {},
             {"toolchain"},
             {"toolchain", "list", "remove"},
             {"key", "create"},
             {"key", "create", "--name", "Somebody", "--email", "a@b.c", "--kind", "dsa"},
             {"key", "create", "--name", "Somebody", "--email", "a@b.c", "--no-passphrase",
              "--passphrase-fd", "4"},
             {"key", "create", "--name", "Somebody", "--email", "a@b.c", "--passphrase-fd", "987"},
             {"bundle", "install", "x.tar.gz"},
             {"versions", "--color", "sometimes"},
             {"recipe", "lint", "/dev/null"},
         }) {
        SCOPED_TRACE(base::join(words, " "));
        EXPECT_EQ(run(words).code, 2);
    }
}

TEST_F(Usage, NamesThatDoNotExistAreUsageErrorsWithTheNamesThatDo) {
    Said said = run_here({"toolchain", "prepare", "bookwurm"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("did you mean 'bookworm'?"));
    EXPECT_THAT(said.err, HasSubstr("noble"));
    said = run_here({"versions", "99.99"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("25.11"));
}

TEST_F(Usage, ASecretAsAValueIsRefusedAndNotRepeated) {
    for (const char* flag : {"--gpg-private-key", "--passphrase"}) {
        const Said said = run({"key", "create", std::string(flag) + "=SECRETWORD"});
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr("--passphrase-file"));
        EXPECT_THAT(said.err, Not(HasSubstr("SECRETWORD")));
    }
}

TEST_F(Usage, ControlCharactersDoNotReachTheTerminal) {
    const Said said = run({"versions\033[2J"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace sf::cli::test
