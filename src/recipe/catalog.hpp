// SPDX-License-Identifier: Apache-2.0
// All data of the program, loaded and checked: recipes, stacks, toolchains, advisories. Immutable
// after loading; any thread.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/toolchain.hpp"
#include "recipe/recipe.hpp"

namespace sf::recipe {

struct Stack {
    std::filesystem::path path;
    std::string series;
    std::string released;                                      // ISO dates as written
    std::string end_of_life;                                   // upstream's support ends
    std::vector<std::string> slurm;                            // newest first
    std::map<std::string, std::vector<std::string>> packages;  // name -> versions, newest first
};

struct Advisory {
    std::string id;
    std::string summary;
    std::vector<std::string> fixed_in;
    std::string since{};  // the first release that has the mistake; empty: not known, so all
};

struct Finding {  // of recipe lint
    std::filesystem::path file;
    int line = 0;  // 1-based; 0: the file as a whole
    std::string message;
};

struct Catalog {
    std::filesystem::path directory;
    std::map<std::string, Recipe> recipes;
    std::map<std::string, Stack> stacks;  // by series
    std::map<std::string, model::Toolchain> toolchains;
    std::map<std::string, std::vector<Advisory>> advisories;  // by package

    // The advisories that `version` of `package` is open to.
    [[nodiscard]] std::vector<Advisory> affecting(const std::string& package,
                                                  const std::string& version) const;
};

// Everything found wrong below `directory`, in order of file and line.
[[nodiscard]] base::Result<std::vector<Finding>> lint(const std::filesystem::path& directory);

// Loads all; the first findings are in the error's message ("file:line: …").
[[nodiscard]] base::Result<Catalog> load_catalog(const std::filesystem::path& directory);

// One that knows of nothing but toolchains: no other file is read.
[[nodiscard]] base::Result<Catalog> load_toolchains(const std::filesystem::path& directory);

// ">=25.05", "<26.05", ">=24.11,<26", "" (always).
[[nodiscard]] base::Result<bool> version_in_range(const std::string& version,
                                                  const std::string& range);

}  // namespace sf::recipe
