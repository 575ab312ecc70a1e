// SPDX-License-Identifier: Apache-2.0
#include "tree/in_use.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <string_view>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Result;
using base::Status;

namespace {

using Inode = std::pair<dev_t, ino_t>;

template <class Number>
std::optional<Number> number(const std::string& text, int base) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// File systems of many hosts, of which all files have the device of their folder, and which may not
// answer. Others (btrfs, overlayfs) give files devices of their own.
bool is_remote_type(std::string_view type) {
    static constexpr std::array<std::string_view, 6> types{"nfs",  "nfs4",   "lustre",
                                                           "gpfs", "beegfs", "ceph"};
    return std::ranges::find(types, type) != types.end() || type == "fuse" ||
           type.starts_with("fuse.");
}
bool is_remote(const fs::path& path) {
    static constexpr std::array<unsigned long, 6> types{0x6969,       // NFS
                                                        0x0BD00BD0,   // Lustre
                                                        0x47504653,   // GPFS
                                                        0x19830326,   // BeeGFS
                                                        0x00C36400,   // CephFS
                                                        0x65735546};  // FUSE
    struct statfs status {};
    if (::statfs(path.c_str(), &status) != 0) return false;
    const auto type = static_cast<unsigned long>(status.f_type) & 0xFFFFFFFFUL;
    return std::ranges::find(types, type) != types.end();
}

// One line of mountinfo, as a process has it mounted.
struct Mount {
    dev_t device = 0;
    std::string type;
};

// By mount id. "36 35 98:0 /root /at rw,noatime master:1 - ext3 /dev/sda rw"
std::map<int, Mount> mounts_of(const fs::path& process) {
    std::map<int, Mount> mounts;
    const auto text = base::read_file(process / "mountinfo");
    if (!text) return mounts;
    for (const std::string& line : base::split(*text, '\n')) {
        const std::vector<std::string> words = base::split(line, ' ');
        const auto dash = std::ranges::find(words, "-");
        constexpr std::ptrdiff_t fewest = 6;
        if (dash - words.begin() < fewest || words.end() - dash < 2) continue;
        const auto id = number<int>(words[0], 10);
        const std::size_t colon = words[2].find(':');
        if (!id || colon == std::string::npos) continue;
        const auto major = number<unsigned>(words[2].substr(0, colon), 10);
        const auto minor = number<unsigned>(words[2].substr(colon + 1), 10);
        if (major && minor) mounts[*id] = {makedev(*major, *minor), *(dash + 1)};
    }
    return mounts;
}

class Search {
public:
    Search(const std::map<std::string, fs::path>& parts, const fs::path& proc)
        : x_parts(parts), x_proc(proc) {}

    Result<InUse> run() {
        SF_CHECK(find_devices());
        SF_TRY(const std::vector<std::string> names, base::list_dir(x_proc));
        InUse found;
        std::vector<std::set<Inode>> unknown;  // of each process found
        bool some_unknown = false;
        for (const std::string& name : names) {
            const auto pid = number<pid_t>(name, 10);
            if (!pid || *pid == ::getpid()) continue;
            SF_CHECK(base::check_stop());
            x_uses.clear();
            x_unknown.clear();
            x_denied = false;
            look(x_proc / name);
            if (x_denied) ++found.unseen;
            if (x_uses.empty() && x_unknown.empty()) continue;
            some_unknown = some_unknown || !x_unknown.empty();
            const auto comm = base::read_file(x_proc / name / "comm");
            found.processes.push_back(
                {*pid, base::escape_untrusted(base::trim(comm.value_or("?"))), x_uses});
            unknown.push_back(std::move(x_unknown));
        }
        // A thousand hosts that all do so keep a file server busy: not unless it is needed.
        if (some_unknown) {
            for (const auto& [part, path] : x_parts) SF_CHECK(note_inodes(part, path));
        }
        for (std::size_t i = 0; i < unknown.size(); ++i) {
            for (const Inode& inode : unknown[i]) {
                const auto known = x_inodes.find(inode);
                if (known != x_inodes.end()) found.processes[i].uses.insert(known->second);
            }
        }
        std::erase_if(found.processes, [](const Process& each) { return each.uses.empty(); });
        return found;
    }

private:
    // Where a file of a part can be.
    Status find_devices() {
        for (const auto& [part, path] : x_parts) {
            SF_TRY(const auto status, status_of(path));
            if (!status || x_devices.contains(status->st_dev)) continue;
            if (is_remote(path))
                x_devices.insert(status->st_dev);
            else
                x_anywhere = true;
        }
        return {};
    }
    // What lies on a server of something else is not looked at: it may not answer, and whoever has
    // a file of it open is none of our business.
    [[nodiscard]] bool may_hold_a_part(const Mount& mount) const {
        return x_devices.contains(mount.device) || (x_anywhere && !is_remote_type(mount.type));
    }

