// SPDX-License-Identifier: Apache-2.0
// What a version in place consists of, for those whom no lock keeps apart: who puts one there, or
// takes one away, looks afterwards whether the other has come between, and leaves nothing that says
// of a version that it is there while part of it is not. Paths are below the prefix. Any thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "tree/generations.hpp"
#include "tree/stages.hpp"

namespace sf::tree {

// All that is this version's alone, in the order in which it is taken away: what says that it is
// there comes first. `is_signed`: its manifest has a signature beside it.
[[nodiscard]] std::vector<std::string> own_paths(const model::Bundle& bundle, bool is_signed);

// The first of `paths` that is not there; empty: all are.
[[nodiscard]] base::Result<std::string> first_absent(const std::filesystem::path& prefix,
                                                     const std::vector<std::string>& paths);

// The first of its packages that the store has not, as the server has the store's names now; empty:
// it has all.
[[nodiscard]] base::Result<std::string> first_absent_package(const std::filesystem::path& prefix,
                                                             const model::Bundle& bundle);

// The newest generation whose version is in place, with all that belongs to it and all packages.
[[nodiscard]] base::Result<std::optional<KeptGeneration>> newest_whole(
    const std::filesystem::path& prefix);

// Takes away the manifest of a version, if it is there, and part of the version is not; unless that
// has come back since.
[[nodiscard]] base::Status withdraw_unless_whole(Trash& trash, const std::filesystem::path& prefix,
                                                 const model::Bundle& bundle, bool is_signed);

// The same of a generation, which needs its packages alone.
[[nodiscard]] base::Status withdraw_unless_whole(Trash& trash, const std::filesystem::path& prefix,
                                                 const KeptGeneration& kept);

}  // namespace sf::tree
