// SPDX-License-Identifier: Apache-2.0
// The whole command line in this process: words in, exit code and both outputs out. The environment
// is this process's; what tests set in it is put back. One thread.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cli/app.hpp"

namespace sf::cli::test {

struct Said {
    int code = 0;
    std::string out;
    std::string err;
};

class CommandLine : public testing::Test {
protected:
    CommandLine() : x_folder(base::TempDir::create(testing::TempDir(), "sf-cli-").value()) {
        // The tests' own machine has no say.
        set("HOME", folder() / "home");
        set("XDG_CONFIG_HOME", folder() / "config");
        for (const char* name : {"SLURM_FACTORY_CONFIG", "SLURM_FACTORY_CACHE_DIR",
                                 "SLURM_FACTORY_DATA_DIR", "SLURM_FACTORY_COLOR"})
            set(name, std::nullopt);
    }
    ~CommandLine() override {
        for (const auto& [name, value] : x_before) put(name, value);
    }

    [[nodiscard]] const base::fs::path& folder() const { return x_folder.path(); }
    [[nodiscard]] base::fs::path state() const { return folder() / "state"; }

    void set(const std::string& name, const std::optional<std::string>& value) {
        const char* now = std::getenv(name.c_str());
        x_before.emplace(name, now == nullptr ? std::nullopt : std::optional<std::string>(now));
        put(name, value);
    }
    void write(const base::fs::path& file, const std::string& text) {
        ASSERT_TRUE(base::make_dirs(file.parent_path()));
        ASSERT_TRUE(base::write_file(file, text));
    }

    static Said run(std::vector<std::string> words) {
        words.insert(words.begin(), "slurm-factory");
        std::vector<char*> arguments;
        for (std::string& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        Said said;
        said.code = run_command_line(static_cast<int>(words.size()), arguments.data());
        said.out = testing::internal::GetCapturedStdout();
        said.err = testing::internal::GetCapturedStderr();
        return said;
    }
    // With the state folder of this test and the data of tests/golden/recipe/good.
    Said run_here(std::vector<std::string> words) {
        for (const std::string& word :
             {std::string("--state-dir"), state().string(), std::string("--data-dir"),
              (base::fs::path(SF_GOLDEN) / "recipe/good").string()})
            words.push_back(word);
        return run(std::move(words));
    }

private:
    static void put(const std::string& name, const std::optional<std::string>& value) {
        if (value) {
            ASSERT_EQ(::setenv(name.c_str(), value->c_str(), 1), 0);
        } else {
            ASSERT_EQ(::unsetenv(name.c_str()), 0);
        }
    }
    base::TempDir x_folder;
    std::map<std::string, std::optional<std::string>> x_before;
};

}  // namespace sf::cli::test
