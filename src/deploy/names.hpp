// SPDX-License-Identifier: Apache-2.0
// What may become part of a configuration file, a unit or an SQL statement: every word of the
// caller passes one of these rules first. They name what is allowed, so that nothing that a shell,
// sed, SQL, systemd or slurm.conf gives a meaning to can come through. Pure, any thread.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace sf::deploy {

// [a-z0-9][a-z0-9_-]*, at most 40: Slurm makes cluster names lower case, and they become part of
// the names of database tables.
[[nodiscard]] base::Status check_cluster_name(std::string_view name);
// Labels of letters, digits and inner hyphens, with dots between them; at most 253.
[[nodiscard]] base::Status check_host_name(std::string_view name, std::string_view what);
// An IPv4 or IPv6 address, numerically.
[[nodiscard]] base::Status check_address(std::string_view address);
// "node[01-16,20],login1": host names with bracketed ranges.
[[nodiscard]] base::Status check_node_list(std::string_view nodes);
// "CPUs=64 RealMemory=256000 Gres=gpu:4": names of slurm.conf with plain values.
[[nodiscard]] base::Status check_node_parameters(std::string_view parameters);
// [a-z][a-z0-9_]*, at most 32.
[[nodiscard]] base::Status check_database_user(std::string_view name);
// What a password file may hold: 1 to 128 printable ASCII characters without quotes, backslash,
// '#', '=', ';' or blanks, because slurmdbd.conf knows no quoting.
[[nodiscard]] base::Status check_password(std::string_view password);
// A folder that can stand in a unit file and in slurm.conf: absolute, without blanks, quotes, '%',
// '$', '\', ';', '#', ',' or control characters.
[[nodiscard]] base::Status check_plain_path(std::string_view path);

}  // namespace sf::deploy
