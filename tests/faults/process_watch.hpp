// SPDX-License-Identifier: Apache-2.0
// Runs one program under ptrace, with all that it starts, and notes whom they call: sockets of
// other families than AF_UNIX, and where they connect to. It can let them all see another time:
// then the kernel is asked for it each time, and answers as much later or earlier. What the kernel
// dates by itself, files, keeps the true time. x86-64 Linux from 5.3 on. One thread, and no other
// children of it meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace sf::test {

struct Watch {
    std::vector<std::string> command;
    std::vector<std::string> environment;  // "HOME=/x"; all of it
    std::filesystem::path output;          // a file for what it says
    std::int64_t later = 0;                // seconds
    std::uint64_t after = 0;               // how many times they are told the true time first
    bool without_network = false;          // in a network of its own with nothing in it; needs root
};

struct Watched {
    bool hung = false;  // and was killed for it
    int exit = -1;      // -1: it was killed
    std::string said;
    std::uint64_t processes = 0;    // threads are not counted
    std::uint64_t clocks = 0;       // times that somebody asked for the time, if it is another one
    std::set<std::string> calls;    // "socket 2", "connect /run/x", "io_uring"
    std::set<std::string> folders;  // that they made, or tried to, by the names they used; "?"
                                    // for one that could not be read
};

[[nodiscard]] Watched watch(const Watch& what);

}  // namespace sf::test
