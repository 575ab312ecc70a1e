// SPDX-License-Identifier: Apache-2.0
#include "cache/object_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::cache {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;

namespace {

// NFS renames an open file that is deleted to ".nfs...", ext4 has "lost+found" in its root.
bool is_reserved(std::string_view name) {
    return name.starts_with(unfinished_prefix) || name == lock_name || name.starts_with(".nfs") ||
           name == "lost+found";
}

int no_link(int flags) { return flags | O_NOFOLLOW | O_CLOEXEC; }

// Why openat of `name` in `folder` did not do: a symlink is refused; what is not there, or below a
// file, is absent.
tl::unexpected<base::Error> not_opened(int folder, const std::string& name, int error,
                                       const std::string& shown) {
    if (error == ELOOP || error == ENOTDIR) {
        struct stat status {};
        if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(status.st_mode)) {
            return fail(Code::refused, "{}: '{}' is a symlink, and in a cache none is followed",
                        shown, base::escape_untrusted(name));
        }
        error = ENOENT;
    }
    return fail_place(error, "open " + shown);
}

Status make_root(const fs::path& path) {
    if (::mkdir(path.c_str(), 0755) != 0) {
        if (errno == EEXIST) return {};
        if (errno != ENOENT || !path.has_parent_path() || path.parent_path() == path)
            return fail_place(errno, "make folder " + base::escape_untrusted(path.native()));
        SF_CHECK(make_root(path.parent_path()));
        if (::mkdir(path.c_str(), 0755) != 0) {
            if (errno == EEXIST) return {};
            return fail_place(errno, "make folder " + base::escape_untrusted(path.native()));
        }
    }
    if (::chmod(path.c_str(), 0755) != 0)
        return fail_place(errno, "set the mode of " + base::escape_untrusted(path.native()));
    return base::fsync_dir(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

}  // namespace

KeyParts parts_of(std::string_view key) {
    const std::size_t slash = key.rfind('/');
    if (slash == std::string_view::npos) return {"", std::string(key)};
    return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1))};
}

ObjectInfo info_of(std::string key, const struct stat& status) {
    return {std::move(key), static_cast<std::uint64_t>(status.st_size),
            fmt::format("{:x}-{:x}-{:x}.{:x}", status.st_ino, status.st_size, status.st_mtim.tv_sec,
                        status.st_mtim.tv_nsec),
            status.st_mtim.tv_sec};
}

tl::unexpected<base::Error> fail_place(int error, std::string_view what) {
    auto failure = base::fail_errno(error, what);
    switch (error) {
        case EACCES:
        case EPERM:
        case EROFS: failure.value().code = Code::refused; break;
        case EIO:
        case ESTALE:
        case ETIMEDOUT:
        case EREMOTEIO:
        case ENOTCONN:
        case EHOSTDOWN:
        case EHOSTUNREACH: failure.value().code = Code::unreachable; break;
        default: break;
    }
    return failure;
}

Status ObjectFolder::check(std::string_view key) {
    SF_CHECK(check_key(key));
    for (const std::string& part : base::split(key, '/')) {
        if (is_reserved(part)) {
            return fail(Code::refused, "'{}' is no name of an object: '{}' is kept for other files",
                        base::escape_untrusted(key), base::escape_untrusted(part));
        }
    }
    return {};
}

std::string ObjectFolder::shown(std::string_view key) const {
    return base::escape_untrusted(key.empty() ? x_root.native() : (x_root / key).native());
}

Result<Fd> ObjectFolder::open_root(int flags) const {
    Fd root(::open(x_root.c_str(), flags | O_DIRECTORY | O_CLOEXEC));
    if (root.valid()) return root;
    if (errno == ENOTDIR) return fail(Code::usage, "{} is not a folder", shown(""));
    return fail_place(errno, "open the cache " + shown(""));
}

