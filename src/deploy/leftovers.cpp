// SPDX-License-Identifier: Apache-2.0
#include "deploy/leftovers.hpp"

#include <string>

#include "base/text.hpp"

namespace sf::deploy {

using base::Status;

namespace {

constexpr std::string_view run_folder = "/run";
constexpr std::string_view name_of_ours = "slurm-setup-";

// Only root can make something in /run, so the name says whose it is; the mode, that it is private.
// A folder may be user slurm's.
Status remove_one(const fs::path& path, Host& host) {
    SF_TRY(const PathInfo info, host.look(path));
    const bool file = info.type == PathInfo::Type::file && info.mode == 0600;
    const bool folder = info.type == PathInfo::Type::folder && info.mode == 0700;
    if (!file && !folder) return {};
    if (folder) {
        SF_TRY(const std::vector<std::string> names, host.list(path));
        for (const std::string& name : names) SF_CHECK(host.remove(path / name));
    }
    return host.remove(path);
}

}  // namespace

void remove_leftovers(Host& host, base::Reporter& reporter) {
    const auto names = host.list(run_folder);
    if (!names) return reporter.warning("{}", names.error().text());
    for (const std::string& name : *names) {
        if (!name.starts_with(name_of_ours)) continue;
        const fs::path path = fs::path(run_folder) / name;
        const Status removed = remove_one(path, host);
        if (removed) continue;
        reporter.warning("{}, which an interrupted call has left, cannot be removed: {}",
                         base::escape_untrusted(path.native()), removed.error().text());
    }
}

}  // namespace sf::deploy
