// SPDX-License-Identifier: Apache-2.0
// Back to what was installed before: the same transaction as an installation, filled from what the
// prefix itself keeps. Daemons and jobs that run go on with the files they have open. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "tree/generations.hpp"
#include "tree/tree_install.hpp"

namespace sf::tree {

// From `from` to what was current before it was installed, of those there are: what was left on
// purpose, by a rollback, is not returned to. 0: there is none.
[[nodiscard]] std::uint64_t way_back(const std::vector<Generation>& all, const Generation& from);

// The generation before the current one; Code::absent: there is none, or nothing is current.
[[nodiscard]] base::Result<std::uint64_t> generation_before(const std::filesystem::path& prefix);

struct Returned {
    KeptGeneration kept;  // what is current now
    InstallReport report;
};

// Makes that generation the current one; 0: the one before the current one, which is chosen once
// nobody else is at work here. Code::absent: there is none, or it, or a package of it, is there no
// more, be it that somebody has removed it since this was called.
[[nodiscard]] base::Result<Returned> return_to_generation(const std::filesystem::path& prefix,
                                                          std::uint64_t number,
                                                          InstallOptions options = {});

// Puts what is kept in its place again, as `options` say: as above, or beside what is current.
[[nodiscard]] base::Result<InstallReport> fit_kept(const std::filesystem::path& prefix,
                                                   const KeptGeneration& kept,
                                                   const InstallOptions& options);

}  // namespace sf::tree
