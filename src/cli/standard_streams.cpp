// SPDX-License-Identifier: Apache-2.0
#include "cli/standard_streams.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace sf::cli {

void open_standard_streams() {
    for (const int wanted : {0, 1, 2}) {
        if (::fcntl(wanted, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is the one wanted. No O_CLOEXEC: children want all three too.
        const int got = ::open("/dev/null", wanted == 0 ? O_WRONLY : O_RDONLY);
        if (got >= 0 && got != wanted) ::close(got);
    }
}

int write_text(std::FILE* stream, std::string_view text) {
    std::clearerr(stream);
    errno = 0;
    if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0)
        return 0;
    return errno != 0 ? errno : EIO;
}

}  // namespace sf::cli
