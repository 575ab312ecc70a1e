// SPDX-License-Identifier: Apache-2.0
// Running programs. The only place that forks. No shell is ever involved: argv goes to execve as it
// is. Children get their own process group (or session), an explicit environment and only the
// descriptors named. Child objects belong to one thread; any number may live at once.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace sf::base {

using Environment = std::map<std::string, std::string>;

// This process's own environment, as a value.
[[nodiscard]] Environment current_environment();

struct RootBind {  // see PrivateMounts
    std::filesystem::path source;
    std::string name;  // becomes <at>/<name>
};

// Before dropping its uid, a root child makes a mount namespace of its own with a tmpfs over `at`
// and binds `binds` below it: so an unprivileged uid reaches folders below, say, /root, and nobody
// outside sees a mount.
struct PrivateMounts {
    std::filesystem::path at;
    std::vector<RootBind> binds;
};

struct Identity {
    uid_t uid;
    gid_t gid;
};

struct Limits {
    std::optional<std::uint64_t> processes;     // RLIMIT_NPROC, of the child's real uid
    std::optional<std::uint64_t> file_bytes;    // RLIMIT_FSIZE
    std::optional<std::uint64_t> memory_bytes;  // RLIMIT_AS, each process
    std::optional<std::uint64_t> open_files;    // RLIMIT_NOFILE
    bool no_core = true;                        // RLIMIT_CORE 0
};

struct PassedFd {
    int parent;  // our descriptor (borrowed)
    int child;   // its number in the child, >= 3
};

struct Command {
    std::vector<std::string> argv;  // argv[0]: absolute, or looked up in our PATH
    Environment environment = current_environment();
    std::filesystem::path directory;  // empty: ours
    int stdin_fd = -1;                // -1: /dev/null
    int stdout_fd = -1;               // -1: captured by run(), inherited by spawn()
    int stderr_fd = -1;
    std::vector<PassedFd> pass;           // every other descriptor is closed (close_range)
    bool new_session = false;             // setsid instead of setpgid
    bool foreground = false;              // stay in our process group: interactive shells
    bool outlives_us = false;             // not killed when we end: daemons; see Child::leave()
    std::optional<PrivateMounts> mounts;  // needs root
    std::optional<Identity> identity;     // setgroups, setresgid, setresuid; needs root
    Limits limits;
    std::optional<std::chrono::milliseconds> deadline;  // run() only
    bool though_stopped = false;  // run() only: a stop does not end it: what clears up after one
};

struct Exit {
    int code = 0;    // exit status, or 128 + signal
    int signal = 0;  // the signal that ended it, or 0
    [[nodiscard]] bool ok() const { return code == 0; }
    [[nodiscard]] std::string text() const;  // "exit status 2", "killed by signal 9 (Killed)"
};

struct ResourceUse {
    double user_seconds = 0;
    double system_seconds = 0;
    std::uint64_t max_rss_bytes = 0;
};

class Child {
public:
    [[nodiscard]] static Result<Child> spawn(const Command& command);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();  // kills the group and reaps: no orphans

    [[nodiscard]] pid_t pid() const { return x_pid; }
    // nullopt: still running after `patience`.
    [[nodiscard]] Result<std::optional<Exit>> wait_for(std::chrono::milliseconds patience);
    [[nodiscard]] Result<Exit> wait();
    void kill_group(int signal) const;
    void kill_alone(int signal) const;  // without the rest of its group
    // Lets it run on without us; nobody waits for it but init.
    pid_t leave() { return std::exchange(x_pid, -1); }
    [[nodiscard]] const ResourceUse& resources() const { return x_resources; }  // after the exit

private:
    explicit Child(pid_t pid, bool own_group) : x_pid(pid), x_own_group(own_group) {}
    pid_t x_pid = -1;
    bool x_own_group = true;
    std::optional<Exit> x_exit;
    ResourceUse x_resources;
};

struct Finished {
    Exit exit;
    std::string out;  // at most 16 MiB each; more is dropped
    std::string err;
    bool timed_out = false;
    ResourceUse resources;
};

// Runs to the end, capturing what stdout_fd/stderr_fd leave open. `input` is written to stdin.
// Fails only if the program could not be started, a stop was requested, or the pipes to it failed;
// look at exit for the rest. A program that does not read all of `input` is none of that.
[[nodiscard]] Result<Finished> run(const Command& command, std::string_view input = {});

// The absolute path of a program, looked up in our PATH plus the usual sbin folders.
[[nodiscard]] std::optional<std::filesystem::path> find_program(std::string_view name);

}  // namespace sf::base