    // nullopt: it is not there. What cannot be looked at may be in use.
    static Result<std::optional<struct stat>> status_of(const fs::path& path) {
        struct stat status {};
        if (::lstat(path.c_str(), &status) == 0) return std::optional(status);
        if (errno == ENOENT || errno == ENOTDIR) return std::optional<struct stat>();
        return base::fail_errno(errno, "look at " + base::escape_untrusted(path.native()));
    }

    Status note_inodes(const std::string& part, const fs::path& top) {
        SF_TRY(const auto above, status_of(top));
        if (!above) return {};
        x_inodes.emplace(Inode{above->st_dev, above->st_ino}, part);
        std::error_code error;
        for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
             it.increment(error)) {
            SF_CHECK(base::check_stop());
            SF_TRY(const auto status, status_of(it->path()));
            if (status && !S_ISLNK(status->st_mode))
                x_inodes.emplace(Inode{status->st_dev, status->st_ino}, part);
        }
        if (error && error.value() != ENOENT && error.value() != ENOTDIR)
            return base::fail_errno(error.value(),
                                    "look at " + base::escape_untrusted(top.native()));
        return {};
    }

    // Whether it is of a part, as far as its path tells.
    bool see_path(std::string_view path) {
        bool seen = false;
        for (const auto& [part, top] : x_parts) {
            const std::string& whole = top.native();
            if (!path.starts_with(whole) ||
                (path.size() != whole.size() && path[whole.size()] != '/' &&
                 path[whole.size()] != ' '))
                continue;
            x_uses.insert(part);
            seen = true;
        }
        return seen;
    }
    // Its path may be another one for the process, or of before it was moved.
    void see_inode(const Inode& inode) {
        if (x_anywhere || x_devices.contains(inode.first)) x_unknown.insert(inode);
    }

    // What it leads to, by either way. `mount`: where that lies; null: nobody can tell.
    void see_link(const fs::path& link, const Mount* mount) {
        std::error_code error;
        const fs::path target = fs::read_symlink(link, error);
        // It has ended, or closed it.
        if (error && error.value() != ENOENT && error.value() != ESRCH) x_denied = true;
        if (error) return;
        const std::string& path = target.native();
        // A socket, a pipe; but not "(unreachable)/…".
        if (!path.starts_with('/') && !path.starts_with('(')) return;
        const bool seen = see_path(path);
        if (mount != nullptr && !may_hold_a_part(*mount)) return;
        // Where looking costs nothing, both ways count.
        if (!seen || x_anywhere) see_inode_of(link);
    }
    // What the kernel knows of it already, without asking a server.
    void see_inode_of(const fs::path& link) {
        struct statx known {};
        struct stat status {};
        if (::statx(AT_FDCWD, link.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO,
                    &known) == 0)
            see_inode({makedev(known.stx_dev_major, known.stx_dev_minor), known.stx_ino});
        else if ((errno == ENOSYS || errno == EPERM || errno == EINVAL) &&
                 ::stat(link.c_str(), &status) == 0)  // no statx, as in some containers
            see_inode({status.st_dev, status.st_ino});
        else if (errno != ENOENT && errno != ESRCH)  // it has ended, or closed it
            x_denied = true;
    }

