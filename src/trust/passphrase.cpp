// SPDX-License-Identifier: Apache-2.0
#include "trust/passphrase.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/stream.hpp"
#include "base/text.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest = 255;  // of gpg-agent

// A line in memory that is wiped when it goes.
class SecretLine {
public:
    SecretLine() = default;
    SecretLine(const SecretLine&) = delete;
    SecretLine& operator=(const SecretLine&) = delete;
    ~SecretLine() { ::explicit_bzero(x_room.data(), x_room.size()); }

    [[nodiscard]] std::string_view text() const { return {x_room.data(), x_size}; }

    // Byte by byte: what follows the line is not ours.
    base::Status read(int descriptor, const std::string& name) {
        for (;;) {
            char byte = 0;
            const ssize_t got = ::read(descriptor, &byte, 1);
            if (got < 0 && errno == EINTR) {
                SF_CHECK(base::check_stop());
                continue;
            }
            if (got < 0) return base::fail_errno(errno, "read the passphrase from " + name);
            if (got == 0 || byte == '\n') return {};
            if (x_size == x_room.size()) {
                return base::fail(base::Code::usage, "the passphrase in {} is longer than {} bytes",
                                  name, longest);
            }
            x_room[x_size++] = byte;
        }
    }

private:
    std::array<char, longest> x_room{};
    std::size_t x_size = 0;
};

base::Status check(std::string_view line, const std::string& name) {
    if (base::trim(line).empty()) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("the passphrase in {} is empty: the key would be unprotected", name),
            "write a passphrase into its first line; or say --no-passphrase, if whoever can read "
            "the key may sign with it");
    }
    if (line.find('\0') != std::string_view::npos) {
        return base::fail_hint(
            base::Code::usage,
            fmt::format("the passphrase in {} has a NUL byte: GnuPG would use only what is before "
                        "it",
                        name),
            "use printable text, for instance of: openssl rand -base64 32");
    }
    return {};
}

base::Result<base::Fd> in_memory(std::string_view line) {
    base::Fd memory(::memfd_create("passphrase", MFD_CLOEXEC));
    if (!memory.valid()) return base::fail_errno(errno, "make a file in memory");
    SF_CHECK(base::write_all(memory.get(), base::as_bytes(line), "memory"));
    if (::lseek(memory.get(), 0, SEEK_SET) != 0) return base::fail_errno(errno, "rewind a file");
    return memory;
}

}  // namespace

base::Result<base::Fd> open_passphrase_file(const fs::path& path) {
    const std::string name = base::escape_untrusted(path.string());
    SF_TRY(base::Fd fd, base::during(base::open_file(path, O_RDONLY | O_NOFOLLOW),
                                     "reading the passphrase file"));
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return base::fail_errno(errno, "read " + name);
    if (!S_ISREG(status.st_mode)) {
        return base::fail_hint(base::Code::refused,
                               fmt::format("the passphrase file {} is not a regular file", name),
                               "--passphrase-fd N for a pipe");
    }
    if (status.st_uid != ::geteuid() && status.st_uid != 0) {
        return base::fail_hint(base::Code::refused,
                               fmt::format("the passphrase file {} belongs to another user", name),
                               "copy it to a file of your own with mode 0600");
    }
    if ((status.st_mode & 077U) != 0) {
        return base::fail_hint(base::Code::refused,
                               fmt::format("the passphrase file {} can be read by others", name),
                               "chmod 600 " + base::shell_quote(name));
    }
    return fd;
}

base::Result<base::Fd> hold_passphrase(const Passphrase& passphrase) {
    SecretLine line;
    SF_CHECK(line.read(passphrase.descriptor, fmt::format("descriptor {}", passphrase.descriptor)));
    return in_memory(line.text());
}

base::Result<base::Fd> passphrase_for_new_key(const Passphrase& passphrase) {
    base::Fd opened;
    int descriptor = passphrase.descriptor;
    std::string name = fmt::format("descriptor {}", descriptor);
    if (passphrase.from == Passphrase::From::file) {
        SF_TRY(opened, open_passphrase_file(passphrase.file));
        descriptor = opened.get();
        name = base::escape_untrusted(passphrase.file.string());
    }
    SecretLine line;
    SF_CHECK(line.read(descriptor, name));
    SF_CHECK(check(line.text(), name));
    return in_memory(line.text());
}

}  // namespace sf::trust
