// SPDX-License-Identifier: Apache-2.0
#include "tree/prefix.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <deque>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::tree {

namespace fs = std::filesystem;
using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr int max_links = 40;

bool ours(uid_t owner) { return owner == 0 || owner == ::geteuid(); }

// A group of one: user private groups have the user's number, and root's group is root.
bool private_group(gid_t group) {
    return group == 0 || (group == ::getegid() && group == ::geteuid());
}

bool others_write(const struct stat& status) {
    return (status.st_mode & S_IWOTH) != 0 ||
           ((status.st_mode & S_IWGRP) != 0 && !private_group(status.st_gid));
}

Status check_folder(const fs::path& path, const struct stat& status, bool last) {
    const std::string name = base::escape_untrusted(path.native());
    if (!ours(status.st_uid)) {
        return fail(Code::refused,
                    "{} belongs to user {}, who could put something else in place of what is "
                    "installed below it",
                    name, status.st_uid);
    }
    if (last && status.st_uid != ::geteuid()) {
        return fail(Code::refused, "{} belongs to user {}: install as that user", name,
                    status.st_uid);
    }
    if (!others_write(status)) return {};
    if (last || (status.st_mode & S_ISVTX) == 0) {
        return base::fail_hint(
            Code::refused,
            name + " can be written by others, who could change what is installed there",
            "chmod go-w " + base::shell_quote(name) + ", or choose another folder");
    }
    return {};
}

}  // namespace

Result<fs::path> check_prefix(const fs::path& prefix) {
    if (prefix.empty()) return fail(Code::usage, "no folder to install to is given");
    std::error_code error;
    fs::path absolute = fs::absolute(prefix, error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    // ".." is resolved as the kernel does it: after symlinks.
    std::deque<std::string> rest;
    for (const fs::path& part : absolute.relative_path()) rest.push_back(part.native());
    fs::path at = "/";
    int links = 0;
    bool missing = false;
    while (!rest.empty()) {
        const std::string part = rest.front();
        rest.pop_front();
        if (part.empty() || part == ".") continue;
        if (part.size() > NAME_MAX) {
            return fail(Code::usage, "a folder's name in {} is longer than {} bytes",
                        base::escape_untrusted(prefix.native()), NAME_MAX);
        }
        if (part == "..") {
            at = at.parent_path();
            missing = false;  // or what is behind it would not be looked at
            continue;
        }
        const fs::path next = at / part;
        struct stat status {};
        if (missing || ::lstat(next.c_str(), &status) != 0) {
            if (!missing && errno != ENOENT) {
                return base::fail_errno(errno, "look at " + base::escape_untrusted(next.native()));
            }
            missing = true;
            at = next;
            continue;
        }
        if (S_ISLNK(status.st_mode)) {
            if (!ours(status.st_uid)) {
                return fail(Code::refused, "the symlink {} belongs to user {}",
                            base::escape_untrusted(next.native()), status.st_uid);
            }
            if (++links > max_links) {
                return fail(Code::usage, "too many symlinks in {}",
                            base::escape_untrusted(prefix.native()));
            }
            const fs::path target = fs::read_symlink(next, error);
            if (error) {
                return base::fail_errno(error.value(),
                                        "read " + base::escape_untrusted(next.native()));
            }
            std::deque<std::string> parts;
            for (const fs::path& step : target.relative_path()) parts.push_back(step.native());
            if (target.is_absolute()) at = "/";
            rest.insert(rest.begin(), parts.begin(), parts.end());
            continue;
        }
        if (!S_ISDIR(status.st_mode)) {
            return fail(Code::usage, "{} is not a folder", base::escape_untrusted(next.native()));
        }
        bool last = true;
        for (const std::string& further : rest) last = last && (further.empty() || further == ".");
        SF_CHECK(check_folder(next, status, last));
        at = next;
    }
    return at;
}

Status make_prefix(const fs::path& checked) {
    constexpr int folder = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    SF_TRY(base::Fd at, base::open_file("/", O_PATH | folder));
    fs::path so_far = "/";
    for (const fs::path& part : checked.relative_path()) {
        so_far /= part;
        const std::string name = base::escape_untrusted(so_far.native());
        base::Fd next(::openat(at.get(), part.c_str(), O_PATH | folder));
        if (!next.valid() && errno == ENOENT) {
            const bool made = ::mkdirat(at.get(), part.c_str(), 0755) == 0;
            if (!made && errno != EEXIST) return base::fail_errno(errno, "make folder " + name);
            next = base::Fd(::openat(at.get(), part.c_str(), O_RDONLY | folder));
            // Whatever the umask; also if the answer was lost (base/files.cpp), so that it is said
            // to have been there.
            const bool set = next.valid() && ::fchmod(next.get(), 0755) == 0;
            if (made && next.valid() && !set)
                return base::fail_errno(errno, "set the mode of " + name);
        }
        if (!next.valid() && (errno == ENOTDIR || errno == ELOOP))
            return fail(Code::refused, "{} is in the way: it is not a folder", name);
        if (!next.valid()) return base::fail_errno(errno, "open folder " + name);
        at = std::move(next);
    }
    return {};
}

Status check_path_length(const fs::path& prefix, std::string_view longest_below) {
    const std::size_t length = prefix.native().size() + 1 + longest_below.size();
    if (length < PATH_MAX) return {};
    return fail(Code::usage,
                "the folder to install to is too deep: its name has {} bytes, with the longest "
                "name below it {}; {} is the most",
                prefix.native().size(), length, PATH_MAX - 1);
}

}  // namespace sf::tree