    // "<from>-<to> r-xp <offset> <major>:<minor> <inode>   <path>"
    void see_maps(const fs::path& file) {
        const auto text = base::read_file(file);
        if (!text) return;
        for (const std::string& line : base::split(*text, '\n')) {
            const std::size_t slash = line.find('/');
            if (slash == std::string::npos) continue;
            if (see_path(std::string_view(line).substr(slash)) && !x_anywhere) continue;
            const std::vector<std::string> words = base::split(line.substr(0, slash), ' ');
            constexpr std::size_t device_at = 3;
            constexpr std::size_t inode_at = 4;
            if (words.size() <= inode_at) continue;
            const std::string& device = words[device_at];
            const std::size_t colon = device.find(':');
            if (colon == std::string::npos) continue;
            constexpr int hexadecimal = 16;
            const auto major = number<unsigned>(device.substr(0, colon), hexadecimal);
            const auto minor = number<unsigned>(device.substr(colon + 1), hexadecimal);
            const auto inode = number<ino_t>(words[inode_at], 10);
            if (major && minor && inode) see_inode({makedev(*major, *minor), *inode});
        }
    }

    // The program is mapped; what is mapped and where its file lies is said by one text.
    void look(const fs::path& process) {
        x_mounts = mounts_of(process);
        for (const char* link : {"exe", "cwd", "root"}) see_link(process / link, nullptr);
        see_maps(process / "maps");
        const auto open = base::list_dir(process / "fd");
        if (!open) return;
        for (const std::string& name : *open)
            see_link(process / "fd" / name, mount_of_descriptor(process / "fdinfo" / name));
    }
    // "mnt_id:	36"
    [[nodiscard]] const Mount* mount_of_descriptor(const fs::path& info) const {
        const auto text = base::read_file(info);
        if (!text) return nullptr;
        for (const std::string& line : base::split(*text, '\n')) {
            if (!line.starts_with("mnt_id:")) continue;
            const auto id =
                number<int>(std::string(base::trim(line.substr(line.find(':') + 1))), 10);
            const auto found = id ? x_mounts.find(*id) : x_mounts.end();
            return found == x_mounts.end() ? nullptr : &found->second;
        }
        return nullptr;
    }

    const std::map<std::string, fs::path>& x_parts;
    const fs::path& x_proc;
    std::set<dev_t> x_devices;      // of parts on remote file systems
    bool x_anywhere = false;        // some are on others
    std::map<int, Mount> x_mounts;  // of the process that is looked at
    std::map<Inode, std::string> x_inodes;
    std::set<std::string> x_uses;
    std::set<Inode> x_unknown;
    bool x_denied = false;
};

}  // namespace

std::set<std::string> InUse::parts() const {
    std::set<std::string> all;
    for (const Process& each : processes) all.insert(each.uses.begin(), each.uses.end());
    return all;
}

std::string InUse::users_of(const std::string& part) const {
    constexpr std::size_t enough = 5;
    std::vector<std::string> names;
    for (const Process& each : processes)
        if (each.uses.contains(part)) names.push_back(fmt::format("{} ({})", each.name, each.pid));
    if (names.size() > enough) {
        const std::size_t more = names.size() - enough;
        names.resize(enough);
        names.push_back(fmt::format("{} more", more));
    }
    return base::join(names, ", ");
}

Result<InUse> processes_using(const std::map<std::string, fs::path>& parts, const fs::path& proc) {
    if (parts.empty()) return InUse();
    return base::during(Search(parts, proc).run(), "looking for what runs from there");
}

}  // namespace sf::tree
