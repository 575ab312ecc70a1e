// SPDX-License-Identifier: Apache-2.0
// What making one distribution's root takes, as data, and the mmdebstrap command that follows from
// it: it can be printed, tested and dry-run. Knows no archive's address and no network: the caller
// has found the addresses at run time. Plain values and pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "model/toolchain.hpp"

namespace sf::sandbox {

struct RootRequest {
    model::Toolchain toolchain;
    std::string architecture = "amd64";
    // Base addresses of the distribution's archive, in the order to try ("http://…/debian").
    std::vector<std::string> mirrors;
    // The same for suites that end in -security; empty: they are in `mirrors` (Ubuntu).
    std::vector<std::string> security_mirrors;
    base::fs::path keyring;  // empty: toolchain.keyring.file
};

// Constant, so that the same packages give the same root whenever it is made.
inline constexpr std::int64_t root_epoch = 1577836800;  // 2020-01-01

// "deb [signed-by=…] ADDRESS SUITE COMPONENTS", one a suite, from the addresses at `mirror` and
// `security_mirror`.
[[nodiscard]] std::vector<std::string> source_lines(const RootRequest& request,
                                                    const std::string& mirror,
                                                    const std::string& security_mirror);

// The command that writes the root as a plain tar to its standard output. Signatures are always
// checked against the keyring. `as_root`: mode root, else mode unshare (needs subordinate uids).
// `temporary`: where mmdebstrap unpacks meanwhile.
[[nodiscard]] base::Result<base::Command> mmdebstrap_command(const RootRequest& request,
                                                             const std::string& mirror,
                                                             const std::string& security_mirror,
                                                             bool as_root,
                                                             const base::fs::path& temporary);

// The same as text that can be pasted into a shell.
[[nodiscard]] std::string to_text(const base::Command& command);

// Is what the command needs here? One error that names what is missing and the command that
// installs it: mmdebstrap, apt, the keyring; for an ordinary user newuidmap and subordinate uids.
[[nodiscard]] base::Status check_root_tools(const RootRequest& request, bool as_root);

}  // namespace sf::sandbox
