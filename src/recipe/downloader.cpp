// SPDX-License-Identifier: Apache-2.0
#include "recipe/downloader.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"

namespace sf::recipe {

namespace {

using base::Code;
using base::fail;

struct OpenFile {
    base::Fd fd;
    std::string path;
    std::uint64_t size = 0;
};

base::Result<OpenFile> open_source(const net::Request& request) {
    OpenFile file;
    SF_TRY(file.path, request.url.file_path());
    SF_TRY(file.fd, base::open_file(file.path, O_RDONLY | O_NONBLOCK));
    struct stat status {};
    if (::fstat(file.fd.get(), &status) != 0)
        return base::fail_errno(errno, "look at " + file.path);
    if (!S_ISREG(status.st_mode)) return fail(Code::absent, "not a regular file");
    file.size = static_cast<std::uint64_t>(status.st_size);
    if (request.length && *request.length != file.size) {
        return fail(Code::corrupt, "{} bytes, but {} belong there", file.size, *request.length);
    }
    if (file.size > request.max_length) {
        return fail(Code::corrupt, "{} bytes: more than the {} allowed", file.size,
                    request.max_length);
    }
    return file;
}

base::Status copy_from(const net::Request& request, net::Receiver& to) {
    SF_TRY(const OpenFile file, open_source(request));
    const std::uint64_t offset = std::min(request.offset, file.size);
    if (::lseek(file.fd.get(), static_cast<off_t>(offset), SEEK_SET) < 0) {
        return base::fail_errno(errno, "read " + base::escape_untrusted(file.path));
    }
    SF_CHECK(to.begin(offset));
    base::FdSource from(file.fd.get(), file.path);
    std::uint64_t left = file.size - offset;  // a file that grows meanwhile is read no further
    std::array<std::byte, 65536> room;
    while (left > 0) {
        SF_CHECK(base::check_stop());
        const std::size_t wanted = std::min<std::uint64_t>(left, room.size());
        SF_TRY(const std::size_t got, from.read(std::span(room).first(wanted)));
        if (got == 0) return fail(Code::corrupt, "cut short while it was read");
        SF_CHECK(to.write(std::span(room).first(got)));
        left -= got;
    }
    return {};
}

}  // namespace

base::Status NetDownloader::download(const net::Request& request, net::Receiver& to) {
    if (request.url.is_file()) return copy_from(request, to);
    SF_CHECK(x_client.get(request, to));
    return {};
}

base::Status NetDownloader::probe(const net::Request& request) {
    if (request.url.is_file()) {
        SF_CHECK(open_source(request));
        return {};
    }
    SF_CHECK(x_client.head(request));
    return {};
}

}  // namespace sf::recipe
