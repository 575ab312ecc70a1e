// SPDX-License-Identifier: Apache-2.0
#include "reliability/small_disk.hpp"

#include <fmt/format.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/process.hpp"
#include "support/private_mounts.hpp"

namespace sf::test {

namespace fs = std::filesystem;

namespace {

// ext4's own shutdown, without its journal being written (linux/fs/ext4/ext4.h).
constexpr unsigned long shut_down = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t without_journal = 2;

void must(const std::vector<std::string>& words) {
    base::Command command;
    command.argv = words;
    const auto finished = base::run(command);
    if (!finished) throw std::runtime_error(finished.error().text());
    if (!finished->exit.ok())
        throw std::runtime_error(words[0] + ": " + finished->exit.text() + ": " + finished->err);
}

void must_call(int result, const char* what) {
    if (result != 0) throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

std::optional<std::string> look() {
    if (::geteuid() != 0) return "mounting a small file system needs root";
    if (!make_mounts_private()) return "private mounts need root";
    if (!base::find_program("mkfs.ext4")) return "mkfs.ext4 is not installed";
    const base::TempDir room = base::TempDir::create("/tmp", "sfr-").value();
    fs::create_directory(room.path() / "disk");
    try {
        SmallDisk disk(room.path() / "disk");
        disk.make_ext4(16);
        disk.mount();
    } catch (const std::runtime_error&) {
        return "this machine does not let root mount an ext4 in a file";
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> no_small_disks() {
    static const std::optional<std::string> why = look();
    return why;
}

void SmallDisk::make_ext4(unsigned mebibytes) {
    unmount();
    fs::create_directories(x_at);
    fs::remove(image());
    {
        const base::Fd fd = base::open_file(image(), O_WRONLY | O_CREAT).value();
        must_call(::ftruncate(fd.get(), static_cast<off_t>(mebibytes) << 20), "ftruncate");
    }
    must({"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=1",
          image().native()});
}

void SmallDisk::mount_tmpfs(const std::string& options) {
    unmount();
    fs::create_directories(x_at);
    must_call(::mount("small", x_at.c_str(), "tmpfs", MS_NOSUID, (options + ",mode=755").c_str()),
              "mount a tmpfs");
    x_mounted = true;
}

void SmallDisk::grow(const std::string& options) {
    must_call(::mount("small", x_at.c_str(), "tmpfs", MS_REMOUNT | MS_NOSUID,
                      (options + ",mode=755").c_str()),
              "mount a tmpfs again");
}

void SmallDisk::keep(const std::string& name) {
    unmount();
    must({"cp", "--sparse=always", image().native(), x_at.native() + '.' + name});
}

void SmallDisk::take(const std::string& name) {
    unmount();
    must({"cp", "--sparse=always", x_at.native() + '.' + name, image().native()});
}

void SmallDisk::mount() {
    must({"mount", "-t", "ext4", "-o", "loop,noauto_da_alloc,commit=1", image().native(),
          x_at.native()});
    x_mounted = true;
}

void SmallDisk::unmount() {
    if (!x_mounted) return;
    // A process that is being killed may be on it still.
    for (int i = 0; i < 200 && ::umount(x_at.c_str()) != 0; ++i) {
        if (errno == EINVAL) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    x_mounted = false;
}

void SmallDisk::cut() {
    const base::Fd fd = base::open_file(x_at, O_RDONLY | O_DIRECTORY).value();
    std::uint32_t flags = without_journal;
    must_call(::ioctl(fd.get(), shut_down, &flags), "shut the file system down");
}

}  // namespace sf::test
