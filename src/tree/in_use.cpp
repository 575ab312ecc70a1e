// SPDX-License-Identifier: Apache-2.0
#include "tree/in_use.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
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

class Search {
public:
    Search(const std::map<std::string, fs::path>& parts, const fs::path& proc)
        : x_parts(parts), x_proc(proc) {}

    Result<InUse> run() {
        for (const auto& [part, path] : x_parts) SF_CHECK(note_inodes(part, path));
        SF_TRY(const std::vector<std::string> names, base::list_dir(x_proc));
        InUse found;
        for (const std::string& name : names) {
            const auto pid = number<pid_t>(name, 10);
            if (!pid || *pid == ::getpid()) continue;
            SF_CHECK(base::check_stop());
            x_uses.clear();
            x_denied = false;
            look(x_proc / name);
            if (x_denied) ++found.unseen;
            if (x_uses.empty()) continue;
            const auto comm = base::read_file(x_proc / name / "comm");
            found.processes.push_back(
                {*pid, base::escape_untrusted(base::trim(comm.value_or("?"))), x_uses});
        }
        return found;
    }

private:
    Status note_inodes(const std::string& part, const fs::path& top) {
        std::error_code error;
        struct stat status {};
        if (::lstat(top.c_str(), &status) != 0) return {};
        x_inodes.emplace(Inode{status.st_dev, status.st_ino}, part);
        for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
             it.increment(error)) {
            SF_CHECK(base::check_stop());
            if (::lstat(it->path().c_str(), &status) == 0 && !S_ISLNK(status.st_mode))
                x_inodes.emplace(Inode{status.st_dev, status.st_ino}, part);
        }
        if (error && error.value() != ENOENT && error.value() != ENOTDIR)
            return base::fail_errno(error.value(),
                                    "look at " + base::escape_untrusted(top.native()));
        return {};
    }

    void see_path(std::string_view path) {
        for (const auto& [part, top] : x_parts) {
            const std::string& whole = top.native();
            if (path.starts_with(whole) && (path.size() == whole.size() ||
                                            path[whole.size()] == '/' || path[whole.size()] == ' '))
                x_uses.insert(part);
        }
    }
    void see_inode(const Inode& inode) {
        const auto known = x_inodes.find(inode);
        if (known != x_inodes.end()) x_uses.insert(known->second);
    }

    // exe, cwd, root, fd/*: what it leads to, by either way.
    void see_link(const fs::path& link) {
        std::error_code error;
        const fs::path target = fs::read_symlink(link, error);
        if (error.value() == EACCES || error.value() == EPERM) x_denied = true;
        if (error) return;
        see_path(target.native());
        struct stat status {};
        if (::stat(link.c_str(), &status) == 0) see_inode({status.st_dev, status.st_ino});
    }

    // "<from>-<to> r-xp <offset> <major>:<minor> <inode>   <path>"
    void see_maps(const fs::path& file) {
        const auto text = base::read_file(file);
        if (!text) return;
        for (const std::string& line : base::split(*text, '\n')) {
            const std::size_t slash = line.find('/');
            if (slash == std::string::npos) continue;
            see_path(std::string_view(line).substr(slash));
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

    void look(const fs::path& process) {
        for (const char* link : {"exe", "cwd", "root"}) see_link(process / link);
        see_maps(process / "maps");
        const auto open = base::list_dir(process / "fd");
        if (!open) return;
        for (const std::string& name : *open) see_link(process / "fd" / name);
    }

    const std::map<std::string, fs::path>& x_parts;
    const fs::path& x_proc;
    std::map<Inode, std::string> x_inodes;
    std::set<std::string> x_uses;
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
