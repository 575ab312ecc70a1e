// SPDX-License-Identifier: Apache-2.0
// Help texts as they were agreed, and what is said to words that mean nothing.
#include <gmock/gmock.h>

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

#include "base/json.hpp"
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
                                            "key distrust",
                                            "key revoke",
                                            "key revocations",
                                            "cache",
                                            "cache add",
                                            "cache list",
                                            "cache remove",
                                            "bundle",
                                            "bundle create",
                                            "bundle verify",
                                            "bundle install",
                                            "install",
                                            "list",
                                            "rollback",
                                            "spack-env",
                                            "uninstall",
                                            "verify",
                                            "fsck",
                                            "gc",
                                            "lease",
                                            "cache",
                                            "cache verify",
                                            "cache refresh",
                                            "cache mirror",
                                            "cache index",
                                            "cache prune",
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
        // What is shown can be typed as it stands.
        const std::string whole = command.empty() ? "slurm-factory" : "slurm-factory " + command;
        EXPECT_THAT(said.out, HasSubstr("Usage: " + whole + " [OPTIONS]"));
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
        // Something else is missing as well: the slip is mostly why.
        {{"key", "create", "--nmae", "Our site", "--email", "a@b.c"}, "--name"},
        {{"key", "creat", "--name", "Our site", "--email", "a@b.c"}, "create"},
        {{"bundle", "install", "--perfix", "/opt/slurm", "x.tar.gz"}, "--prefix"},
        {{"bundle", "instal", "x.tar.gz", "--prefix", "/opt/slurm"}, "install"},
        {{"bundle", "verify", "--kye", "F"}, "--key"},
        {{"toolchain", "prepare", "--updat"}, "--update"},
        {{"--state-dri", "/x", "toolchain", "prepare"}, "--state-dir"},
        {{"recipe", "lnt"}, "lint"},
        // A verb whose noun was left out, and what many programs call help.
        {{"verify", "x.tar.gz"}, "bundle verify"},
        {{"lint"}, "recipe lint"},
        {{"help"}, "--help"},
        {{"toolchain", "help"}, "--help"},
        // A wrong value is no reason to keep the slip back.
        {{"build-slurm", "--jobs", "0", "--toolchian", "bookworm"}, "--toolchain"},
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

TEST_F(Usage, AnUnknownOptionIsNamedWithItsCommandAndWithoutItsValue) {
    Said said = run({"bundle", "install", "--frobnicate=SECRETWORD", "x.tar.gz"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("slurm-factory bundle install has no option --frobnicate\n"));
    EXPECT_THAT(said.err, Not(HasSubstr("SECRETWORD")));
    EXPECT_THAT(said.err, HasSubstr("next: slurm-factory bundle install --help"));
    said = run({"toolchain"});
    EXPECT_THAT(said.err, HasSubstr("slurm-factory toolchain wants a command: list, prepare"));
    said = run({"doctor", "now"});
    EXPECT_THAT(said.err, HasSubstr("slurm-factory doctor: the argument 'now' is one too many"));
}

TEST_F(Usage, WithJsonAlsoAUsageErrorIsAnEvent) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"--json", "toolchain", "lst"},
             {"bundle", "install", "--json"},
             {"--json"},
             {"key", "create", "--json", "--passphrase=x"},
             {"--json", "--config", "/nowhere/config.yaml", "versions"}}) {
        SCOPED_TRACE(base::join(words, " "));
        const Said said = run(words);
        EXPECT_NE(said.code, 0);
        const auto event = base::parse_json(base::trim(said.out));
        ASSERT_TRUE(event) << said.out;
        EXPECT_EQ((*event)["event"], "error");
        EXPECT_NE((*event)["message"], "");
    }
    // Behind -- it is somebody else's.
    const Said said =
        run({"--state-dir", state(), "--data-dir", base::fs::path(SF_GOLDEN) / "recipe/good",
             "toolchain", "shell", "nosuch", "--", "/bin/x", "--json"});
    EXPECT_EQ(said.code, 2);
    EXPECT_EQ(said.out, "");
}

