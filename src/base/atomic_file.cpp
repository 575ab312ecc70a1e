// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_file.hpp"

#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::base {

Result<AtomicFile> AtomicFile::create(const fs::path& path, unsigned mode) {
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    for (int attempt = 0; attempt < 100; ++attempt) {
        std::uint64_t nonce = 0;
        if (::getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
            return fail_errno(errno, "get random bytes");
        const fs::path temporary = folder / fmt::format(".tmp-{:016x}", nonce);
        Fd file(::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0700U));
        if (!file.valid() && errno == EEXIST) continue;
        if (!file.valid()) return fail_errno(errno, "write " + escape_untrusted(path.native()));
        AtomicFile result(std::move(file), temporary, path);
        if (::fchmod(result.fd(), mode) != 0)
            return fail_errno(errno, "set the mode of " + escape_untrusted(path.native()));
        return result;
    }
    return fail(Code::failed, "cannot find a free temporary name in {}",
                escape_untrusted(folder.native()));
}

AtomicFile::~AtomicFile() {
    if (x_fd.valid()) ::unlink(x_temporary.c_str());
}

Status AtomicFile::write(Bytes bytes) { return write_all(x_fd.get(), bytes, x_path); }

Status AtomicFile::commit() {
    if (::fsync(x_fd.get()) != 0)
        return fail_errno(errno, "make durable " + escape_untrusted(x_path.native()));
    SF_CHECK(commit_unsynced());
    return fsync_dir(x_path.has_parent_path() ? x_path.parent_path() : fs::path("."));
}

Status AtomicFile::commit_unsynced() {
    if (const int error = rename_errno(x_temporary, x_path); error != 0)
        return fail_errno(error, "put in place " + escape_untrusted(x_path.native()));
    x_fd.reset();
    return {};
}

}  // namespace sf::base
