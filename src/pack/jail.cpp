// SPDX-License-Identifier: Apache-2.0
#include "pack/jail.hpp"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::pack {

using base::Fd;
using base::Result;
using base::Status;

namespace {

tl::unexpected<base::Error> cannot(std::string_view what, std::string_view path) {
    return base::fail_errno(errno, fmt::format("{} {}", what, base::escape_untrusted(path)));
}

// Nothing but names, so that both ways see the same; above all no "..": as the last name it would
// be the folder outside.
bool is_plain(const std::string& path) {
    if (path.find('\0') != std::string::npos) return false;
    for (const auto& part : base::split(path, '/')) {
        if (part.empty() || part == "." || part == "..") return false;
    }
    return true;
}

tl::unexpected<base::Error> not_plain(const std::string& path) {
    errno = EINVAL;
    return cannot("use the path", path);
}

}  // namespace

Result<Fd> Jail::open_below(const std::string& path, int flags, unsigned mode) {
    flags |= O_CLOEXEC | O_NOFOLLOW;
    if (!x_by_component) {
        open_how how{};
        how.flags = static_cast<unsigned>(flags);
        how.mode = mode;
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        const auto fd = ::syscall(SYS_openat2, x_directory, path.c_str(), &how, sizeof how);
        if (fd >= 0) return Fd(static_cast<int>(fd));
        // EPERM: container engines whose seccomp filter does not know the call.
        if (errno != ENOSYS && errno != EPERM) return cannot("open", path);
        x_by_component = true;
    }
    Fd parent;
    int at = x_directory;
    const auto components = base::split(path, '/');
    for (std::size_t i = 0; i < components.size(); ++i) {
        if (components[i].empty() || components[i] == "..") {
            errno = EINVAL;
            return cannot("open", path);
        }
        const bool last = i + 1 == components.size();
        const int how = last ? flags : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        Fd next(::openat(at, components[i].c_str(), how, last ? mode : 0U));
        if (!next.valid()) return cannot("open", path);
        parent = std::move(next);
        at = parent.get();
    }
    return parent;
}

Result<Jail::Place> Jail::place_of(const std::string& path) {
    if (!is_plain(path)) return not_plain(path);
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? "." : path.substr(0, slash);
    Place place;
    place.name = slash == std::string::npos ? path : path.substr(slash + 1);
    SF_TRY(place.parent, open_below(folder, O_PATH | O_DIRECTORY, 0));
    return place;
}

Result<Fd> Jail::create_file(const std::string& path, unsigned mode) {
    if (!is_plain(path)) return not_plain(path);
    SF_TRY(auto fd, open_below(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    if (::fchmod(fd.get(), mode) != 0) return cannot("set the mode of", path);
    return fd;
}

Status Jail::make_directory(const std::string& path, bool or_existing) {
    SF_TRY(const auto place, place_of(path));
    const int parent = place.parent.get();
    const char* const name = place.name.c_str();
    struct stat status {};
    const bool free = ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    const int error = ::mkdirat(parent, name, 0755) == 0 ? 0 : errno;
    // There now and not before, and ours: an NFS server's answer was lost (base/files.cpp).
    const bool lost = error == EEXIST && free;
    errno = error;
    if (error != 0 && !lost && !(or_existing && error == EEXIST))
        return cannot("make folder", path);
    const Fd made(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (lost && !or_existing && made.valid() &&
        (::fstat(made.get(), &status) != 0 || status.st_uid != ::geteuid())) {
        errno = EEXIST;
        return cannot("make folder", path);
    }
    if (!made.valid() || ::fchmod(made.get(), 0755) != 0) return cannot("set the mode of", path);
    return {};
}

bool Jail::is_own_link(const Place& place, const std::string& target) {
    struct stat status {};
    std::string there(target.size() + 1, '\0');
    return ::fstatat(place.parent.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_uid == ::geteuid() &&
           ::readlinkat(place.parent.get(), place.name.c_str(), there.data(), there.size()) ==
               static_cast<ssize_t>(target.size()) &&
           there.starts_with(target);
}

Status Jail::make_symlink(const std::string& path, const std::string& target) {
    SF_TRY(const auto place, place_of(path));
    if (::symlinkat(target.c_str(), place.parent.get(), place.name.c_str()) == 0) return {};
    const int error = errno;
    // Its own, of a request whose answer was lost (base/files.cpp), is as good.
    if (error == EEXIST && is_own_link(place, target)) return {};
    errno = error;
    return cannot("make symlink", path);
}

Status Jail::make_hardlink(const std::string& existing, const std::string& path) {
    SF_TRY(const auto from, place_of(existing));
    SF_TRY(const auto to, place_of(path));
    if (::linkat(from.parent.get(), from.name.c_str(), to.parent.get(), to.name.c_str(), 0) != 0) {
        return cannot("make link", path);
    }
    return {};
}

Status Jail::set_link_time(const std::string& path, std::int64_t mtime) {
    SF_TRY(const auto place, place_of(path));
    const timespec times[2] = {{mtime, 0}, {mtime, 0}};
    if (::utimensat(place.parent.get(), place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
        return cannot("set the time of", path);
    }
    return {};
}

}  // namespace sf::pack
