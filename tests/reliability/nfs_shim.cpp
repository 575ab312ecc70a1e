// SPDX-License-Identifier: Apache-2.0
// nfs_shim SOURCE MOUNTPOINT CACHE_SECONDS [WORD...]: a folder, shown by FUSE as an NFS client of a
// bad network shows it. Two of them on one SOURCE are two hosts. What NFS does without any fault:
// renameat2 knows no flags; there are no unnamed files; a file that is deleted while it is open
// stays under another name (libfuse does that); names that are there, names that are not, and
// attributes are believed for a time, so another host's work is seen late. The words are those of
// nfs_faults.hpp. In the foreground, until SIGTERM or the unmount.
#define FUSE_USE_VERSION 31
#include <fuse3/fuse.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include "reliability/nfs_faults.hpp"

namespace sf::test {
namespace {

using std::chrono::milliseconds;

constexpr auto poll_pause = milliseconds(2);
constexpr auto silly_patience = milliseconds(500);
constexpr const char* silly = ".fuse_hidden";

// What was written to a file, and will turn out not to be on the server.
struct Doom {
    int error = 0;
    bool at_close = false;  // or at an fsync alone, also by somebody who opened it anew
};

struct Shim {
    std::string source;
    double cache = 0;
    NfsFaults faults;
    std::mutex mutex;
    std::map<ino_t, Doom> doomed;
    std::map<std::string, std::uint64_t> stale;  // path to how many more times
};
Shim shim;

std::string real(const char* path) { return shim.source + path; }
int result(long done) { return done < 0 ? -errno : 0; }

bool is_silly(const char* path) { return std::strstr(path, silly) != nullptr; }

// The operation was done; its answer was lost, and the server did not find what the repeated
// request was to work on.
int answer(long done, const char* path, const char* what, int error) {
    if (done < 0) return -errno;
    if (!is_silly(path) && shim.faults.strikes("lost", what)) return -error;
    return 0;
}

bool is_stale(const char* path, const char* what) {
    {
        const std::lock_guard lock(shim.mutex);
        const auto known = shim.stale.find(path);
        if (known != shim.stale.end()) {
            if (--known->second == 0) shim.stale.erase(known);
            return true;
        }
    }
    if (std::strcmp(path, "/") == 0 || !shim.faults.strikes("stale", what)) return false;
    const std::uint64_t more = shim.faults.often() - 1;
    const std::lock_guard lock(shim.mutex);
    if (more > 0) shim.stale.emplace(path, more);
    return true;
}

ino_t inode_of(int descriptor) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

// Nobody will ever miss what was written to it.
void forgive(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    const std::lock_guard lock(shim.mutex);
    if (status.st_nlink == 1 && shim.doomed.erase(status.st_ino) != 0)
        shim.faults.count("late.forgiven");
}

// The first write to a file that has just been made may be its doom.
void meet_doom(int descriptor) {
    if (!shim.faults.strikes("late", "file")) return;
    static constexpr int errors[] = {EIO, ENOSPC, EDQUOT};
    const Doom doom{errors[shim.faults.below(3)], shim.faults.below(2) == 0};
    const std::lock_guard lock(shim.mutex);
    shim.doomed[inode_of(descriptor)] = doom;
}

// Says so once; what was written is gone then.
int come_true(int descriptor, bool closing) {
    const std::lock_guard lock(shim.mutex);
    const auto found = shim.doomed.find(inode_of(descriptor));
    if (found == shim.doomed.end() || (closing && !found->second.at_close)) return 0;
    const int error = found->second.error;
    shim.doomed.erase(found);
    shim.faults.count("late.told");
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return -errno;
    const std::string self = "/proc/self/fd/" + std::to_string(descriptor);
    if (::truncate(self.c_str(), 0) != 0 || ::truncate(self.c_str(), status.st_size) != 0)
        return -errno;
    return -error;
}

int descriptor_of(const fuse_file_info* info) { return static_cast<int>(info->fh); }
DIR* folder_of(const fuse_file_info* info) {
    return reinterpret_cast<DIR*>(info->fh);  // NOLINT: FUSE keeps a number for us
}

void* on_init(fuse_conn_info*, fuse_config* config) {
    config->use_ino = 1;  // what stat says is compared
    config->entry_timeout = config->negative_timeout = config->attr_timeout = shim.cache;
    return nullptr;
}

int on_getattr(const char* path, struct stat* status, fuse_file_info* info) {
    if (info != nullptr) return result(::fstat(descriptor_of(info), status));
    if (is_stale(path, "look")) return -ESTALE;
    return result(::lstat(real(path).c_str(), status));
}

int on_readlink(const char* path, char* room, std::size_t size) {
    const ssize_t got = ::readlink(real(path).c_str(), room, size - 1);
    if (got < 0) return -errno;
    room[got] = 0;
    return 0;
}

int on_mkdir(const char* path, mode_t mode) {
    return answer(::mkdir(real(path).c_str(), mode), path, "mkdir", EEXIST);
}

int on_unlink(const char* path) {
    forgive(real(path));
    return answer(::unlink(real(path).c_str()), path, "unlink", ENOENT);
}

// NFS clients wait for what they are about to delete below; FUSE tells of a close later.
int on_rmdir(const char* path) {
    const auto end = std::chrono::steady_clock::now() + silly_patience;
    long done = ::rmdir(real(path).c_str());
    while (done != 0 && errno == ENOTEMPTY && std::chrono::steady_clock::now() < end) {
        bool only_silly = true;
        DIR* const folder = ::opendir(real(path).c_str());
        if (folder == nullptr) return -errno;
        while (const dirent* entry = ::readdir(folder))
            only_silly =
                only_silly &&
                (entry->d_name[0] == '.' &&
                 (entry->d_name[1] == 0 || entry->d_name[1] == '.' || is_silly(entry->d_name)));
        ::closedir(folder);
        if (!only_silly) return -ENOTEMPTY;
        std::this_thread::sleep_for(poll_pause);
        done = ::rmdir(real(path).c_str());
    }
    return answer(done, path, "rmdir", ENOENT);
}

int on_symlink(const char* target, const char* path) {
    return answer(::symlink(target, real(path).c_str()), path, "symlink", EEXIST);
}

int on_rename(const char* from, const char* to, unsigned flags) {
    if (flags != 0) return -EINVAL;
    forgive(real(to));
    const long done = ::rename(real(from).c_str(), real(to).c_str());
    return answer(done, to, "rename", ENOENT);
}

int on_link(const char* from, const char* to) {
    return answer(::link(real(from).c_str(), real(to).c_str()), to, "link", EEXIST);
}

int on_chmod(const char* path, mode_t mode, fuse_file_info*) {
    return result(::chmod(real(path).c_str(), mode));
}

int on_chown(const char* path, uid_t user, gid_t group, fuse_file_info*) {
    return result(::lchown(real(path).c_str(), user, group));
}

int on_truncate(const char* path, off_t size, fuse_file_info* info) {
    return info != nullptr ? result(::ftruncate(descriptor_of(info), size))
                           : result(::truncate(real(path).c_str(), size));
}

int on_utimens(const char* path, const timespec* times, fuse_file_info*) {
    return result(::utimensat(AT_FDCWD, real(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}

int open_as(const char* path, int flags, mode_t mode, fuse_file_info* info) {
    const int descriptor = ::open(real(path).c_str(), flags | O_CLOEXEC, mode);
    if (descriptor < 0) return -errno;
    info->fh = static_cast<std::uint64_t>(descriptor);
    return 0;
}

int on_create(const char* path, mode_t mode, fuse_file_info* info) {
    const int done = open_as(path, (info->flags & ~O_APPEND) | O_CREAT, mode, info);
    if (done == 0) {
        const std::lock_guard lock(shim.mutex);
        shim.doomed.erase(inode_of(descriptor_of(info)));  // of another file, long gone
    }
    return done;
}

int on_open(const char* path, fuse_file_info* info) {
    if (is_stale(path, "open")) return -ESTALE;
    return open_as(path, info->flags & ~O_APPEND, 0, info);
}

int on_read(const char*, char* room, std::size_t size, off_t at, fuse_file_info* info) {
    const ssize_t got = ::pread(descriptor_of(info), room, size, at);
    return got < 0 ? -errno : static_cast<int>(got);
}

int on_write(const char*, const char* bytes, std::size_t size, off_t at, fuse_file_info* info) {
    struct stat status {};
    if (::fstat(descriptor_of(info), &status) == 0 && status.st_size == 0 && at == 0)
        meet_doom(descriptor_of(info));
    const ssize_t put = ::pwrite(descriptor_of(info), bytes, size, at);
    return put < 0 ? -errno : static_cast<int>(put);
}

int on_statfs(const char*, struct statvfs* status) {
    return result(::statvfs(shim.source.c_str(), status));
}

int on_flush(const char* path, fuse_file_info* info) {
    if (!is_silly(path)) return come_true(descriptor_of(info), true);
    forgive(real(path));  // deleted already
    return 0;
}

int on_release(const char*, fuse_file_info* info) { return result(::close(descriptor_of(info))); }

int on_fsync(const char*, int, fuse_file_info* info) {
    const int lost = come_true(descriptor_of(info), false);
    return lost != 0 ? lost : result(::fsync(descriptor_of(info)));
}

int on_opendir(const char* path, fuse_file_info* info) {
    if (is_stale(path, "opendir")) return -ESTALE;
    DIR* const folder = ::opendir(real(path).c_str());
    if (folder == nullptr) return -errno;
    info->fh = reinterpret_cast<std::uint64_t>(folder);
    return 0;
}

int on_readdir(const char* path, void* room, fuse_fill_dir_t fill, off_t, fuse_file_info* info,
               fuse_readdir_flags) {
    ::rewinddir(folder_of(info));
    while (const dirent* entry = ::readdir(folder_of(info))) {
        struct stat status {};
        const std::string name = real(path) + '/' + entry->d_name;
        // With all that there is to know of them, as NFS asks for it.
        const bool known = ::lstat(name.c_str(), &status) == 0;
        if (fill(room, entry->d_name, known ? &status : nullptr, 0,
                 known ? FUSE_FILL_DIR_PLUS : fuse_fill_dir_flags{}) != 0)
            break;
    }
    return 0;
}

int on_releasedir(const char*, fuse_file_info* info) { return result(::closedir(folder_of(info))); }

int on_fsyncdir(const char*, int, fuse_file_info* info) {
    if (shim.faults.strikes("late", "folder")) {
        shim.faults.count("late.told");
        return -EIO;
    }
    return result(::fsync(::dirfd(folder_of(info))));
}

int on_setxattr(const char* path, const char* name, const char* value, std::size_t size, int) {
    if (std::strcmp(path, "/") != 0 || std::strcmp(name, nfs_attribute) != 0) return -EOPNOTSUPP;
    {
        // Not every call that meets a stale file asks again: mkdir(2) looks once.
        const std::lock_guard lock(shim.mutex);
        shim.stale.clear();
    }
    return shim.faults.set(std::string_view(value, size)) ? 0 : -EINVAL;
}

int on_getxattr(const char* path, const char* name, char* room, std::size_t size) {
    if (std::strcmp(path, "/") != 0 || std::strcmp(name, nfs_attribute) != 0) return -ENODATA;
    std::string text = shim.faults.text();
    {
        const std::lock_guard lock(shim.mutex);
        text += " late.waiting=" + std::to_string(shim.doomed.size());
    }
    if (size != 0 && size < text.size()) return -ERANGE;
    if (size != 0) std::memcpy(room, text.data(), text.size());
    return static_cast<int>(text.size());
}

int on_lock(const char*, fuse_file_info*, int, struct flock*) { return -ENOLCK; }

// Asks again and again, as NFS clients do; a process that is killed has no more questions.
int on_flock(const char*, fuse_file_info* info, int operation) {
    if (!shim.faults.locks()) return -ENOLCK;
    while (::flock(descriptor_of(info), operation | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || (operation & LOCK_NB) != 0) return -errno;
        if (fuse_interrupted() != 0) return -EINTR;
        std::this_thread::sleep_for(poll_pause);
    }
    return 0;
}

fuse_operations operations() {
    fuse_operations all{};
    all.init = on_init;
    all.getattr = on_getattr;
    all.readlink = on_readlink;
    all.mkdir = on_mkdir;
    all.unlink = on_unlink;
    all.rmdir = on_rmdir;
    all.symlink = on_symlink;
    all.rename = on_rename;
    all.link = on_link;
    all.chmod = on_chmod;
    all.chown = on_chown;
    all.truncate = on_truncate;
    all.utimens = on_utimens;
    all.create = on_create;
    all.open = on_open;
    all.read = on_read;
    all.write = on_write;
    all.statfs = on_statfs;
    all.flush = on_flush;
    all.release = on_release;
    all.fsync = on_fsync;
    all.opendir = on_opendir;
    all.readdir = on_readdir;
    all.releasedir = on_releasedir;
    all.fsyncdir = on_fsyncdir;
    all.setxattr = on_setxattr;
    all.getxattr = on_getxattr;
    all.lock = on_lock;
    all.flock = on_flock;
    return all;
}

int run(int argc, char** argv) {
    if (argc < 4) {
        std::fputs("usage: nfs_shim SOURCE MOUNTPOINT CACHE_SECONDS [WORD...]\n", stderr);
        return 2;
    }
    shim.source = argv[1];
    shim.cache = std::strtod(argv[3], nullptr);
    for (int i = 4; i < argc; ++i) {
        if (shim.faults.set(argv[i])) continue;
        std::fprintf(stderr, "nfs_shim: what is %s?\n", argv[i]);
        return 2;
    }
    ::umask(0);
    const fuse_operations all = operations();
    // Who waits for a lock keeps a thread of ours: there must be more than there are such, or who
    // holds it is never served again.
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 12)
    const char* const options = "fsname=nfs_shim,max_threads=256";
#else
    const char* const options = "fsname=nfs_shim";
#endif
    std::string words[] = {"nfs_shim", "-f", "-o", options, argv[2]};
    char* pointers[] = {words[0].data(), words[1].data(), words[2].data(),
                        words[3].data(), words[4].data(), nullptr};
    return fuse_main(5, pointers, &all, nullptr);
}

}  // namespace
}  // namespace sf::test

int main(int argc, char** argv) { return sf::test::run(argc, argv); }
