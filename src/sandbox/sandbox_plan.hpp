// SPDX-License-Identifier: Apache-2.0
// One command in one distribution's root, as data: it can be printed, tested and dry-run. Knows
// nothing of packages, nor of what runs it: bubblewrap or Docker. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"

namespace sf::sandbox {

// "builder" in the roots we make.
inline constexpr unsigned sandbox_user = 1000;

struct Bind {
    std::filesystem::path source;  // on this machine
    std::string target;            // absolute, in the sandbox
    bool writable = false;
};

struct SandboxLimits {
    std::chrono::seconds time{7200};
    std::uint64_t memory_bytes = std::uint64_t{16} << 30;  // address space of each process
    std::uint64_t processes = 4096;
    std::uint64_t file_bytes = std::uint64_t{4} << 30;   // one file
    std::uint64_t disk_bytes = std::uint64_t{20} << 30;  // all writable binds together
    std::uint64_t tmp_bytes = std::uint64_t{2} << 30;    // the tmpfs on /tmp
};

struct SandboxPlan {
    std::filesystem::path root;  // unpacked root: only usr, etc, var/lib/dpkg are seen, read-only
    std::vector<Bind> binds;     // nothing else of this machine is seen
    base::Environment environment;  // complete: nothing is inherited
    std::string directory = "/";    // working directory
    std::vector<std::string> argv;  // absolute program in the sandbox
    std::string hostname = "builder";
    std::vector<base::PassedFd> pass;  // the jobserver's two ends, if any
    bool new_session = true;           // false only for people at a terminal
    SandboxLimits limits;
};

// The top folders of a root besides usr and etc: symlinks where /usr is merged, else real folders.
struct RootLayout {
    std::map<std::string, std::string> links{
        {"bin", "usr/bin"}, {"lib", "usr/lib"}, {"lib64", "usr/lib64"}, {"sbin", "usr/sbin"}};
    std::set<std::string> folders;  // bound read-only: "bin" of a root that is not merged
    bool dpkg_database = true;      // var/lib/dpkg is there: dpkg's own tools work
};
[[nodiscard]] base::Result<RootLayout> read_layout(const std::filesystem::path& root);

// A plan no engine can be asked to run: relative paths, "..", NUL bytes, names that are no names.
[[nodiscard]] base::Status check_plan(const SandboxPlan& plan);

// The bwrap options that a plan means, without the descriptors only a runner knows, then "--" and
// the plan's argv. Pure. `sources` maps each of root and binds (in this order) to the path bwrap
// will see (they differ when root first moves them into a private mount namespace).
[[nodiscard]] std::vector<std::string> bwrap_arguments(
    const SandboxPlan& plan, const std::vector<std::filesystem::path>& sources,
    const RootLayout& layout = {});
// The part of them before "--".
[[nodiscard]] std::vector<std::string> bwrap_options(
    const SandboxPlan& plan, const std::vector<std::filesystem::path>& sources,
    const RootLayout& layout);

// For --explain and logs: one item a line.
[[nodiscard]] std::string to_text(const SandboxPlan& plan);

}  // namespace sf::sandbox
