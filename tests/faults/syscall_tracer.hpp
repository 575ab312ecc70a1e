// SPDX-License-Identifier: Apache-2.0
// Runs one program under ptrace and ends it, or lets a call of it fail, at a chosen system call.
// Counted are the calls of all its threads, from when it names itself "faults" (PR_SET_NAME) until
// it takes another name, but of waiting for a process only the first of a row (how many they are is
// up to the machine's speed); processes that it starts are left alone. x86-64 Linux from 5.3 on.
// One thread, and no other children of it meanwhile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sf::test {

inline constexpr const char* counted_name = "faults";
inline constexpr const char* not_counted_name = "done";

struct Fault {
    enum class Kind {
        none,
        kill,  // before the call is made
        fail   // it is not made, and returns -error; close is made, and returns it all the same
    };
    Kind kind = Kind::none;
    std::uint64_t at =
        0;  // the how manyeth, from 1; `fail` counts only calls that change or read files
    int error = 0;
};

struct Traced {
    bool hung = false;        // and was killed for it
    bool hit = false;         // the fault took place
    int exit = -1;            // -1: it was killed
    std::uint64_t calls = 0;  // all that were counted
    std::uint64_t file_calls = 0;
    std::string call;  // "openat /tmp/x": the one that the fault met
    std::string said;  // what it wrote
};

// Which processes of the machine the program sees.
enum class Sight {
    all,
    // Itself and one other, in a namespace of processes; all where we may not make one. It is the
    // first of them: what it starts ends with it.
    few
};

[[nodiscard]] Traced trace(const std::vector<std::string>& command, const Fault& fault,
                           const std::filesystem::path& output, Sight sight = Sight::all);
// The same program by itself, which is quicker: no calls are counted.
[[nodiscard]] Traced run_untraced(const std::vector<std::string>& command,
                                  const std::filesystem::path& output, Sight sight = Sight::all);

}  // namespace sf::test
