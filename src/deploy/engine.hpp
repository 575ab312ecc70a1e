// SPDX-License-Identifier: Apache-2.0
// Carries out the part of a plan that lies on disk: users, folders, secrets, files and the link to
// the version, each only if it is not so already; counts what it changed. Whatever an administrator
// made or changed is left alone, and said. Starts nothing (services.hpp). One thread.
#pragma once

#include <string>

#include "base/log.hpp"
#include "base/result.hpp"
#include "deploy/accounts.hpp"
#include "deploy/host.hpp"
#include "deploy/plan.hpp"
#include "deploy/record.hpp"

namespace sf::deploy {

struct Context {
    Host& host;
    base::Reporter& reporter;
    Record& record;
    Accounts& accounts;
    int changes = 0;

    // Told and counted.
    void changed(const std::string& what);
    [[nodiscard]] base::Status save() const;  // the record
    [[nodiscard]] base::Result<Ids> ids_of(const Owner& owner) const;
};

// The record as it is on this machine; empty if there is none.
[[nodiscard]] base::Result<Record> load_record(Host& host);

// `password`: what stands for @db_password@ in files that are made now.
[[nodiscard]] base::Status set_up(const Plan& plan, Context& context,
                                  const std::string& db_password);

// 32 characters of a-z and 2-7 from 20 random bytes.
[[nodiscard]] base::Result<std::string> make_password(Host& host);

}  // namespace sf::deploy
