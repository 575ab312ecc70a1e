// SPDX-License-Identifier: Apache-2.0
// The child's side of a spawn. Everything that allocates happens in the constructor, in the parent;
// become() runs between fork and exec in a copy of a threaded process, so it makes system calls
// only. Private to base/process.cpp.
#pragma once

#include <sys/resource.h>

#include <string>
#include <vector>

#include "base/process.hpp"

namespace sf::base {

enum class ChildStage : int { group, mounts, limits, identity, descriptors, directory, execute };

struct ChildFailure {  // sent through the report pipe
    int error = 0;
    ChildStage stage = ChildStage::execute;
    [[nodiscard]] std::string stage_text() const;
};

class ChildPlan {
public:
    ChildPlan(const Command& command, std::string program, int report_fd);
    [[noreturn]] void become() const;

private:
    struct Limit {
        int resource;
        rlimit value;
    };
    struct Place {
        std::string source;
        std::string target;
        bool folder;
    };
    [[noreturn]] void give_up(ChildStage stage, int error, int report) const;
    [[nodiscard]] int make_mounts() const;  // 0 or errno
    [[nodiscard]] int place_descriptors(int& report) const;

    const Command& x_command;
    std::string x_program;
    int x_report;
    pid_t x_parent;
    std::vector<std::string> x_environment;
    std::vector<char*> x_argv;
    std::vector<char*> x_envp;
    std::vector<Limit> x_limits;
    std::vector<Place> x_places;
    std::vector<PassedFd> x_descriptors;  // 0, 1, 2 and the passed ones
    int x_highest = 2;                    // highest child number
    long x_open_max;
};

}  // namespace sf::base
