// SPDX-License-Identifier: Apache-2.0
#include "cache/new_object.hpp"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "cache/object_folder.hpp"

namespace sf::cache {

using base::Code;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr std::int64_t unfinished_kept_for = 86'400;  // seconds

Result<std::uint64_t> nonce() {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != sizeof value)
        return base::fail_errno(errno, "get random bytes");
    return value;
}

// The file behind it, for a message; it may have no name.
std::string shown_source(int descriptor) {
    const auto name = base::read_link("/proc/self/fd/" + std::to_string(descriptor));
    if (!name || !*name) return "what is to be written";
    return base::escape_untrusted((*name)->native());
}

// From offset 0 whatever the descriptor's own, which stays: other threads may read it too.
Result<std::size_t> read_at(int descriptor, std::vector<std::byte>& room, std::uint64_t offset) {
    for (;;) {
        const ssize_t got =
            ::pread(descriptor, room.data(), room.size(), static_cast<off_t>(offset));
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno != EINTR) {
            const int error = errno;  // looking for the name changes it
            return base::fail_errno(error, "read " + shown_source(descriptor));
        }
    }
}

}  // namespace

Result<NewObject> NewObject::create(int folder, std::string shown) {
    constexpr int attempts = 100;
    for (int attempt = 0; attempt < attempts; ++attempt) {
        SF_TRY(const std::uint64_t random, nonce());
        std::string name = fmt::format("{}{:016x}", unfinished_prefix, random);
        Fd file(::openat(folder, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                         0600));
        if (file.valid())
            return NewObject(folder, std::move(file), std::move(name), std::move(shown));
        if (errno != EEXIST) return fail_place(errno, "write " + shown);
    }
    return fail(Code::failed, "cannot find a free name beside {}", shown);
}

NewObject::NewObject(NewObject&& other) noexcept
    : x_folder(other.x_folder),
      x_file(std::move(other.x_file)),
      x_temporary(std::exchange(other.x_temporary, {})),
      x_shown(std::move(other.x_shown)) {}

NewObject::~NewObject() {
    // What stays all the same is swept a day later.
    if (!x_temporary.empty()) ::unlinkat(x_folder, x_temporary.c_str(), 0);
}

Result<std::int64_t> NewObject::now() const {
    struct stat status {};
    if (::fstat(x_file.get(), &status) != 0) return fail_place(errno, "write " + x_shown);
    return status.st_mtim.tv_sec;
}

Status NewObject::fill(const PutRequest& request) {
    struct stat source {};
    if (::fstat(request.descriptor, &source) != 0) {
        const int error = errno;
        return base::fail_errno(error, fmt::format("read {}, to be written to {}",
                                                   shown_source(request.descriptor), x_shown));
    }
    if (!S_ISREG(source.st_mode))
        return fail(Code::usage, "what is to be written to {} is not a regular file", x_shown);
    std::vector<std::byte> room(std::size_t{256} << 10);
    base::Sha256 hash;
    std::uint64_t size = 0;
    for (;;) {
        SF_CHECK(base::check_stop());
        SF_TRY(const std::size_t got, read_at(request.descriptor, room, size));
        if (got == 0) break;
        size += got;
        if (size > request.size) break;  // never more than was announced
        const base::Bytes bytes(room.data(), got);
        SF_CHECK(hash.write(bytes));
        SF_CHECK(base::write_all(x_file.get(), bytes, x_shown));
    }
    if (size != request.size || hash.finish() != request.sha256) {
        return fail(Code::corrupt, "the bytes for {} are not those announced ({} bytes, sha256 {})",
                    x_shown, request.size, request.sha256.hex());
    }
    if (::fchmod(x_file.get(), 0644) != 0) return fail_place(errno, "write " + x_shown);
    SF_TRY(const std::int64_t written, now());
    return set_time(written);
}

Status NewObject::set_time(std::int64_t seconds) const {
    SF_TRY(const std::uint64_t random, nonce());
    const timespec time{seconds, static_cast<long>(random % 1'000'000'000)};  // see info_of()
    const timespec times[2] = {time, time};
    if (::futimens(x_file.get(), times) != 0 || ::fsync(x_file.get()) != 0)
        return fail_place(errno, "write " + x_shown);
    return {};
}

bool NewObject::has_the_name(const std::string& name) const {
    struct stat ours {};
    struct stat there {};
    return ::fstat(x_file.get(), &ours) == 0 &&
           ::fstatat(x_folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

Status NewObject::sync_folder() const {
    if (::fsync(x_folder) == 0) return {};
    return fail_place(errno, "make durable " + x_shown);
}

Result<bool> NewObject::link_as(const std::string& name) {
    if (::linkat(x_folder, x_temporary.c_str(), x_folder, name.c_str(), 0) != 0) {
        const int error = errno;
        if (!has_the_name(name)) {
            if (error == EEXIST) return false;
            if (error == ENOENT) {
                return fail(Code::failed,
                            "{} vanished on its way into the cache: does another machine's clock "
                            "stand wrong?",
                            x_shown);
            }
            if (error == EPERM || error == EOPNOTSUPP || error == ENOSYS) {
                return fail(Code::refused,
                            "cannot write {}: the file system of this cache knows no hard links",
                            x_shown);
            }
            return fail_place(error, "put in place " + x_shown);
        }
    }
    // The name of its own goes before the folder is synced: a power cut leaves no litter then.
    ::unlinkat(x_folder, x_temporary.c_str(), 0);
    x_temporary.clear();
    SF_CHECK(sync_folder());
    return true;
}

Status NewObject::rename_to(const std::string& name) {
    SF_TRY(const std::int64_t ours, now());
    struct stat old {};
    if (::fstatat(x_folder, name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(old.st_mode) &&
        old.st_mtim.tv_sec >= ours)
        SF_CHECK(set_time(old.st_mtim.tv_sec + 1));
    if (::renameat(x_folder, x_temporary.c_str(), x_folder, name.c_str()) != 0) {
        const int error = errno;
        if (!has_the_name(name)) {
            if (error == ENOENT) {
                return fail(Code::failed,
                            "{} vanished on its way into the cache: does another machine's clock "
                            "stand wrong?",
                            x_shown);
            }
            if (error == EISDIR) return fail(Code::refused, "{} is a folder", x_shown);
            return fail_place(error, "put in place " + x_shown);
        }
    }
    x_temporary.clear();
    return sync_folder();
}

void sweep_unfinished(int folder, std::int64_t now) {
    const int own = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return;
    DIR* names = ::fdopendir(own);
    if (names == nullptr) {
        ::close(own);
        return;
    }
    while (const dirent* entry = ::readdir(names)) {
        struct stat status {};
        if (std::string_view(entry->d_name).starts_with(unfinished_prefix) &&
            ::fstatat(own, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            status.st_mtim.tv_sec < now - unfinished_kept_for)
            ::unlinkat(own, entry->d_name, 0);
    }
    ::closedir(names);
}

}  // namespace sf::cache
