// SPDX-License-Identifier: Apache-2.0
// Flag before environment before configuration file before default; and what a bad file is told.
#include <gmock/gmock.h>

#include "base/json.hpp"
#include "command_line.hpp"

namespace sf::cli::test {
namespace {

using testing::HasSubstr;

class Config : public CommandLine {
protected:
    [[nodiscard]] base::fs::path user_file() const {
        return folder() / "config/slurm-factory/config.yaml";
    }
    // The state folder that a command takes.
    static std::string state_taken(std::vector<std::string> more = {}) {
        std::vector<std::string> words{"clean", "--dry-run", "--json"};
        words.insert(words.end(), more.begin(), more.end());
        const Said said = run(words);
        EXPECT_EQ(said.code, 0) << said.err;
        const auto object = base::parse_json(said.out.substr(0, said.out.find('\n')));
        return object ? object->value("state_dir", "") : said.out + said.err;
    }
    Said run_with(const std::string& text) {
        write(user_file(), text);
        return run({"clean", "--dry-run"});
    }
};

TEST_F(Config, Precedence) {
    EXPECT_EQ(state_taken(), folder() / "home/.slurm-factory");
    write(user_file(), "state-dir: /nowhere/from-file\n");
    EXPECT_EQ(state_taken(), "/nowhere/from-file");
    set("SLURM_FACTORY_CACHE_DIR", "/nowhere/from-environment");
    EXPECT_EQ(state_taken(), "/nowhere/from-environment");
    EXPECT_EQ(state_taken({"--state-dir", "/nowhere/from-flag"}), "/nowhere/from-flag");
}

TEST_F(Config, TheFileIsNamedByFlagThenEnvironmentThenFound) {
    write(user_file(), "state-dir: /nowhere/found\n");
    write(folder() / "environment.yaml", "state-dir: /nowhere/environment\n");
    write(folder() / "flag.yaml", "state-dir: /nowhere/flag\n");
    EXPECT_EQ(state_taken(), "/nowhere/found");
    set("SLURM_FACTORY_CONFIG", folder() / "environment.yaml");
    EXPECT_EQ(state_taken(), "/nowhere/environment");
    EXPECT_EQ(state_taken({"--config", folder() / "flag.yaml"}), "/nowhere/flag");
    EXPECT_EQ(state_taken({"--config=" + (folder() / "flag.yaml").string()}), "/nowhere/flag");
}

TEST_F(Config, HomeIsFoundInUserConfigWithoutXdg) {
    set("XDG_CONFIG_HOME", std::nullopt);
    write(folder() / "home/.config/slurm-factory/config.yaml", "state-dir: ~/mine\n");
    EXPECT_EQ(state_taken(), folder() / "home/mine");
}

TEST_F(Config, FlagsTakeTrueAndFalseAndTheCommandLineWins) {
    const auto is_dry = [](std::vector<std::string> words) {
        const Said said = run(std::move(words));
        EXPECT_EQ(said.code, 0) << said.err;
        return said.out.find("would be freed") != std::string::npos;
    };
    EXPECT_FALSE(is_dry({"clean"}));
    write(user_file(), "dry-run: true\n");
    EXPECT_TRUE(is_dry({"clean"}));
    EXPECT_FALSE(is_dry({"clean", "--dry-run=false"}));
    write(user_file(), "dry-run: false\n");
    EXPECT_FALSE(is_dry({"clean"}));
    EXPECT_TRUE(is_dry({"clean", "-n"}));
    write(user_file(), "quiet: yes\nverbose: 2\ndry-run: true\n");
    EXPECT_TRUE(is_dry({"clean"}));
}

TEST_F(Config, KeysOfOtherCommandsAreLeftAlone) {
    write(user_file(),
          "slurm-version: '25.11'\njobs: 3\nsource-mirror: [/a, 'file:///b']\n"
          "prefix: /opt/slurm\n");
    EXPECT_EQ(run({"clean", "--dry-run"}).code, 0);
    // What the file gives is not missing any more.
    const Said said = run({"bundle", "install", (folder() / "absent.tar.gz").string()});
    EXPECT_EQ(said.code, 1) << said.err;
    EXPECT_THAT(said.err, HasSubstr("absent.tar.gz"));
}

TEST_F(Config, AnEmptyFileIsFine) {
    EXPECT_EQ(run_with("").code, 0);
    EXPECT_EQ(run_with("# nothing yet\n").code, 0);
}

TEST_F(Config, MistakesAreNamedWithFileAndLine) {
    const std::vector<std::pair<std::string, std::string>> mistakes{
        {"quiet: true\nstate-dri: /x\n",
         "config.yaml:2: no command has an option 'state-dri'; did "
         "you mean 'state-dir'?"},
        {"color: sometimes\n", "config.yaml:1: "},
        {"jobs: many\n", "config.yaml:1: "},
        {"state-dir: [/a, /b]\n", "takes one value"},
        {"state-dir: {a: b}\n", "config.yaml:1: state-dir wants a value"},
        {"state-dir:\n", "config.yaml:1: state-dir wants a value"},
        {"- quiet\n", "is a map of options"},
        {"quiet: true\nquiet: false\n", "config.yaml:2: "},
        {"quiet: 'unclosed\n", "config.yaml:"},
        {"config: /x\n", "no command has an option 'config'"},
        {"help: true\n", "no command has an option 'help'"},
        {"quiet: true\nyes: true\n", "config.yaml:2: 'yes' is not for files"},
        {"all: true\n", "'all' is not for files"},
        {"force: false\n", "say --force where you mean it"},
        {"no-other-hosts: true\n", "'no-other-hosts' is not for files"},
        {"allow-unsigned: true\n", "'allow-unsigned' is not for files"},
        {"accept-unsigned: true\n", "'accept-unsigned' is not for files"},
        {"series: 25.11\n", "'series' is not for files"},
        {"forc: true\n", "no command has an option 'forc'\n"},
    };
    for (const auto& [text, complaint] : mistakes) {
        SCOPED_TRACE(text);
        const Said said = run_with(text);
        EXPECT_EQ(said.code, 2);
        EXPECT_THAT(said.err, HasSubstr(complaint));
    }
}

TEST_F(Config, ANamedFileMustBeThere) {
    const Said said = run({"clean", "--dry-run", "--config", "/nowhere/config.yaml"});
    EXPECT_EQ(said.code, 2);
    EXPECT_THAT(said.err, HasSubstr("/nowhere/config.yaml"));
}

}  // namespace
}  // namespace sf::cli::test
