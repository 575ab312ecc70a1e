// SPDX-License-Identifier: Apache-2.0
// What every reliability suite says of itself before its figures: how many rounds, which seed,
// which kernel and file system. SF_RELIABILITY is the percentage of the nightly numbers (make
// nightly: 100); unset, a few rounds. SF_SEED repeats a run. SF_RELIABILITY_DIR is where; unset,
// /tmp. One thread.
#pragma once

#include <gmock/gmock.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

namespace sf::test {

// How many: `quick` in make test, else that percentage of `nightly`, but no fewer than `quick`.
[[nodiscard]] std::uint64_t rounds(std::uint64_t quick, std::uint64_t nightly);
[[nodiscard]] bool is_nightly();

// Where suites put what they make; in memory what has nothing to do with disks, if there is such a
// file system.
[[nodiscard]] std::filesystem::path room_for_tests();
[[nodiscard]] std::filesystem::path room_in_memory();

using Random = std::mt19937_64;

// Prints what is tested, `count` of what, and where; the generator for it.
[[nodiscard]] Random begin_suite(const std::string& id, const std::string& count,
                                 const std::filesystem::path& folder);
// "uses 3 of 8" after it.
void say(const std::string& id, const std::string& figures);

[[nodiscard]] inline std::uint64_t below(Random& random, std::uint64_t end) {
    return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(random);
}
[[nodiscard]] inline double between(Random& random, double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(random);
}

}  // namespace sf::test

// In the words of tests/not-run.txt.
#define SF_NOT_RUN(reason) GTEST_SKIP() << "NOT RUN: " << (reason)
