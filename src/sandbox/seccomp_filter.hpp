// SPDX-License-Identifier: Apache-2.0
// The system calls a build has no business making, as a seccomp program for bwrap. A list of what
// is denied, not of what is allowed: builds of a thousand programs use nearly everything, and the
// namespaces are the wall; this is the second one, against kernel surface that builds never touch.
// Pure but for the memory file it returns; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace sf::sandbox {

struct ArgumentTest {
    unsigned index;  // 0..5
    enum class Kind { equal, not_equal, greater, masked_equal } kind;
    std::uint64_t value;       // masked_equal: the mask
    std::uint64_t masked = 0;  // masked_equal: what is left under the mask
};

struct DeniedCall {
    std::string name;
    int error;                        // errno the caller sees
    std::vector<ArgumentTest> tests;  // all must hold; none: always denied
    int number = -1;                  // for calls that libseccomp may not know by name yet
};

// The whole list, as data. `setgid_folders`: the build folder has the set-group-id bit, as shared
// folders often do, so what is made in it inherits the bit and chmod may name it again.
[[nodiscard]] std::vector<DeniedCall> denied_calls(bool setgid_folders = false);

// The compiled program in a memory file, at offset 0.
[[nodiscard]] base::Result<base::Fd> seccomp_program(bool setgid_folders = false);

}  // namespace sf::sandbox
