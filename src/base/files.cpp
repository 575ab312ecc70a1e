// SPDX-License-Identifier: Apache-2.0
#include "base/files.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/atomic_file.hpp"
#include "base/stop.hpp"
#include "base/task_pool.hpp"
#include "base/text.hpp"

namespace sf::base {

namespace {

std::string quoted(const fs::path& path) { return escape_untrusted(path.native()); }

}  // namespace

Result<Fd> open_file(const fs::path& path, int flags, unsigned mode) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (descriptor < 0) return fail_errno(errno, "open " + quoted(path));
    return Fd(descriptor);
}

Result<std::string> read_file(const fs::path& path, std::uint64_t limit) {
    SF_TRY(const Fd file, open_file(path, O_RDONLY));
    std::string content;
    char buffer[65536];
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, "read " + quoted(path));
        if (got == 0) return content;
        content.append(buffer, static_cast<std::size_t>(got));
        if (content.size() > limit)
            return fail(Code::corrupt, "{} is larger than the {} it may have", quoted(path),
                        human_bytes(limit));
    }
}

Result<std::optional<std::string>> read_file_if_exists(const fs::path& path, std::uint64_t limit) {
    Result<std::string> content = read_file(path, limit);
    if (content) return std::optional<std::string>(std::move(*content));
    if (content.error().code == Code::absent) return std::optional<std::string>();
    return tl::unexpected(std::move(content).error());
}

Status write_file(const fs::path& path, std::string_view content, unsigned mode) {
    SF_TRY(AtomicFile file, AtomicFile::create(path, mode));
    SF_CHECK(file.write(content));
    return file.commit();
}

Status write_staged(const fs::path& path, std::string_view content, unsigned mode) {
    SF_TRY(AtomicFile file, AtomicFile::create(path, mode));
    SF_CHECK(file.write(content));
    return file.commit_unsynced();
}

Status write_all(int descriptor, Bytes bytes, const fs::path& path_for_errors) {
    while (!bytes.empty()) {
        const ssize_t put = ::write(descriptor, bytes.data(), bytes.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return fail_errno(errno, "write " + quoted(path_for_errors));
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
}

Status copy_bytes(int from, const fs::path& from_path, int to, const fs::path& to_path,
                  std::uint64_t limit) {
    FdSource source(from, from_path);
    std::vector<std::byte> room(std::size_t{64} << 10);
    for (std::uint64_t left = limit; left > 0;) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, room.size()));
        SF_TRY(const std::size_t got, source.read({room.data(), want}));
        if (got == 0) break;
        SF_CHECK(write_all(to, {room.data(), got}, to_path));
        left -= got;
    }
    return {};
}

Status make_dirs(const fs::path& path, unsigned mode) {
    if (path.empty() || ::mkdir(path.c_str(), mode) == 0) return {};
    if (errno == EEXIST) {
        struct stat info {};
        const bool seen = ::stat(path.c_str(), &info) == 0;
        if (seen && S_ISDIR(info.st_mode)) return {};
        // A link that leads nowhere is in the way as well.
        if (!seen && errno != ENOENT && errno != ELOOP)
            return fail_errno(errno, "look at " + quoted(path));
        return fail(Code::failed, "{} is in the way: it is not a folder", quoted(path));
    }
    const int error = errno;
    if (error != ENOENT || !path.has_parent_path() || path.parent_path() == path)
        return fail_errno(error, "make folder " + quoted(path));
    SF_CHECK(make_dirs(path.parent_path(), mode));
    if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
    return fail_errno(errno, "make folder " + quoted(path));
}

