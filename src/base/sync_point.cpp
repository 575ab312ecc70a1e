// SPDX-License-Identifier: Apache-2.0
#include "base/sync_point.hpp"

#include <sys/utsname.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <sstream>
#include <string>
#include <unistd.h>

#include "base/text.hpp"

namespace sf::base {

namespace {

// From here on syncfs(2) tells of writes that failed (5.8), and of what the file system itself
// could not do (5.17).
constexpr unsigned first_major = 5, first_minor = 17;
// ext2, ext3, ext4; XFS. What others do with syncfs, layers and networks among them, is not known.
constexpr std::array<std::uint32_t, 2> known{0xEF53, 0x58465342};

bool kernel_tells() {
    struct utsname names {};
    if (::uname(&names) != 0) return false;
    std::istringstream release(names.release);
    unsigned major = 0, minor = 0;
    char dot = 0;
    if (!(release >> major >> dot >> minor) || dot != '.') return false;
    return major > first_major || (major == first_major && minor >= first_minor);
}

bool file_system_tells(int folder) {
    struct statfs status {};
    if (::fstatfs(folder, &status) != 0) return false;
    const auto type = static_cast<std::uint32_t>(status.f_type);
    return std::ranges::find(known, type) != known.end();
}

// KiB that wait to be written on the whole machine; nullopt: not known.
std::optional<std::uint64_t> waiting_kib() {
    const auto text = read_file("/proc/meminfo");
    if (!text) return {};
    std::uint64_t sum = 0;
    int lines = 0;
    std::istringstream lines_of(*text);
    for (std::string line; std::getline(lines_of, line);) {
        std::istringstream of_line(line);
        std::string name;
        std::uint64_t kib = 0;
        if (!(of_line >> name >> kib) || (name != "Dirty:" && name != "Writeback:")) continue;
        sum += kib;
        ++lines;
    }
    if (lines != 2) return {};
    return sum;
}

}  // namespace

Result<SyncPoint> SyncPoint::open(const fs::path& folder, std::uint64_t most) {
    SF_TRY(Fd opened, open_file(folder, O_RDONLY | O_DIRECTORY));
    return SyncPoint(std::move(opened), most);
}

Status SyncPoint::sync(const fs::path& tree) const {
    const bool at_once = kernel_tells() && file_system_tells(x_folder.get()) &&
                         waiting_kib().value_or(x_most) < x_most;
    if (!at_once) return fsync_tree(tree);
    if (::syncfs(x_folder.get()) == 0) return {};
    return fail_errno(errno, "make durable " + escape_untrusted(tree.native()));
}

}  // namespace sf::base
