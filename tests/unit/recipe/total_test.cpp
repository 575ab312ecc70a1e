// SPDX-License-Identifier: Apache-2.0
// The readers are total: any text gives values or findings, never a crash. Mutates good files with
// a fixed seed, so that a failure can be repeated.
#include <gtest/gtest.h>

#include <random>

#include "base/files.hpp"
#include "recipe/recipe_reader.hpp"
#include "recipe/stack_reader.hpp"
#include "recipe/words.hpp"

namespace sf::recipe {
namespace {

void read_all(const std::string& text) {
    const std::filesystem::path folder = std::filesystem::path(SF_GOLDEN) / "recipe/good";
    Findings recipe(folder / "recipes/libone/recipe.yaml");
    Findings stack(folder / "stacks/slurm-25.11.yaml");
    Findings toolchain(folder / "toolchains/bookworm.yaml");
    Findings advisories(folder / "advisories.yaml");
    static_cast<void>(read_recipe(text, recipe));
    static_cast<void>(read_stack(text, stack));
    static_cast<void>(read_toolchain(text, toolchain));
    static_cast<void>(read_advisories(text, advisories));
    static_cast<void>(check_replaced_words(text, {"zlib"}));
    for (const Findings* each : {&recipe, &stack, &toolchain, &advisories}) {
        for (const Finding& finding : each->list()) {
            ASSERT_EQ(finding.message.find('\x1b'), std::string::npos);
            ASSERT_GE(finding.line, 0);
        }
    }
}

std::string mutate(std::string text, std::mt19937& random) {
    static const std::string bits[] = {
        "[",        "{",           "}", "]",    ":",     "- ",    "\n",
        "  ",       "\"",          "'", "&a ",  "*a",    "!!",    "|\n",
        ">-\n",     "? ",          "#", "%",    "---\n", "...\n", "\t",
        "\xff",     "\x1b",        "~", "null", "<<: ",  "@dep:", "\xef\xbb\xbf",
        "\xfe\xff", "\xe2\x80\xae"};
    const auto pick = [&](std::size_t below) {
        return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
    };
    for (std::size_t changes = 1 + pick(6); changes > 0 && !text.empty(); --changes) {
        const std::size_t at = pick(text.size());
        switch (pick(5)) {
            case 0: text[at] = static_cast<char>(pick(256)); break;
            case 1: text.insert(at, bits[pick(std::size(bits))]); break;
            case 2: text.erase(at, 1 + pick(20)); break;
            case 3: text.insert(at, text.substr(pick(text.size()), pick(60))); break;
            default: text.resize(at); break;
        }
    }
    return text;
}

TEST(Total, MutatedFilesNeverCrash) {
    std::mt19937 random(20251106);
    const std::filesystem::path folder = std::filesystem::path(SF_GOLDEN) / "recipe/good";
    for (const char* name : {"recipes/libone/recipe.yaml", "stacks/slurm-25.11.yaml",
                             "toolchains/bookworm.yaml", "advisories.yaml"}) {
        const auto text = base::read_file(folder / name);
        ASSERT_TRUE(text);
        for (int round = 0; round < 500; ++round) read_all(mutate(*text, random));
    }
}

TEST(Total, OddTextsNeverCrash) {
    for (const char* text :
         {"",
          "a",
          "[]",
          "{}",
          "~",
          "- - - -",
          "? ? ? ?",
          "{a: {a: {a: {}}}}",
          "recipe: [1]\nversions: 3\n",
          "versions: {1: {source: {places: [1, [2], ~]}}}",
          "depends: {host: [1, {}], build: {}, link: [[a]]}\nbuild: []\npackage: x\n",
          "@",
          "@@",
          "@@@",
          "@dep:@",
          "@dep:@dep:@",
          "%YAML 9.9\n---\na",
          "%TAG",
          "\"\\U99999999\"",
          "!<",
          "!<!> a",
          "? - a\n: b",
          "a: |99\n x"}) {
        read_all(text);
    }
    read_all(std::string(100'000, '['));
    read_all(std::string(100'000, '{'));
    std::string deep;
    for (int i = 0; i < 5000; ++i) deep += "- ";
    read_all(deep);
}

}  // namespace
}  // namespace sf::recipe