bool exists(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

bool is_dir(const fs::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<fs::file_type> type_of(const fs::path& path) {
    std::error_code error;
    const fs::file_type type = fs::symlink_status(path, error).type();
    if (type != fs::file_type::none) return type;
    return fail_errno(error.value(), "look at " + quoted(path));
}

Result<bool> is_there(const fs::path& path) {
    return type_of(path).map([](fs::file_type type) { return type != fs::file_type::not_found; });
}

Result<std::optional<fs::path>> read_link(const fs::path& path) {
    std::error_code error;
    fs::path target = fs::read_symlink(path, error);
    if (!error) return std::optional(std::move(target));
    const int number = error.value();
    if (number == ENOENT || number == ENOTDIR || number == EINVAL) return std::optional<fs::path>();
    return fail_errno(number, "read " + quoted(path));
}

Result<std::vector<std::string>> list_dir(const fs::path& path) {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) return fail_errno(errno, "list folder " + quoted(path));
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    const int error = errno;
    ::closedir(folder);
    if (error != 0) return fail_errno(error, "list folder " + quoted(path));
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::vector<std::string>> list_dir_if_exists(const fs::path& path) {
    auto names = list_dir(path);
    if (!names && names.error().code == Code::absent) return std::vector<std::string>();
    return names;
}

namespace {

// Deletes what is in the folder open as `parent` under `name`. Descriptors, not paths, so that no
// symlink planted meanwhile is followed and no path grows too long.
Status remove_at(int parent, const char* name, const fs::path& path) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
    const int refused = errno;
    if (refused != EISDIR && refused != EPERM && refused != EACCES)
        return fail_errno(refused, "delete " + quoted(path));
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) return {};
    Fd folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.valid() && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0)
        folder = Fd(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.valid() && errno == ENOENT) return {};  // somebody else deletes it as well
    if (!folder.valid())  // if it is no folder, why it was not deleted as a file
        return fail_errno(errno == ENOTDIR || errno == ELOOP ? refused : errno,
                          "delete " + quoted(path));
    // A build may leave folders nobody can write to; the owner may always change that.
    if (::fchmod(folder.get(), 0700) != 0 && errno != EPERM)
        return fail_errno(errno, "delete " + quoted(path));
    DIR* entries = ::fdopendir(::dup(folder.get()));
    if (entries == nullptr) return fail_errno(errno, "delete " + quoted(path));
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(entries)) {
        const std::string_view child = entry->d_name;
        if (child != "." && child != "..") names.emplace_back(child);
    }
    const int unread = errno;
    ::closedir(entries);
    if (unread != 0) return fail_errno(unread, "list folder " + quoted(path));
    for (const std::string& child : names)
        SF_CHECK(remove_at(folder.get(), child.c_str(), path / child));
    folder.reset();
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "delete " + quoted(path));
}

}  // namespace

Status remove_tree(const fs::path& path) { return remove_at(AT_FDCWD, path.c_str(), path); }

Status remove_file(const fs::path& path) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "delete " + quoted(path));
}

// An NFS server's answer can be lost; the request is sent again then, and the answer to that one is
// that what was to be renamed is not there, or that what was to be made is there already. So after
// such an error what is there decides.
int rename_errno(const fs::path& from, const fs::path& to) {
    struct stat ours {};
    const bool known = ::lstat(from.c_str(), &ours) == 0;
    if (::rename(from.c_str(), to.c_str()) == 0) return 0;
    const int error = errno;
    struct stat there {};
    const bool done = error == ENOENT && known && ::lstat(to.c_str(), &there) == 0 &&
                      there.st_ino == ours.st_ino && there.st_dev == ours.st_dev;
    return done ? 0 : error;
}

Status rename(const fs::path& from, const fs::path& to) {
    const int error = rename_errno(from, to);
    if (error == 0) return {};
    return fail_rename(error, from, to);
}

tl::unexpected<Error> fail_rename(int error, const fs::path& from, const fs::path& to) {
    return fail_errno(error, fmt::format("rename {} to {}", quoted(from), quoted(to)));
}

