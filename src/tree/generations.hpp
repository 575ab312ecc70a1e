// SPDX-License-Identifier: Apache-2.0
// What was installed to a prefix, one after the other, and the way back (docs/formats/store.md).
// generations/<number>/ keeps what a version's build is made of besides its packages: the manifest,
// its signature and the files of ours; the packages stay in the store, the view is made of links.
// generations/current is a link to the one that is meant. Knows no cache and no bundle. One thread;
// what changes anything is called under the lock of tree_install.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "model/manifest.hpp"

namespace sf::tree {

inline constexpr std::string_view generations_folder = "generations";
[[nodiscard]] std::string generation_path(std::uint64_t number);  // below the prefix
inline constexpr const char* record_file = "generation.json";

// Where it came from, in words for people and for `list`: "cache", "serial", "spec", ...
using OriginWords = std::map<std::string, std::string>;
// The word of one that was installed though nobody trusted had signed all of it, and what was not.
// It stays with the generation: nothing later makes it a signed one.
inline constexpr const char* origin_unsigned = "unsigned";

struct Generation {
    std::uint64_t number = 0;  // from 1
    std::int64_t made = 0;     // seconds since 1970
    std::string version;
    std::string toolchain;
    base::Digest manifest;  // of the manifest's text
    OriginWords origin;
    std::uint64_t came_from = 0;  // what was current when this was put in its place; 0: none
};

[[nodiscard]] base::Result<std::string> to_json(const Generation& generation);
// Total and strict: a text has one form.
[[nodiscard]] base::Result<Generation> generation_from_json(std::string_view text);

// Oldest first. Empty where nothing was ever recorded; one whose record is not there, is damaged or
// is of a newer program is not among them. What cannot be read now (EIO, EACCES) is an error: which
// one comes before which is decided by this list.
[[nodiscard]] base::Result<std::vector<Generation>> list_generations(
    const std::filesystem::path& prefix);
// The number of the one to come: above every folder there is, readable or not.
[[nodiscard]] base::Result<std::uint64_t> next_generation(const std::filesystem::path& prefix);
// The number that a folder of generations/ is called by; nullopt: it is called otherwise.
[[nodiscard]] std::optional<std::uint64_t> generation_number(std::string_view name);
// What generations/current says, whatever is in place; nullopt: nothing.
[[nodiscard]] base::Result<std::optional<std::uint64_t>> said_generation(
    const std::filesystem::path& prefix);
// The one that is meant; nullopt: none, or something else was put in its place since.
[[nodiscard]] base::Result<std::optional<Generation>> current_generation(
    const std::filesystem::path& prefix);

struct KeptGeneration {
    Generation generation;
    std::filesystem::path folder;  // of the files of ours
    std::string manifest_text;
    std::string manifest_signature;  // empty: unsigned
    model::Bundle bundle;
};
// Code::absent: there is none of that number.
[[nodiscard]] base::Result<KeptGeneration> read_generation(const std::filesystem::path& prefix,
                                                           std::uint64_t number);

// Puts one together in the empty folder `stage`, from what lies in place below `prefix`; synced.
[[nodiscard]] base::Status fill_generation(const std::filesystem::path& stage,
                                           const std::filesystem::path& prefix,
                                           const Generation& generation,
                                           const model::Bundle& bundle,
                                           const std::string& manifest_text,
                                           const std::string& manifest_signature);

}  // namespace sf::tree
