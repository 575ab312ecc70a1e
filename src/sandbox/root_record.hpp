// SPDX-License-Identifier: Apache-2.0
// A root as it was made, and the names of its files on disk (docs/formats/root.md). The one place
// that makes and parses both. Parsing is total. Plain values, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "model/toolchain.hpp"

namespace sf::sandbox {

struct PreparedRoot {
    model::RootRecord record;  // toolchain, digest of the archive, packages, compiler, libc
    std::string architecture;
    std::vector<std::string> suites;
    std::vector<std::string> components;
    std::vector<std::string> wanted;   // the packages the toolchain asked for, sorted
    std::vector<std::string> sources;  // the apt lines it came from, without options
    std::string made;                  // "2026-01-31T12:00:00Z"
    std::uint64_t archive_bytes = 0;
    std::uint64_t tree_bytes = 0;  // sum of the files' sizes, unpacked
    // Not in the file: where it is on this machine.
    base::fs::path archive;  // <roots>/<toolchain>/<digest>.tar.zst
    base::fs::path tree;     // <roots>/<toolchain>/<digest>, SandboxPlan::root
    bool current = false;    // what builds use
};

[[nodiscard]] base::Result<std::string> to_json(const PreparedRoot& root);
[[nodiscard]] base::Result<PreparedRoot> root_from_json(std::string_view text);

namespace root_names {
inline constexpr std::string_view archive_ending = ".tar.zst";
inline constexpr std::string_view record_ending = ".json";
inline constexpr std::string_view current = "current";
inline constexpr std::string_view log = "prepare.log";
inline constexpr std::string_view lock = ".lock";
inline constexpr std::string_view staging = ".staging-";
inline constexpr std::string_view keyrings = ".keyrings";    // beside the toolchains' folders
[[nodiscard]] std::string tree(const base::Digest& digest);  // 64 hexadecimal digits
[[nodiscard]] std::string archive(const base::Digest& digest);
[[nodiscard]] std::string record(const base::Digest& digest);
}  // namespace root_names

}  // namespace sf::sandbox
