// SPDX-License-Identifier: Apache-2.0
// What other hosts run from a prefix that several share, as each of them says itself: one small
// file for each host and boot in <prefix>/.sf-leases (docs/formats/store.md). Whoever removes
// something asks here first; no lock is needed, because a file is there whole or not at all and a
// host writes only its own. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sf::tree {

inline constexpr std::string_view leases_folder = ".sf-leases";
// A prefix with this in it is shared, whatever its file system is.
inline constexpr std::string_view shared_mark = ".sf-shared";

struct Lease {
    std::string host;
    std::string boot;  // the kernel's boot_id: after a restart nothing of before runs
    std::int64_t made = 0;
    std::int64_t expires = 0;                // not inclusive
    std::vector<std::uint64_t> generations;  // sorted
    std::vector<std::string> packages;       // store names, sorted

    [[nodiscard]] bool fresh(std::int64_t now) const { return now < expires; }
};

[[nodiscard]] base::Result<std::string> to_json(const Lease& lease);
// Total and strict: a text has one form.
[[nodiscard]] base::Result<Lease> lease_from_json(std::string_view text);
// "<host>-<boot>.json"
[[nodiscard]] base::Result<std::string> lease_file(const Lease& lease);

// Nobody but root and the owner of the folder may have written any of it.
struct Leases {
    std::vector<Lease> list;              // sorted by host
    std::vector<std::string> unreadable;  // paths below the prefix, with why
};
[[nodiscard]] base::Result<Leases> read_leases(const std::filesystem::path& prefix);

// What this host runs from the prefix now: the current generation, because whoever starts something
// starts it from there, and each that a process uses something of.
[[nodiscard]] base::Result<Lease> lease_of_this_host(const std::filesystem::path& prefix,
                                                     std::int64_t now, std::int64_t lasts);
// Fails where it could not be written, without having looked at anything else: a folder that only
// other hosts can write to.
[[nodiscard]] base::Status check_lease_can_be_written(const std::filesystem::path& prefix);
// Puts it in the place of those that this host left before.
[[nodiscard]] base::Status write_lease(const std::filesystem::path& prefix, const Lease& lease);
// Takes away what `host` has left.
[[nodiscard]] base::Status drop_leases(const std::filesystem::path& prefix,
                                       const std::string& host);

// This host's name, and the number of its boot.
[[nodiscard]] base::Result<std::string> host_name();
[[nodiscard]] base::Result<std::string> boot_id();

// Why other hosts may run from here: "it is on a file system of type nfs". Empty: none known.
[[nodiscard]] base::Result<std::string> why_shared(const std::filesystem::path& prefix,
                                                   const Leases& leases);
// The same of a file system's type (statfs f_type): only those known to be of one host are.
[[nodiscard]] std::string shared_file_system(unsigned long type);

// Is there evidence of what every other host runs? Code::refused, with what is missing.
[[nodiscard]] base::Status check_evidence(const std::filesystem::path& prefix, const Leases& leases,
                                          std::int64_t now);

}  // namespace sf::tree
