// SPDX-License-Identifier: Apache-2.0
// What bwrap tells about itself on its status pipe: the pid of the sandbox's first process, and the
// command's exit code. Holds on to that process so that its end, which is the end of every process
// of the sandbox, can be waited for. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/fd.hpp"
#include "base/process.hpp"
#include "base/result.hpp"

namespace sf::sandbox {

class BwrapStatus {
public:
    // Our end, and the one to pass as --json-status-fd.
    [[nodiscard]] static base::Result<std::pair<BwrapStatus, base::Fd>> create();

    void read();  // takes what has arrived; does not wait

    // Absent until the command has ended, and for ever if it was never started.
    [[nodiscard]] std::optional<int> exit_code() const { return x_exit_code; }

    // Waits until the child's pid is known or bwrap has ended.
    void wait_for_child(base::Child& bwrap, std::chrono::milliseconds patience);
    void kill_child() const;
    // Pid 1 of a pid namespace ends only after every process in it.
    [[nodiscard]] base::Status wait_until_gone(std::chrono::milliseconds patience);

private:
    explicit BwrapStatus(base::Fd pipe) : x_pipe(std::move(pipe)) {}
    void take(std::string_view line);
    [[nodiscard]] bool is_ours() const;  // x_child lives and is in the namespace bwrap named
    [[nodiscard]] bool child_gone(int milliseconds) const;

    base::Fd x_pipe;
    std::string x_text;
    pid_t x_child = -1;
    std::string x_namespace;  // as /proc/PID/ns/pid shows it
    base::Fd x_child_fd;      // a pidfd; invalid on kernels before 5.3
    std::optional<int> x_exit_code;
};

}  // namespace sf::sandbox
