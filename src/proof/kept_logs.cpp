// SPDX-License-Identifier: Apache-2.0
#include "proof/kept_logs.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::proof {

using base::Result;
namespace fs = std::filesystem;

namespace {

struct Close {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_log(std::string_view name) {
    return name.size() > 4 && name.size() < 100 && name.ends_with(".log") && name[0] != '.' &&
           base::escape_untrusted(name) == name;
}

}  // namespace

Result<std::size_t> keep_logs(const fs::path& state, const std::string& folder, const fs::path& to,
                              const KeptLimits& limits) {
    SF_CHECK(base::make_dirs(to));
    SF_TRY(const base::Fd above, base::open_file(state, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const int opened =
        ::openat(above.get(), folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened < 0) return std::size_t{0};  // it did not come that far
    const std::unique_ptr<DIR, Close> all(::fdopendir(opened));
    if (!all) {
        ::close(opened);
        return base::fail_errno(errno, "read " + state.string());
    }
    std::size_t copied = 0;
    while (const dirent* entry = ::readdir(all.get())) {
        if (copied == limits.files) break;
        // What lies there is ours: the report of the rehearsal itself.
        if (!is_log(entry->d_name) || base::exists(to / entry->d_name)) continue;
        // O_NONBLOCK: a FIFO of that name must not make us wait for a writer.
        const base::Fd file(::openat(::dirfd(all.get()), entry->d_name,
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        struct stat info {};
        if (!file.valid() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
        // What it said last is the reason more often than not.
        const auto most = static_cast<off_t>(limits.file_bytes);
        if (info.st_size > most && ::lseek(file.get(), -most, SEEK_END) < 0)
            return base::fail_errno(errno, "read a log");
        const fs::path kept = to / entry->d_name;
        SF_TRY(const base::Fd out,
               base::open_file(kept, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW));
        SF_CHECK(base::copy_bytes(file.get(), state / folder / entry->d_name, out.get(), kept,
                                  limits.file_bytes));
        ++copied;
    }
    return copied;
}

std::string last_lines(const fs::path& file, std::size_t count) {
    const auto text = base::read_file_if_exists(file);
    if (!text || !*text) return {};
    std::vector<std::string> lines = base::split(std::string(base::trim(**text)), '\n');
    if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<long>(count));
    for (std::string& line : lines) line = "    " + base::escape_untrusted(line.substr(0, 400));
    return base::join(lines, "\n");
}

}  // namespace sf::proof
