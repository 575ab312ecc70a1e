// SPDX-License-Identifier: Apache-2.0
#include "reliability/nfs_mount.hpp"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "reliability/nfs_faults.hpp"
#include "support/private_mounts.hpp"

namespace sf::test {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

constexpr auto pause = milliseconds(5);

std::optional<std::string> look() {
    if (::geteuid() != 0) return "mounting an NFS shim needs root";
    if (::access("/dev/fuse", R_OK | W_OK) != 0) return "this machine has no FUSE";
    if (!make_mounts_private()) return "private mounts need root";
    const base::TempDir room = base::TempDir::create("/tmp", "sfr-").value();
    try {
        fs::create_directory(room.path() / "source");
        const NfsMount mount(room.path() / "source", room.path() / "mount", 0);
    } catch (const std::runtime_error&) {
        return "this machine does not let root mount by FUSE";
    }
    return std::nullopt;
}

bool is_fuse(const fs::path& path) {
    constexpr auto fuse = 0x65735546;
    struct statfs status {};
    return ::statfs(path.c_str(), &status) == 0 && status.f_type == fuse;
}

bool has_silly(const fs::path& folder) {
    // What vanishes meanwhile is no matter.
    std::error_code error;
    for (fs::recursive_directory_iterator it(folder, error), end; it != end; it.increment(error)) {
        if (it->path().filename().native().starts_with(".fuse_hidden")) return true;
        if (error) return true;
    }
    return false;
}

}  // namespace

std::optional<std::string> no_nfs_shim() {
    static const std::optional<std::string> why = look();
    return why;
}

NfsMount::NfsMount(const fs::path& source, fs::path at, double cache, const std::string& words)
    : x_source(source), x_at(std::move(at)) {
    fs::create_directories(x_source);
    fs::create_directories(x_at);
    base::Command command;
    command.argv = {SF_NFS_SHIM, x_source.native(), x_at.native(), fmt::format("{}", cache)};
    // Some releases of libfuse complain of their own defaults.
    const base::Fd silence = base::open_file("/dev/null", O_WRONLY).value();
    command.stderr_fd = silence.get();
    if (!words.empty()) command.argv.push_back(words);
    auto child = base::Child::spawn(command);
    if (!child) throw std::runtime_error(child.error().text());
    x_shim.emplace(std::move(*child));
    const auto end = steady_clock::now() + seconds(30);
    while (!is_fuse(x_at)) {
        if (x_shim->wait_for(pause).value() || steady_clock::now() > end)
            throw std::runtime_error("nfs_shim did not mount");
    }
}

NfsMount::~NfsMount() {
    answer();
    ::umount2(x_at.c_str(), MNT_DETACH);
    if (!x_shim->wait_for(seconds(5)).value()) {
        x_shim->kill_alone(SIGTERM);
        static_cast<void>(x_shim->wait_for(seconds(5)).value());  // killed by ~Child, if need be
    }
}

void NfsMount::set(const std::string& words) const {
    if (::setxattr(x_at.c_str(), nfs_attribute, words.data(), words.size(), 0) != 0)
        throw std::runtime_error(fmt::format("nfs_shim: {}: {}", words, std::strerror(errno)));
}

std::string NfsMount::counts() const {
    std::array<char, 4096> room{};
    const ssize_t got = ::getxattr(x_at.c_str(), nfs_attribute, room.data(), room.size());
    if (got < 0) throw std::runtime_error(fmt::format("nfs_shim: {}", std::strerror(errno)));
    return {room.data(), static_cast<std::size_t>(got)};
}

std::uint64_t NfsMount::count(const std::string& name) const {
    for (const std::string& word : base::split(counts(), ' '))
        if (word.starts_with(name + '=')) return std::stoull(word.substr(name.size() + 1));
    return 0;
}

void NfsMount::hang() const { x_shim->kill_alone(SIGSTOP); }
void NfsMount::answer() const { x_shim->kill_alone(SIGCONT); }

void NfsMount::settle() const {
    const auto end = steady_clock::now() + seconds(10);
    while (has_silly(x_source) && steady_clock::now() < end) std::this_thread::sleep_for(pause);
}

}  // namespace sf::test