Status make_symlink(const fs::path& target, const fs::path& link) {
    if (::symlink(target.c_str(), link.c_str()) == 0) return {};
    if (errno != EEXIST) return fail_errno(errno, "make symlink " + quoted(link));
    std::error_code error;
    const fs::path there = fs::read_symlink(link, error);
    if (!error && there == target) return {};
    // What is there may be no link at all.
    const bool unreadable = error && error.value() != EINVAL && error.value() != ENOENT;
    if (unreadable) return fail_errno(error.value(), "read what is in the way, " + quoted(link));
    return fail_errno(EEXIST, "make symlink " + quoted(link));
}

Status close_file(Fd file, const fs::path& path) {
    // The descriptor is gone whatever the answer.
    if (::close(file.release()) == 0 || errno == EINTR) return {};
    return fail_errno(errno, "write " + quoted(path));
}

namespace {

Status fsync_path(const fs::path& path, int flags) {
    SF_TRY(const Fd file, open_file(path, flags));
    if (::fsync(file.get()) == 0) return {};
    return fail_errno(errno, "make durable " + quoted(path));
}

}  // namespace

Status fsync_dir(const fs::path& path) { return fsync_path(path, O_RDONLY | O_DIRECTORY); }

Status fsync_tree(const fs::path& path) {
    std::vector<Task> tasks;
    tasks.emplace_back([path] { return fsync_dir(path); });
    std::error_code error;
    for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
         it.increment(error)) {
        const fs::path entry = it->path();
        if (it->is_symlink(error)) continue;
        if (it->is_directory(error))
            tasks.emplace_back([entry] { return fsync_dir(entry); });
        else if (it->is_regular_file(error))
            tasks.emplace_back([entry]() -> Status {
                Status synced = fsync_path(entry, O_RDONLY);
                // On NFS what is deleted while it is open has a name for a while still.
                if (!synced && synced.error().code == Code::absent) return {};
                return synced;
            });
    }
    if (error) return fail_errno(error.value(), "walk " + quoted(path));
    return run_batch(tasks, 16);
}

std::uint64_t disk_usage(const fs::path& path) {
    std::uint64_t blocks = 0;
    std::error_code error;
    fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error);
    for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
        struct stat info {};
        if (::lstat(it->path().c_str(), &info) == 0)
            blocks += static_cast<std::uint64_t>(info.st_blocks);
    }
    return blocks * 512;
}

Result<std::uint64_t> free_space(const fs::path& path) {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0)
        return fail_errno(errno, "ask the free space of " + quoted(path));
    return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Result<TempDir> TempDir::create(const fs::path& parent, std::string_view prefix) {
    SF_CHECK(make_dirs(parent));
    std::string pattern = (parent / (std::string(prefix) + "XXXXXX")).native();
    if (::mkdtemp(pattern.data()) == nullptr)
        return fail_errno(errno, "make a folder in " + quoted(parent));
    return TempDir(fs::path(pattern));
}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
    std::swap(x_path, other.x_path);
    return *this;
}

TempDir::~TempDir() {
    // A temporary folder that cannot be deleted is litter, not a failure of the work done in it.
    if (!x_path.empty()) static_cast<void>(remove_tree(x_path));
}

Result<FileLock> FileLock::acquire(const fs::path& path, const std::function<void()>& waiting) {
    SF_CHECK(make_dirs(path.parent_path()));
    // 0600: whoever may open it may lock it, and make us wait for ever.
    SF_TRY(Fd file, open_file(path, O_RDWR | O_CREAT, 0600));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(file));
    if (errno == ENOLCK || errno == EOPNOTSUPP) return FileLock(std::move(file));
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + quoted(path));
    if (waiting) waiting();
    while (::flock(file.get(), LOCK_EX) != 0) {
        if (errno != EINTR) return fail_errno(errno, "lock " + quoted(path));
        SF_CHECK(check_stop());
    }
    return FileLock(std::move(file));
}

Result<std::size_t> FdSource::read(std::span<std::byte> room) {
    for (;;) {
        const ssize_t got = ::read(x_descriptor, room.data(), room.size());
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) return fail_errno(errno, "read " + quoted(x_path));
    }
}

}  // namespace sf::base
