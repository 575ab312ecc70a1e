// SPDX-License-Identifier: Apache-2.0
#include "deploy/linux_host.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <ifaddrs.h>
#include <memory>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::fail_errno;
using base::Fd;
using base::Result;
using base::Status;

namespace {

// Whoever may write to this folder besides its owner.
bool only_owner_writes(const struct stat& folder, uid_t us) {
    return (folder.st_uid == 0 || folder.st_uid == us) && (folder.st_mode & 022U) == 0;
}

// What is in /proc is the kernel's, whoever its owner is called in a user namespace.
bool is_procfs(int folder) {
    constexpr decltype(statfs::f_type) magic = 0x9fa0;
    struct statfs info {};
    return ::fstatfs(folder, &info) == 0 && info.f_type == magic;
}

PathInfo info_of(const struct stat& status) {
    PathInfo info;
    info.mode = status.st_mode & 07777U;
    info.owner = {status.st_uid, status.st_gid};
    if (S_ISREG(status.st_mode)) {
        info.type = PathInfo::Type::file;
    } else if (S_ISDIR(status.st_mode)) {
        info.type = PathInfo::Type::folder;
    } else if (S_ISLNK(status.st_mode)) {
        info.type = PathInfo::Type::symlink;
    } else {
        info.type = PathInfo::Type::other;
    }
    return info;
}

Result<std::string> random_name() {
    std::uint64_t nonce = 0;
    if (::getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
        return fail_errno(errno, "get random bytes");
    return fmt::format(".sf-{:016x}", nonce);
}

// Gives a whole file its name, if nothing has it: 0 or an errno. Half a secret under its name,
// after a crash, would be taken for a whole one by the next call.
int rename_new(int folder, const std::string& from, const std::string& to) {
    if (::renameat2(folder, from.c_str(), folder, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return errno;
    if (::linkat(folder, from.c_str(), folder, to.c_str(), 0) != 0) return errno;
    return ::unlinkat(folder, from.c_str(), 0) == 0 ? 0 : errno;
}

}  // namespace

Result<LinuxHost::Place> LinuxHost::place_of(const fs::path& path) const {
    Place place;
    place.shown = base::escape_untrusted(path.native());
    Fd at(::open(x_root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!at.valid()) return fail_errno(errno, "open " + x_root.native());
    std::vector<std::string> parts;
    for (const fs::path& part : path.relative_path()) parts.push_back(part.native());
    if (parts.empty() || parts.back().empty() || parts.back() == "." || parts.back() == "..")
        return fail(Code::failed, "'{}' names no file", place.shown);
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        struct stat above {};
        struct stat next {};
        if (::fstat(at.get(), &above) != 0 ||
            ::fstatat(at.get(), parts[i].c_str(), &next, AT_SYMLINK_NOFOLLOW) != 0)
            return fail_errno(errno, "reach " + place.shown);
        int follow = O_NOFOLLOW;
        if (S_ISLNK(next.st_mode)) {
            const bool trusted = (parts[i] == "self" && is_procfs(at.get())) ||
                                 ((next.st_uid == 0 || next.st_uid == ::geteuid()) &&
                                  only_owner_writes(above, ::geteuid()));
            if (!trusted)
                return fail(Code::refused,
                            "on the way to {} there is a symlink, {}, that others "
                            "than root could have put there",
                            place.shown, base::escape_untrusted(parts[i]));
            follow = 0;
        }
        Fd down(::openat(at.get(), parts[i].c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | follow));
        if (!down.valid()) return fail_errno(errno, "reach " + place.shown);
        at = std::move(down);
    }
    place.folder = std::move(at);
    place.name = parts.back();
    return place;
}

Result<PathInfo> LinuxHost::look(const fs::path& path) {
    auto place = place_of(path);
    if (!place && place.error().code == Code::absent) return PathInfo{};
    if (!place) return tl::unexpected(place.error());
    struct stat status {};
    if (::fstatat(place->folder.get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        return info_of(status);
    if (errno == ENOENT) return PathInfo{};
    return fail_errno(errno, "look at " + place->shown);
}

Result<std::string> LinuxHost::read(const fs::path& path) {
    SF_TRY(const Place place, place_of(path));
    const Fd fd(::openat(place.folder.get(), place.name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) return fail_errno(errno, "read " + place.shown);
    base::FdSource source(fd.get(), path);
    std::string content;
    std::vector<std::byte> room(std::size_t{64} << 10);
    for (;;) {
        SF_TRY(const std::size_t got, source.read(room));
        if (got == 0) return content;
        content.append(reinterpret_cast<const char*>(room.data()), got);
        if (content.size() > (std::size_t{64} << 20))
            return fail(Code::corrupt, "{} is too large", place.shown);
    }
}

Result<std::vector<std::string>> LinuxHost::list(const fs::path& folder) {
    return base::list_dir(x_root / folder.relative_path());
}

Result<std::string> LinuxHost::read_link(const fs::path& path) {
    std::error_code error;
    const fs::path target = fs::read_symlink(x_root / path.relative_path(), error);
    if (error) return fail_errno(error.value(), "read " + base::escape_untrusted(path.native()));
    return target.native();
}

Status LinuxHost::make_folder(const fs::path& path, unsigned mode, Ids owner) {
    SF_TRY(const Place place, place_of(path));
    // With its mode at once: whoever is interrupted before the next lines leaves a folder that the
    // next call only has to give to its owner.
    if (::mkdirat(place.folder.get(), place.name.c_str(), mode) != 0)
        return fail_errno(errno, "make folder " + place.shown);
    const Fd fd(::openat(place.folder.get(), place.name.c_str(),
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return fail_errno(errno, "open folder " + place.shown);
    if (::fchown(fd.get(), owner.uid, owner.gid) != 0)
        return fail_errno(errno, "set the owner of " + place.shown);
    if (::fchmod(fd.get(), mode) != 0) return fail_errno(errno, "set the mode of " + place.shown);
    if (::fsync(fd.get()) != 0) return fail_errno(errno, "make durable " + place.shown);
    return {};
}

Status LinuxHost::write_in(const Place& place, const std::string& name, std::string_view content,
                           unsigned mode, Ids owner) const {
    const Fd fd(::openat(place.folder.get(), name.c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return fail_errno(errno, "write " + place.shown);
    const auto write = [&]() -> Status {
        if (::fchmod(fd.get(), 0600) != 0) return fail_errno(errno, "write " + place.shown);
        if (::fchown(fd.get(), owner.uid, owner.gid) != 0)
            return fail_errno(errno, "set the owner of " + place.shown);
        SF_CHECK(base::write_all(fd.get(), base::as_bytes(content), place.shown));
        if (::fchmod(fd.get(), mode) != 0)
            return fail_errno(errno, "set the mode of " + place.shown);
        if (::fsync(fd.get()) != 0) return fail_errno(errno, "make durable " + place.shown);
        return {};
    };
    Status status = write();
    if (!status) ::unlinkat(place.folder.get(), name.c_str(), 0);
    return status;
}

Status LinuxHost::write_file(const fs::path& path, std::string_view content, unsigned mode,
                             Ids owner) {
    SF_TRY(const Place place, place_of(path));
    SF_TRY(const std::string temporary, random_name());
    SF_CHECK(write_in(place, temporary, content, mode, owner));
    const int folder = place.folder.get();
    if (::renameat(folder, temporary.c_str(), folder, place.name.c_str()) != 0) {
        const int error = errno;
        ::unlinkat(folder, temporary.c_str(), 0);
        return fail_errno(error, "put in place " + place.shown);
    }
    return base::fsync_dir(fmt::format("/proc/self/fd/{}", folder));
}

Status LinuxHost::write_new(const fs::path& path, std::string_view content, unsigned mode,
                            Ids owner) {
    SF_TRY(const Place place, place_of(path));
    SF_TRY(const std::string temporary, random_name());
    SF_CHECK(write_in(place, temporary, content, mode, owner));
    const int folder = place.folder.get();
    const int error = rename_new(folder, temporary, place.name);
    if (error != 0) ::unlinkat(folder, temporary.c_str(), 0);
    if (error == EEXIST)
        return fail(Code::refused, "{} exists: it is not overwritten", place.shown);
    if (error != 0) return fail_errno(error, "put in place " + place.shown);
    return base::fsync_dir(fmt::format("/proc/self/fd/{}", folder));
}

Status LinuxHost::set_mode(const fs::path& path, unsigned mode, Ids owner) {
    SF_TRY(const Place place, place_of(path));
    const Fd fd(::openat(place.folder.get(), place.name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) return fail_errno(errno, "open " + place.shown);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, "look at " + place.shown);
    // In a folder of its daemon's user a second name may have been made for any file of root's.
    if (!S_ISDIR(status.st_mode) && (!S_ISREG(status.st_mode) || status.st_nlink != 1))
        return base::fail_hint(Code::refused,
                               place.shown +
                                   " has other names as well, or is no plain file: its "
                                   "owner is not changed",
                               "find out who made it; put a copy in its place");
    if (::fchown(fd.get(), owner.uid, owner.gid) != 0 || ::fchmod(fd.get(), mode) != 0)
        return fail_errno(errno, "set owner and mode of " + place.shown);
    if (::fsync(fd.get()) != 0) return fail_errno(errno, "make durable " + place.shown);
    return {};
}

Status LinuxHost::switch_link(const fs::path& link, const fs::path& target) {
    SF_TRY(const Place place, place_of(link));
    SF_TRY(const std::string temporary, random_name());
    const int folder = place.folder.get();
    if (::symlinkat(target.c_str(), folder, temporary.c_str()) != 0)
        return fail_errno(errno, "make symlink " + place.shown);
    if (::renameat(folder, temporary.c_str(), folder, place.name.c_str()) != 0) {
        const int error = errno;
        ::unlinkat(folder, temporary.c_str(), 0);
        return fail_errno(error, "put in place " + place.shown);
    }
    return base::fsync_dir(fmt::format("/proc/self/fd/{}", folder));
}

Status LinuxHost::remove(const fs::path& path) {
    SF_TRY(const Place place, place_of(path));
    if (::unlinkat(place.folder.get(), place.name.c_str(), 0) == 0) return {};
    if (errno != EISDIR && errno != EPERM) return fail_errno(errno, "remove " + place.shown);
    if (::unlinkat(place.folder.get(), place.name.c_str(), AT_REMOVEDIR) == 0) return {};
    return fail_errno(errno, "remove " + place.shown);
}

Result<std::string> LinuxHost::random(std::size_t size) {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const ssize_t got = ::getrandom(bytes.data() + have, size - have, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return fail_errno(errno, "get random bytes");
        have += static_cast<std::size_t>(got);
    }
    return bytes;
}

Result<base::Finished> LinuxHost::run(const base::Command& command, std::string_view input) {
    return base::run(command, input);
}

std::string LinuxHost::host_name() {
    utsname names{};
    if (::uname(&names) != 0) return {};
    const std::string name(static_cast<const char*>(names.nodename));
    return name.substr(0, name.find('.'));
}

std::vector<std::string> LinuxHost::interface_addresses() {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, &::freeifaddrs);
    std::vector<std::string> four;
    std::vector<std::string> six;
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
        char room[INET6_ADDRSTRLEN] = {};
        const void* socket = at->ifa_addr;
        if (at->ifa_addr->sa_family == AF_INET) {
            const in_addr address = static_cast<const sockaddr_in*>(socket)->sin_addr;
            if ((ntohl(address.s_addr) >> 24U) == 127 || (ntohl(address.s_addr) >> 16U) == 0xa9fe)
                continue;
            if (::inet_ntop(AF_INET, &address, room, sizeof room) != nullptr)
                four.emplace_back(room);
        } else if (at->ifa_addr->sa_family == AF_INET6) {
            const in6_addr address = static_cast<const sockaddr_in6*>(socket)->sin6_addr;
            if (IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_LINKLOCAL(&address)) continue;
            if (::inet_ntop(AF_INET6, &address, room, sizeof room) != nullptr)
                six.emplace_back(room);
        }
    }
    four.insert(four.end(), six.begin(), six.end());
    return four;
}

bool LinuxHost::is_root() { return ::geteuid() == 0; }

// A processor without it executes BSR instead, which gives another number and never faults.
bool LinuxHost::lzcnt_works() {
#if defined(__x86_64__)
    std::uint64_t zeros = 0;
    const std::uint64_t one = 1;
    asm("lzcnt %1, %0" : "=r"(zeros) : "r"(one) : "cc");
    return zeros == 63;
#else
    return false;
#endif
}

bool LinuxHost::on_file_system(const fs::path& path, std::uint64_t magic) {
    struct statfs status {};
    return ::statfs((x_root / path.relative_path()).c_str(), &status) == 0 &&
           static_cast<std::uint64_t>(status.f_type) == magic;
}

bool LinuxHost::mounted_noexec(const fs::path& path) {
    for (fs::path at = x_root / path.relative_path();; at = at.parent_path()) {
        struct statvfs status {};
        if (::statvfs(at.c_str(), &status) == 0) return (status.f_flag & ST_NOEXEC) != 0;
        if (at == at.parent_path()) return false;
    }
}

bool LinuxHost::alive(pid_t pid) { return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM); }

Status LinuxHost::signal(pid_t pid, int number) {
    if (pid > 1 && ::kill(pid, number) == 0) return {};
    return fail_errno(pid > 1 ? errno : ESRCH, fmt::format("signal process {}", pid));
}

std::chrono::steady_clock::time_point LinuxHost::now() { return std::chrono::steady_clock::now(); }
void LinuxHost::sleep(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

}  // namespace sf::deploy
