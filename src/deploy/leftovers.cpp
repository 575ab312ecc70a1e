// SPDX-License-Identifier: Apache-2.0
#include "deploy/leftovers.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace sf::deploy {

using base::Status;

namespace {

constexpr std::string_view run_folder = "/run";
constexpr std::string_view name_of_ours = "slurm-setup-";

// What such a file is called until it is whole (LinuxHost::write_new). Nothing else that is ours is
// written right into /run.
bool is_unfinished(std::string_view name) {
    constexpr std::string_view front = ".sf-";
    constexpr std::size_t digits = 16;
    return name.size() == front.size() + digits && name.starts_with(front) &&
           std::ranges::all_of(name.substr(front.size()), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

// Only root can make something in /run, so the name says whose it is; the mode, that it is private.
// A folder may be user slurm's; what is unfinished is a file of root's.
Status remove_one(const fs::path& path, bool unfinished, Host& host) {
    SF_TRY(const PathInfo info, host.look(path));
    const bool file = info.type == PathInfo::Type::file && info.mode == 0600;
    const bool folder = info.type == PathInfo::Type::folder && info.mode == 0700;
    if (!file && !folder) return {};
    if (unfinished && (folder || info.owner.uid != 0)) return {};
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
        const bool unfinished = is_unfinished(name);
        if (!unfinished && !name.starts_with(name_of_ours)) continue;
        const fs::path path = fs::path(run_folder) / name;
        const Status removed = remove_one(path, unfinished, host);
        if (removed) continue;
        reporter.warning("{}, which an interrupted call has left, cannot be removed: {}",
                         base::escape_untrusted(path.native()), removed.error().text());
    }
}

}  // namespace sf::deploy
