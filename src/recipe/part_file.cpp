// SPDX-License-Identifier: Apache-2.0
#include "recipe/part_file.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::recipe {

namespace {

constexpr std::uint64_t progress_step = std::uint64_t{256} << 10;

}  // namespace

base::Result<PartFile> PartFile::open(const std::filesystem::path& path, std::uint64_t size) {
    SF_TRY(base::Fd fd, base::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return base::fail_errno(errno, "look at " + path.string());
    PartFile part(std::move(fd), path);
    const auto found = static_cast<std::uint64_t>(status.st_size);
    if (size != 0 && found > size) {
        SF_CHECK(part.clear());
    } else {
        SF_CHECK(part.hash_again(found));
    }
    return part;
}

base::Status PartFile::hash_again(std::uint64_t bytes) {
    x_hash = {};
    x_size = 0;
    if (::lseek(x_fd.get(), 0, SEEK_SET) < 0)
        return base::fail_errno(errno, "read " + x_path.string());
    base::FdSource source(x_fd.get(), x_path);
    std::array<std::byte, 65536> room;
    while (x_size < bytes) {
        const std::size_t wanted = std::min<std::uint64_t>(bytes - x_size, room.size());
        SF_TRY(const std::size_t got, source.read(std::span(room).first(wanted)));
        if (got == 0) break;
        SF_CHECK(x_hash.write(std::span(room).first(got)));
        x_size += got;
    }
    return {};
}

base::Status PartFile::begin(std::uint64_t offset) {
    if (offset == x_size && offset != 0) return {};
    if (offset > x_size) {
        return base::fail(base::Code::failed, "a download that would leave a hole at {}", x_size);
    }
    if (::ftruncate(x_fd.get(), static_cast<off_t>(offset)) != 0) {
        return base::fail_errno(errno, "cut " + base::escape_untrusted(x_path.string()));
    }
    return hash_again(offset);
}

base::Status PartFile::write(base::Bytes bytes) {
    SF_CHECK(base::write_all(x_fd.get(), bytes, x_path));
    SF_CHECK(x_hash.write(bytes));
    x_size += bytes.size();
    if (x_tell && x_size >= x_told + progress_step) {
        x_told = x_size;
        x_tell(x_size);
    }
    return {};
}

base::Status PartFile::commit(const std::filesystem::path& path) {
    if (::fchmod(x_fd.get(), 0644) != 0)
        return base::fail_errno(errno, "set the mode of " + path.string());
    if (::fsync(x_fd.get()) != 0) return base::fail_errno(errno, "make durable " + path.string());
    SF_CHECK(base::make_dirs(path.parent_path()));
    SF_CHECK(base::rename(x_path, path));
    SF_CHECK(base::fsync_dir(path.parent_path()));
    if (x_tell) x_tell(x_size);
    return {};
}

base::Status PartFile::remove() { return base::remove_file(x_path); }

}  // namespace sf::recipe
