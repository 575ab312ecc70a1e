// SPDX-License-Identifier: Apache-2.0
// The machine as the installer sees it: every effect passes through here, so that tests can record
// them (tests/support/recording_host.hpp) and no other file of this room makes a system call.
// Paths are absolute. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"

namespace sf::deploy {

namespace fs = std::filesystem;

struct Ids {
    uid_t uid = 0;
    gid_t gid = 0;
    bool operator==(const Ids&) const = default;
};

struct PathInfo {
    enum class Type { absent, file, folder, symlink, other };
    Type type = Type::absent;
    unsigned mode = 0;
    Ids owner;
};

class Host {
public:
    Host() = default;
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;
    virtual ~Host() = default;

    // The path itself, not what a symlink points to. What is not there is an answer.
    virtual base::Result<PathInfo> look(const fs::path& path) = 0;
    // A whole file, never through a last symlink; Code::absent if there is none.
    virtual base::Result<std::string> read(const fs::path& path) = 0;
    virtual base::Result<std::vector<std::string>> list(const fs::path& folder) = 0;
    virtual base::Result<std::string> read_link(const fs::path& path) = 0;

    // All below: modes are exact, whatever the umask; owners are set before content; nothing is
    // written through a symlink that anybody but root could have put there; durable on return.
    virtual base::Status make_folder(const fs::path& path, unsigned mode, Ids owner) = 0;
    virtual base::Status write_file(const fs::path& path, std::string_view content, unsigned mode,
                                    Ids owner) = 0;  // replaces, in one step
    // Appears whole, or not at all; Code::refused if anything is there, a symlink included.
    virtual base::Status write_new(const fs::path& path, std::string_view content, unsigned mode,
                                   Ids owner) = 0;
    // Of a file or folder, alone; Code::refused for a file that has a second name.
    virtual base::Status set_mode(const fs::path& path, unsigned mode, Ids owner) = 0;
    virtual base::Status switch_link(const fs::path& link, const fs::path& target) = 0;
    virtual base::Status remove(const fs::path& path) = 0;  // a file, link or empty folder

    virtual base::Result<std::string> random(std::size_t size) = 0;  // bytes for secrets
    virtual base::Result<base::Finished> run(const base::Command& command,
                                             std::string_view input = {}) = 0;
    virtual std::string host_name() = 0;  // as the kernel has it, up to the first dot
    virtual std::vector<std::string> interface_addresses() = 0;  // no loopback, no link-local
    virtual bool is_root() = 0;
    virtual bool lzcnt_works() = 0;  // the instruction, whatever the processor says of it
    virtual bool on_file_system(const fs::path& path, std::uint64_t magic) = 0;  // of statfs(2)
    // Where it lies, or would: mounted so that no program there can be run.
    virtual bool mounted_noexec(const fs::path& path) = 0;
    virtual bool alive(pid_t pid) = 0;
    virtual base::Status signal(pid_t pid, int number) = 0;
    virtual std::chrono::steady_clock::time_point now() = 0;
    virtual void sleep(std::chrono::milliseconds time) = 0;
};

}  // namespace sf::deploy
