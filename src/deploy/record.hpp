// SPDX-License-Identifier: Apache-2.0
// What the installer remembers on a machine: /etc/slurm/.slurm-factory.json. The answers it was
// given, what it made, and the digest of each text it ever wrote to a file: a file with another
// digest was changed by an administrator and is theirs from then on. A digest is recorded before
// its file is written, so an interruption never makes our own file look foreign. No secrets and no
// digests of secrets are in it. Values; the parser is total.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "deploy/options.hpp"

namespace sf::deploy {

inline constexpr std::string_view record_path = "/etc/slurm/.slurm-factory.json";

struct Record {
    Answers answers;
    std::string prefix;
    std::string version;
    std::string previous_version;  // what `current` pointed to before
    bool own_munge = false;        // munged is ours, not the distribution's
    bool own_mariadb = false;      // mariadbd runs under our supervisor
    bool leased = false;           // this host keeps a lease on the tree
    bool restart_due = false;      // what daemons read or are has changed since they were started
    std::set<std::string> users;
    std::set<std::string> folders;
    std::set<std::string> secrets;                           // made by us; never removed
    std::set<std::string> units;                             // enabled by us
    std::map<std::string, std::vector<base::Digest>> files;  // path: oldest first

    [[nodiscard]] bool wrote(const std::string& path, const base::Digest& digest) const;
    void add(const std::string& path, const base::Digest& digest);
};

[[nodiscard]] base::Result<std::string> to_json(const Record& record);
[[nodiscard]] base::Result<Record> record_from_json(std::string_view text);

}  // namespace sf::deploy