TEST_F(Usage, AValueFromTheEnvironmentIsBlamedOnItsVariable) {
    set("SLURM_FACTORY_COLOR", "mauve");
    Said said = run_here({"toolchain", "list"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("the environment's SLURM_FACTORY_COLOR"));
    EXPECT_THAT(said.err, HasSubstr("unset SLURM_FACTORY_COLOR"));
    said = run_here({"toolchain", "list", "--color", "puce"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, Not(HasSubstr("environment")));
    set("SLURM_FACTORY_COLOR", "");  // as if it were not set
    EXPECT_EQ(run_here({"toolchain", "list"}).code, 0);
}

TEST_F(Usage, AMisspeltVariableIsToldAndHarmless) {
    set("SLURM_FACTORY_TOOLCHIAN", "noble");
    set("SLURM_FACTORY_DEBIAN_MIRROR", "http://127.0.0.1:9/debian");
    const Said said = run_here({"toolchain", "list"});
    EXPECT_EQ(said.code, 0);
    EXPECT_THAT(said.err, HasSubstr("SLURM_FACTORY_TOOLCHIAN means nothing here; did you mean "
                                    "'SLURM_FACTORY_TOOLCHAIN'?"));
    EXPECT_THAT(said.err, Not(HasSubstr("DEBIAN")));
}

TEST_F(Usage, AnEmptyFolderIsNotTheCurrentOne) {
    Said said = run({"clean", "--dry-run", "--state-dir", ""});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("--state-dir"));
    said = run({"versions", "--data-dir="});
    EXPECT_EQ(said.code, 2);
}

TEST_F(Usage, AnEmptyValueDoesNotMeanAny) {
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
             {"bundle", "verify", "x.tar.gz", "--sha256", ""},
             {"bundle", "verify", "x.tar.gz", "--sha256="},
             {"bundle", "verify", "x.tar.gz", "--key", ""},
             {"bundle", "verify", "x.tar.gz", "--trust-dir", ""},
             {"bundle", "verify", ""},
             {"bundle", "install", "x.tar.gz", "--prefix", ""},
             {"key", "create", "--name", "Our site", "--email", "a@b.c", "--passphrase-file", ""},
             {"build-slurm", "--signing-key", ""},
             {"versions", "--config", ""},
             {"versions", "--config="},
         }) {
        SCOPED_TRACE(base::join(words, " "));
        const Said said = run_here(words);
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr("its value is empty"));
        EXPECT_FALSE(base::exists(state()));
    }
}

// What is written to stdout goes to `path` (nowhere, if empty: it is closed).
int run_with_stdout(const char* path, std::vector<std::string> words, std::string& err) {
    std::fflush(stdout);
    const base::Fd saved(::fcntl(1, F_DUPFD_CLOEXEC, 100));
    testing::internal::CaptureStderr();  // opens a file: before 1 is free
    ::close(1);
    if (*path != '\0') EXPECT_EQ(::open(path, O_WRONLY | O_CLOEXEC), 1);
    words.insert(words.begin(), "slurm-factory");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    const int code = run_command_line(static_cast<int>(arguments.size()), arguments.data());
    EXPECT_EQ(::dup2(saved.get(), 1), 1);
    err = testing::internal::GetCapturedStderr();
    std::clearerr(stdout);
    return code;
}

TEST_F(Usage, AResultThatReachesNobodyIsAFailure) {
    const std::string data = base::fs::path(SF_GOLDEN) / "recipe/good";
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"--help"},
                                               {"--version"},
                                               {"versions", "--data-dir", data},
                                               {"versions", "--data-dir", data, "--json"}}) {
        SCOPED_TRACE(base::join(words, " "));
        std::string err;
        EXPECT_EQ(run_with_stdout("/dev/full", words, err), 1);
        EXPECT_THAT(err, HasSubstr("cannot write the result to standard output: No space left"));
        EXPECT_EQ(run_with_stdout("", words, err), 1);
        EXPECT_THAT(err, HasSubstr("cannot write the result to standard output: Bad file"));
        EXPECT_EQ(run_with_stdout("/dev/null", words, err), 0);
    }
}

TEST_F(Usage, ACurrentFolderThatIsGone) {
    const base::fs::path before = base::fs::current_path();
    ASSERT_TRUE(base::make_dirs(folder() / "gone"));
    base::fs::current_path(folder() / "gone");
    ASSERT_TRUE(base::remove_tree(folder() / "gone"));
    Said said = run({"clean", "--dry-run", "--state-dir", "relative"});
    EXPECT_EQ(said.code, 1);
    EXPECT_THAT(said.err, HasSubstr("--state-dir: cannot find the current folder"));
    EXPECT_EQ(run_here({"versions"}).code, 0);
    base::fs::current_path(before);
}

TEST_F(Usage, WithoutHomeTheListOfUsersSays) {
    for (const std::optional<std::string>& home :
         {std::optional<std::string>(), std::optional<std::string>(""),
          std::optional<std::string>("relative")}) {
        set("HOME", home);
        const Said said =
            run({"versions", "--data-dir", base::fs::path(SF_GOLDEN) / "recipe/good"});
        EXPECT_EQ(said.code, 0) << said.err;
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
             {"build-slurm", "--passphrase-fd", "-5"},
             {"key", "create", "--name", "Our site", "--email", "a@b.c", "--expires", "2020-01-01"},
             {"key", "create", "--name", "Our site", "--email", "a@b.c", "--expires", "2099-02-30"},
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
