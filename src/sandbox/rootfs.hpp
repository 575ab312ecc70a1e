// SPDX-License-Identifier: Apache-2.0
// The roots of this machine: one folder of archives, records and unpacked trees, a sub-folder per
// toolchain. Makes them with mmdebstrap, from signed archives only. A root is frozen by digest
// until an update is asked for: yesterday's security update must not change every identity. Knows
// nothing of recipes and does not look for archive addresses. Thread-safe; other processes may
// share the folder (locks save duplicate work, renames keep it whole).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "sandbox/root_record.hpp"
#include "sandbox/root_request.hpp"
#include "sandbox/sandbox_plan.hpp"

namespace sf::sandbox {

class RootStore {
public:
    // `folder`: <state>/roots; need not exist yet.
    RootStore(base::fs::path folder, base::Reporter& reporter)
        : x_folder(std::move(folder)), x_reporter(reporter) {}

    // What builds of a toolchain use now; nullopt if none was prepared. Unpacks the archive again
    // if only its tree is gone.
    [[nodiscard]] base::Result<std::optional<PreparedRoot>> current(std::string_view toolchain);

    // The current root if it was made from this very toolchain (suites, components, packages) and
    // no `update` is asked for; else a new one becomes current. Older ones stay until removed.
    [[nodiscard]] base::Result<PreparedRoot> prepare(const RootRequest& request, bool update);

    // Would prepare() make a new root, and why ("no root yet", "the toolchain now wants …")?
    // nullopt: it would take the current one.
    [[nodiscard]] base::Result<std::optional<std::string>> reason_to_make(
        const RootRequest& request, bool update);

    // Every root of every toolchain, by toolchain and time; nothing is unpacked. Broken records are
    // reported and left out.
    [[nodiscard]] base::Result<std::vector<PreparedRoot>> list() const;

    // All roots of a toolchain, or only those that are not current. Returns the bytes freed.
    [[nodiscard]] base::Result<std::uint64_t> remove(std::string_view toolchain,
                                                     bool keep_current = false);

private:
    base::fs::path x_folder;
    base::Reporter& x_reporter;

    [[nodiscard]] base::fs::path folder_of(std::string_view toolchain) const;
    [[nodiscard]] base::Result<std::optional<PreparedRoot>> read_current(
        std::string_view toolchain) const;
    [[nodiscard]] base::Status ensure_tree(const PreparedRoot& root) const;
    [[nodiscard]] base::Result<PreparedRoot> make(const RootRequest& request);
};

// An interactive shell in a root (BwrapRunner::run_interactive): `toolchain shell`.
[[nodiscard]] SandboxPlan shell_plan(const PreparedRoot& root, std::vector<Bind> binds = {},
                                     std::vector<std::string> argv = {"/bin/bash", "-l"});

}  // namespace sf::sandbox
