// SPDX-License-Identifier: Apache-2.0
// The verbs, one function each: it adds the subcommand to the command line, and makes it leave its
// action in the session when it is the one that was given. One file per verb in commands/.
#pragma once

#include "cli/session.hpp"

namespace sf::cli {

void add_build_slurm(CLI::App& app, Session& session);
void add_plan(CLI::App& app, Session& session);
void add_toolchain(CLI::App& app, Session& session);
void add_versions(CLI::App& app, Session& session);
void add_key(CLI::App& app, Session& session);
// Verbs of key, in a file of their own.
void add_key_distrust(CLI::App& group, Session& session);
void add_key_revoke(CLI::App& group, Session& session);
void add_key_revocations(CLI::App& group, Session& session);
void add_cache(CLI::App& app, Session& session);
void add_bundle(CLI::App& app, Session& session);
void add_bundle_create(CLI::App& group, Session& session);
void add_recipe(CLI::App& app, Session& session);
void add_doctor(CLI::App& app, Session& session);
void add_clean(CLI::App& app, Session& session);
void add_install(CLI::App& app, Session& session);
void add_list(CLI::App& app, Session& session);
void add_rollback(CLI::App& app, Session& session);
void add_spack_env(CLI::App& app, Session& session);
void add_spack_repo(CLI::App& app, Session& session);
void add_uninstall(CLI::App& app, Session& session);
void add_verify(CLI::App& app, Session& session);
void add_fsck(CLI::App& app, Session& session);
void add_gc(CLI::App& app, Session& session);
void add_lease(CLI::App& app, Session& session);

}  // namespace sf::cli
