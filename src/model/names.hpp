// SPDX-License-Identifier: Apache-2.0
// The one place that makes and parses names that appear on disk: packages, store folders, bundles.
// Every name from outside is checked here before it becomes a path. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace sf::model {

// The build prefix's root: a token found nowhere else, so that any trace of it in a shipped file
// can be found, by fragments of 8 bytes too. Part of every identity: changing it rebuilds
// everything.
inline constexpr std::string_view placeholder_root = "/sfQ7xKv9ZtLb4NwR2mJd";

// [a-z0-9][a-z0-9._+-]*, at most 64 bytes, no "..".
[[nodiscard]] base::Status check_name(std::string_view name, std::string_view what);
// [0-9A-Za-z][0-9A-Za-z._+~-]*, at most 64 bytes, no "..".
[[nodiscard]] base::Status check_version(std::string_view version);

// "munge-0.5.16-1a2b3c4d": the folder of one package in a store, from its full identity.
[[nodiscard]] std::string store_name(std::string_view name, std::string_view version,
                                     const base::Digest& identity);
// "25.11.2" -> "25.11"
[[nodiscard]] std::string series_of(std::string_view version);
// "slurm-25.11.2-bookworm-amd64-software.tar.gz"
[[nodiscard]] std::string bundle_file(std::string_view version, std::string_view toolchain,
                                      std::string_view architecture);
// "slurm-25.11-bookworm-software.tar.gz": the seed's path, a mutable alias
[[nodiscard]] std::string bundle_alias(std::string_view series, std::string_view toolchain);

}  // namespace sf::model
