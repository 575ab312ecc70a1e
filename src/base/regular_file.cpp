// SPDX-License-Identifier: Apache-2.0
#include "base/regular_file.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <fcntl.h>

#include "base/text.hpp"

namespace sf::base {

Result<std::optional<std::string>> read_regular_file(const fs::path& path, std::uint64_t limit) {
    const std::string name = escape_untrusted(path.native());
    const Result<Fd> file = open_file(path, O_RDONLY | O_NONBLOCK);
    if (!file && file.error().code == Code::absent) return std::optional<std::string>();
    if (!file) return tl::unexpected(file.error());
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) return fail_errno(errno, "read " + name);
    if (!S_ISREG(status.st_mode)) return fail(Code::refused, "{} is not a regular file", name);
    FdSource source(file->get(), path);
    std::string content;
    std::array<std::byte, 65536> room;
    for (;;) {
        SF_TRY(const std::size_t got, source.read(room));
        if (got == 0) return std::optional(std::move(content));
        content.append(reinterpret_cast<const char*>(room.data()), got);
        if (content.size() > limit)
            return fail(Code::corrupt, "{} is larger than the {} it may have", name,
                        human_bytes(limit));
    }
}

}  // namespace sf::base
