// SPDX-License-Identifier: Apache-2.0
#include "sandbox/disk_watch.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <set>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::sandbox {

namespace {

struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, Close>;

constexpr auto open_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;

// Descriptors are a scarce thing and trees may be hostile: past this depth nothing is counted. A
// build's trees end far above; the guard on free space still holds below.
constexpr std::size_t max_depth = 200;

}  // namespace

std::uint64_t tree_usage(const base::fs::path& path) {
    std::vector<Folder> open;                  // from `path` down to where we are
    std::set<std::pair<dev_t, ino_t>> shared;  // files with several names
    std::uint64_t blocks = 0;
    dev_t device = 0;
    const auto enter = [&](int descriptor) {
        if (descriptor < 0) return;
        struct stat info {};
        if (::fstat(descriptor, &info) != 0 || (!open.empty() && info.st_dev != device)) {
            ::close(descriptor);
            return;
        }
        device = info.st_dev;
        blocks += static_cast<std::uint64_t>(info.st_blocks);
        if (DIR* folder = ::fdopendir(descriptor))
            open.emplace_back(folder);
        else
            ::close(descriptor);
    };
    enter(::open(path.c_str(), open_flags));
    while (!open.empty()) {
        DIR* here = open.back().get();
        const dirent* entry = ::readdir(here);
        if (entry == nullptr) {
            open.pop_back();
            continue;
        }
        const std::string_view name = entry->d_name;
        struct stat info {};
        if (name == "." || name == ".." ||
            ::fstatat(::dirfd(here), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(info.st_mode)) {
            if (open.size() < max_depth) enter(::openat(::dirfd(here), entry->d_name, open_flags));
        } else if (info.st_nlink < 2 || shared.emplace(info.st_dev, info.st_ino).second) {
            blocks += static_cast<std::uint64_t>(info.st_blocks);
        }
    }
    return blocks * 512;
}

std::optional<std::string> DiskWatch::look() {
    const auto now = Clock::now();
    if (now < x_next) return std::nullopt;
    x_next = now + x_settings.interval;
    std::uint64_t left = 0;
    bool near = false;
    for (const auto& folder : x_settings.folders) {
        const std::uint64_t room = base::free_space(folder).value_or(0);
        near = near || room < x_settings.free_reserve;
        left += room;
    }
    near = near || x_used + (x_room - std::min(left, x_room)) > x_settings.limit;
    if (now < (near ? x_may_walk : x_must_walk)) return std::nullopt;
    auto reason = look_now();
    const auto took = Clock::now() - now;
    x_may_walk = Clock::now() + took * 20;
    x_must_walk = Clock::now() + took * 200;
    return reason;
}

std::optional<std::string> DiskWatch::look_now() {
    std::uint64_t used = 0;
    std::uint64_t left = 0;
    struct stat info {};
    if (x_settings.log_fd >= 0 && ::fstat(x_settings.log_fd, &info) == 0 && S_ISREG(info.st_mode))
        used += static_cast<std::uint64_t>(info.st_blocks) * 512;
    for (const auto& folder : x_settings.folders) {
        used += tree_usage(folder);
        const auto room = base::free_space(folder);
        if (room && *room < x_settings.free_reserve)
            return fmt::format("not enough space: the file system of {} has only {} left",
                               folder.string(), base::human_bytes(*room));
        left += room.value_or(0);
    }
    x_used = used;
    x_room = left;
    if (used > x_settings.limit)
        return fmt::format("it wrote {} to disk; the limit is {}", base::human_bytes(used),
                           base::human_bytes(x_settings.limit));
    return std::nullopt;
}

}  // namespace sf::sandbox
