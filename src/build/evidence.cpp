// SPDX-License-Identifier: Apache-2.0
#include "build/evidence.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <set>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::build {

using base::Result;
using base::Status;
namespace fs = std::filesystem;

namespace {

// What configure, CMake and Meson write about the questions they asked.
constexpr std::array<const char*, 6> telling = {"config.log",     "CMakeConfigureLog.yaml",
                                                "CMakeError.log", "CMakeOutput.log",
                                                "config.status",  "meson-log.txt"};

bool tells(const fs::path& name) {
    return std::any_of(telling.begin(), telling.end(),
                       [&](const char* each) { return name == each; });
}

Status copy_plain_file(const fs::path& from, const fs::path& to, std::uint64_t limit) {
    // O_NONBLOCK: a FIFO of that name must not make us wait for a writer.
    SF_TRY(const base::Fd in, base::open_file(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    struct stat info {};
    if (::fstat(in.get(), &info) != 0) return base::fail_errno(errno, "look at " + from.string());
    if (!S_ISREG(info.st_mode)) return {};
    SF_TRY(const base::Fd out, base::open_file(to, O_WRONLY | O_CREAT | O_EXCL));
    return base::copy_bytes(in.get(), from, out.get(), to, limit);
}

}  // namespace

Result<std::size_t> gather_evidence(const fs::path& build_folder, const fs::path& logs,
                                    const EvidenceLimits& limits) {
    if (!base::is_dir(build_folder)) return std::size_t{0};
    std::set<fs::path> found;
    std::error_code error;
    // Folders that cannot be read hide nothing we could show; links to folders are not entered.
    fs::recursive_directory_iterator it(build_folder, fs::directory_options::skip_permission_denied,
                                        error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error))
        if (tells(it->path().filename()) && found.size() < limits.files &&
            fs::is_regular_file(it->symlink_status()))
            found.insert(it->path());
    if (error) return base::fail_errno(error.value(), "walk " + build_folder.string());

    std::size_t copied = 0;
    const fs::path to = logs / "found";
    if (!found.empty()) SF_CHECK(base::make_dirs(to));
    for (const fs::path& file : found) {
        const std::string name =
            base::replace_all(file.lexically_relative(build_folder).string(), "/", "_");
        // Names come from upstream: one that is no name of an archive would spoil the debug bundle.
        if (name.size() > 200 || base::escape_untrusted(name) != name) continue;
        SF_CHECK(copy_plain_file(file, to / name, limits.file_bytes));
        ++copied;
    }
    return copied;
}

}  // namespace sf::build
