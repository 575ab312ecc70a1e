// SPDX-License-Identifier: Apache-2.0
// A toolchain's root, made if there is none: finds the archives' addresses and tells the person
// what is going on. `toolchain prepare` and every build come through here.
#pragma once

#include <string>
#include <vector>

#include "cli/session.hpp"
#include "sandbox/root_record.hpp"

namespace sf::cli {

struct RootOptions {
    bool update = false;                        // a new root even if there is one
    std::vector<std::string> mirrors;           // addresses to try first
    std::vector<std::string> security_mirrors;  // the same for security updates
};

// Adds --mirror and --security-mirror.
void add_mirror_options(CLI::App& command, RootOptions& options);

[[nodiscard]] base::Result<sandbox::PreparedRoot> prepare_root(Session& session,
                                                               const model::Toolchain& toolchain,
                                                               const RootOptions& options = {});

// Can this version make roots of the toolchain at all? Code::refused with those it can.
[[nodiscard]] base::Status check_root_supported(const recipe::Catalog& catalog,
                                                const model::Toolchain& toolchain);

// The toolchain of that name, or Code::usage with the names there are.
[[nodiscard]] base::Result<model::Toolchain> find_toolchain(const recipe::Catalog& catalog,
                                                            const std::string& name);

}  // namespace sf::cli