Result<Fd> ObjectFolder::open_folder(std::string_view folder, int flags) const {
    if (folder.empty()) return open_root(flags);
    SF_TRY(Fd at, open_root(O_PATH));
    const std::vector<std::string> parts = base::split(folder, '/');
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const int how = i + 1 == parts.size() ? flags : O_PATH;
        Fd next(::openat(at.get(), parts[i].c_str(), no_link(how | O_DIRECTORY)));
        if (!next.valid()) return not_opened(at.get(), parts[i], errno, shown(folder));
        at = std::move(next);
    }
    return at;
}

Result<Fd> ObjectFolder::make_folder(std::string_view folder) const {
    Result<Fd> at = open_root(O_RDONLY);
    if (!at && at.error().code == Code::absent) {
        SF_CHECK(make_root(x_root));
        at = open_root(O_RDONLY);
    }
    if (!at || folder.empty()) return at;
    for (const std::string& part : base::split(folder, '/')) {
        const auto open_next = [&] {
            return Fd(::openat(at->get(), part.c_str(), no_link(O_RDONLY | O_DIRECTORY)));
        };
        Fd next = open_next();
        if (!next.valid() && errno == ENOENT) {
            const bool made = ::mkdirat(at->get(), part.c_str(), 0755) == 0;
            if (!made && errno != EEXIST) return fail_place(errno, "make folder " + shown(folder));
            next = open_next();
            if (next.valid() && made &&
                (::fchmod(next.get(), 0755) != 0 || ::fsync(at->get()) != 0))
                return fail_place(errno, "make folder " + shown(folder));
        }
        if (!next.valid() && errno == ENOTDIR) {
            return fail(Code::refused, "{}: '{}' is in the way: it is not a folder", shown(folder),
                        base::escape_untrusted(part));
        }
        if (!next.valid()) return not_opened(at->get(), part, errno, shown(folder));
        at = std::move(next);
    }
    return at;
}

Result<OpenObject> ObjectFolder::open(const std::string& key) const {
    SF_CHECK(check(key));
    const KeyParts parts = parts_of(key);
    // ESTALE: what NFS remembers of a name that was replaced on another machine.
    constexpr int attempts = 3;
    for (int attempt = 1;; ++attempt) {
        SF_TRY(const Fd folder, open_folder(parts.folder, O_PATH));
        Fd file(::openat(folder.get(), parts.name.c_str(), no_link(O_RDONLY | O_NONBLOCK)));
        struct stat status {};
        if (file.valid() && ::fstat(file.get(), &status) == 0) {
            if (S_ISREG(status.st_mode)) return OpenObject{std::move(file), info_of(key, status)};
            return fail(Code::refused, "{} is not a regular file", shown(key));
        }
        if (errno == ESTALE && attempt < attempts) continue;
        if (errno == ENXIO)  // a socket
            return fail(Code::refused, "{} is not a regular file", shown(key));
        return not_opened(folder.get(), parts.name, errno, shown(key));
    }
}

Result<std::vector<ObjectFolder::Entry>> ObjectFolder::entries(const std::string& folder) const {
    Result<Fd> opened = open_folder(folder, O_RDONLY);
    if (!opened && opened.error().code == Code::absent) return std::vector<Entry>();
    if (!opened) return tl::unexpected(opened.error());
    const auto close = [](DIR* open) { ::closedir(open); };
    const std::unique_ptr<DIR, decltype(close)> names(::fdopendir(opened->get()), close);
    if (!names) return fail_place(errno, "list " + shown(folder));
    const int descriptor = opened->release();  // closed with `names`
    const std::string below = folder.empty() ? folder : folder + '/';
    std::vector<Entry> list;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(names.get());
        if (entry == nullptr && errno != 0) return fail_place(errno, "list " + shown(folder));
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        std::string key = below + name;
        if (name == "." || name == ".." || !check(key)) continue;
        struct stat status {};
        if (::fstatat(descriptor, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT || errno == ESTALE) continue;
            return fail_place(errno, "look at " + shown(key));
        }
        if (S_ISREG(status.st_mode)) list.push_back({name, info_of(std::move(key), status)});
        if (S_ISDIR(status.st_mode)) list.push_back({name + '/', {}});
    }
    std::ranges::sort(list, {}, &Entry::name);
    return list;
}

}  // namespace sf::cache
