// SPDX-License-Identifier: Apache-2.0
// The database of slurmdbd in a MariaDB server on this machine: made over the server's socket as
// root, if it is absent. SQL goes through standard input and passwords through a private file: both
// would be seen by every user in a command line. One thread.
#pragma once

#include <string>

#include "base/result.hpp"
#include "deploy/engine.hpp"
#include "deploy/plan.hpp"

namespace sf::deploy {

// The value of StoragePass in slurmdbd.conf; empty if there is none.
[[nodiscard]] std::string password_in(std::string_view slurmdbd_conf);

// The password to write into a slurmdbd.conf that is made now: the administrator's file's first
// line, or a generated one.
[[nodiscard]] base::Result<std::string> new_password(const PlannedDatabase& database, Host& host);

// This and the next run a server for the time it takes, if none listens; it is ended by asking it,
// never by force. Code::refused if the user is there with another password.
[[nodiscard]] base::Status make_database(const PlannedDatabase& database, Context& context);

// The whole database as SQL, in one consistent state, into `file`, durable on return. By `dump`
// (mariadb-dump), as slurmdbd's own user, wherever its configuration says the database is; may take
// hours.
[[nodiscard]] base::Status dump_database(const PlannedDatabase& database, const std::string& dump,
                                         const std::string& file, Context& context);
// Whether that user may read it, as far as a server answers.
[[nodiscard]] base::Status can_dump(const PlannedDatabase& database, const std::string& dump,
                                    Context& context);

// The statements, for tests: names and passwords have passed the rules of names.hpp.
[[nodiscard]] std::string creation_sql(const std::string& user, const std::string& password);
[[nodiscard]] std::string grant_sql(const std::string& user);  // for a user who is there

}  // namespace sf::deploy
