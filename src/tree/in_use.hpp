// SPDX-License-Identifier: Apache-2.0
// Which processes of this host run from a prefix: by their program, what they have mapped or open,
// and the folder they are in. Found by path and by inode, so that a process in a container, which
// has the prefix elsewhere, is seen too. Looks at /proc; does not know what a process is for. Any
// thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace sf::tree {

struct Process {
    pid_t pid = 0;
    std::string name;            // escaped: it chose its name itself
    std::set<std::string> uses;  // of the parts asked for
};

struct InUse {
    std::vector<Process> processes;
    std::size_t unseen = 0;  // of other users: what they run is not for us to see

    // Every part that somebody uses.
    [[nodiscard]] std::set<std::string> parts() const;
    // "slurmd (812), srun (900)", of who uses `part`.
    [[nodiscard]] std::string users_of(const std::string& part) const;
};

// `parts`: names ("store/zlib-1.3.1-1a2b3c4d") with where each lies, which may be elsewhere by now.
// Ourselves aside.
[[nodiscard]] base::Result<InUse> processes_using(
    const std::map<std::string, std::filesystem::path>& parts,
    const std::filesystem::path& proc = "/proc");

}  // namespace sf::tree
