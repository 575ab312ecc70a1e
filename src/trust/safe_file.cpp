// SPDX-License-Identifier: Apache-2.0
#include "trust/safe_file.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

base::Status check_safe(const struct stat& status, const fs::path& path) {
    const std::string name = base::escape_untrusted(path.string());
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return base::fail(base::Code::refused, "{} belongs to user {}: trust is not read from it",
                          name, status.st_uid);
    }
    if ((status.st_mode & 022U) != 0) {
        return base::fail_hint(base::Code::refused,
                               name + " can be written by others: trust is not read from it",
                               "chmod go-w " + base::shell_quote(name));
    }
    return {};
}

}  // namespace

base::Result<bool> check_safe_folder(const fs::path& folder) {
    struct stat status {};
    if (::lstat(folder.c_str(), &status) != 0) {
        if (errno == ENOENT) return false;
        return base::fail_errno(errno, "read " + base::escape_untrusted(folder.string()));
    }
    if (!S_ISDIR(status.st_mode)) {
        return base::fail(base::Code::refused, "{} is not a folder",
                          base::escape_untrusted(folder.string()));
    }
    SF_CHECK(check_safe(status, folder));
    return true;
}

base::Result<std::optional<std::string>> read_safe(const fs::path& path, std::uint64_t limit) {
    auto fd = base::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) {
        if (fd.error().code == base::Code::absent) return std::nullopt;
        return tl::unexpected(std::move(fd).error());
    }
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) return base::fail_errno(errno, "read " + path.string());
    if (!S_ISREG(status.st_mode)) {
        return base::fail(base::Code::refused, "{} is not a file",
                          base::escape_untrusted(path.string()));
    }
    SF_CHECK(check_safe(status, path));
    std::string content;
    std::vector<std::byte> room(std::size_t{64} << 10);
    base::FdSource source(fd->get(), path);
    for (;;) {
        SF_TRY(const std::size_t got, source.read(room));
        if (got == 0) return content;
        content.append(reinterpret_cast<const char*>(room.data()), got);
        if (content.size() > limit) {
            return base::fail(base::Code::corrupt, "{} is too large",
                              base::escape_untrusted(path.string()));
        }
    }
}

}  // namespace sf::trust
