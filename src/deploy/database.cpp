// SPDX-License-Identifier: Apache-2.0
#include "deploy/database.hpp"

#include <algorithm>
#include <fcntl.h>
#include <signal.h>

#include "base/files.hpp"
#include "base/stop.hpp"
#include "base/text.hpp"
#include "deploy/conf_file.hpp"
#include "deploy/facts.hpp"
#include "deploy/listening.hpp"
#include "deploy/names.hpp"
#include "deploy/remote_database.hpp"
#include "deploy/tool.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

// As systemd's unit of MariaDB: a server that mends its tables after a power cut, or writes them
// out before it ends, is not stuck.
constexpr std::chrono::seconds server_patience{900};
constexpr std::chrono::milliseconds server_pause{100};
constexpr const char* create_database = "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\n";
constexpr const char* grant = "GRANT ALL ON slurm_acct_db.* TO '{}'@'localhost';\n";

base::Environment environment() {
    return {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}, {"HOME", "/root"}};
}

// For the client of the database alone; who calls removes it.
Result<std::string> password_file(const std::string& password, Host& host) {
    SF_TRY(const std::string nonce, make_password(host));
    std::string options = "/run/slurm-setup-" + nonce.substr(0, 16) + ".cnf";
    SF_CHECK(host.write_new(options, "[client]\npassword=\"" + password + "\"\n", 0600, {}));
    return options;
}

class Client {
public:
    Client(const PlannedDatabase& database, Host& host) : x_database(database), x_host(host) {}

    Result<base::Finished> as_root(std::string_view sql) const {
        return run({x_database.client, "--protocol=socket", "--socket=" + x_database.socket,
                    "--user=root", "--batch", "--skip-column-names"},
                   sql);
    }

    // As slurmdbd's user, with its password, from a private file.
    Result<bool> user_can(const std::string& sql, const std::string& password) const {
        SF_TRY(const std::string options, password_file(password, x_host));
        const auto done = run({x_database.client, "--defaults-file=" + options, "--protocol=socket",
                               "--socket=" + x_database.socket, "--user=" + x_database.user,
                               "--batch", "--execute=" + sql},
                              {});
        SF_CHECK(x_host.remove(options));
        if (!done) return tl::unexpected(done.error());
        return done->exit.ok();
    }
    // Whether slurmdbd will come in.
    Result<bool> login_works(const std::string& password) const {
        return user_can("USE slurm_acct_db", password);
    }

private:
    Result<base::Finished> run(std::vector<std::string> argv, std::string_view input) const {
        base::Command command;
        command.argv = std::move(argv);
        command.environment = environment();
        command.deadline = std::chrono::seconds(60);
        return x_host.run(command, input);
    }
    const PlannedDatabase& x_database;
    Host& x_host;
};

// A server of our own, for the time it takes.
Result<base::Child> start_server(const PlannedDatabase& database) {
    base::Command command;
    command.argv = {database.server, "--user=mysql", "--skip-networking",
                    "--socket=" + database.socket};
    command.environment = environment();
    SF_TRY(const base::Fd log,
           base::open_file(database.log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
    command.stdout_fd = log.get();
    command.stderr_fd = log.get();
    return base::Child::spawn(command);
}

Status wait_for_server(base::Child& server, const PlannedDatabase& database, Host& host) {
    for (auto waited = server_pause * 0; waited < server_patience; waited += server_pause) {
        SF_CHECK(base::check_stop());
        SF_TRY(const Listeners listeners, find_listeners(host));
        if (listeners.sockets.contains(database.socket)) return {};
        SF_TRY(const auto exit, server.wait_for(server_pause));
        if (exit) {
            return base::fail_hint(
                Code::failed, fmt::format("{} ended by itself: {}", database.server, exit->text()),
                "see what it said: " + database.log);
        }
    }
    return base::fail_hint(Code::exhausted,
                           fmt::format("{} did not listen on {} within {} s", database.server,
                                       database.socket, server_patience.count()),
                           "see what it said: " + database.log);
}

// Never by force, whatever happened before: it writes out what it holds.
Status end_server(base::Child& server) {
    server.kill_group(SIGTERM);
    SF_TRY(const auto exit, server.wait_for(server_patience));
    if (exit) return {};
    return base::fail_hint(
        Code::failed,
        fmt::format("MariaDB, process {}, does not end, and is left alone", server.leave()),
        "wait until it has ended; then run this again");
}

Status make_with(const Client& client, const PlannedDatabase& database, Context& context,
                 const std::string& password) {
    SF_TRY(const bool works, client.login_works(password));
    if (works) return {};
    SF_TRY(const base::Finished known,
           client.as_root(fmt::format("SELECT COUNT(*) FROM mysql.user WHERE User = '{}' AND Host "
                                      "= 'localhost';\n",
                                      database.user)));
    if (!known.exit.ok()) {
        return base::fail_hint(
            Code::failed,
            fmt::format("MariaDB does not let root in over {}: {}", database.socket,
                        base::escape_untrusted(base::trim(known.err))),
            fmt::format("make database slurm_acct_db and user {}@localhost yourself and say "
                        "--db-password-file FILE; or put root's password into /root/.my.cnf",
                        database.user));
    }
    if (base::trim(known.out) != "0") {
        // It is ours if it has our password: made a moment before we were interrupted.
        SF_TRY(const bool same_password, client.user_can("SELECT 1", password));
        if (same_password) {
            SF_TRY(const base::Finished granted, client.as_root(grant_sql(database.user)));
            SF_TRY(const bool now, client.login_works(password));
            if (granted.exit.ok() && now) {
                context.changed(
                    fmt::format("database slurm_acct_db, for user {}@localhost", database.user));
                return {};
            }
        }
        return base::fail_hint(
            Code::refused,
            fmt::format("the database user {}@localhost exists, and the password in {} does not "
                        "open slurm_acct_db",
                        database.user, slurmdbd_conf_path),
            fmt::format("put the right StoragePass there, or, if nothing else uses that user: DROP "
                        "USER '{}'@'localhost'; and run this again",
                        database.user));
    }
    SF_TRY(const base::Finished made, client.as_root(creation_sql(database.user, password)));
    if (!made.exit.ok()) {
        // What MariaDB says quotes the statement; the password is in that.
        return fail(Code::failed, "MariaDB did not make the database: {}",
                    base::replace_all(base::escape_untrusted(base::trim(made.err)), password,
                                      "<password>"));
    }
    SF_TRY(const bool now, client.login_works(password));
    if (!now)
        return fail(Code::failed, "user {} was made, but cannot use the database", database.user);
    context.changed(fmt::format("database slurm_acct_db and user {}@localhost", database.user));
    return {};
}

// By a server that listens somewhere, or by one of ours. `work` gets the place.
template <class Work>
Status with_server(const PlannedDatabase& database, Context& context, Work work) {
    // It may have been started since the plan was made, and listen elsewhere.
    PlannedDatabase now = database;
    SF_TRY(const Listeners listeners, find_listeners(context.host));
    const std::string socket = listening_mariadb(listeners);
    if (!socket.empty()) {
        now.socket = socket;
        return work(now);
    }
    SF_TRY(base::Child server, start_server(now));
    Status done = wait_for_server(server, now, context.host);
    if (done) done = work(now);
    const Status ended = end_server(server);
    return done ? ended : done;
}

// As slurmdbd comes in: what its configuration says, whoever wrote it.
struct Access {
    std::string host;  // empty: this machine, over the socket
    std::string port;
    std::string user;
    std::string password;
    std::string name;  // of the database
};
Result<Access> access_of(Host& host) {
    SF_TRY(const std::string conf, host.read(std::string(slurmdbd_conf_path)));
    Access access{conf_value(conf, "StorageHost"), conf_value(conf, "StoragePort"),
                  conf_value(conf, "StorageUser"), conf_value(conf, "StoragePass"),
                  conf_value(conf, "StorageLoc")};
    // A server here that nobody runs now is run for the time it takes, over its socket alone; one
    // that does listen may be another, or a way to one.
    const std::string port = access.port.empty() ? "3306" : access.port;
    SF_TRY(const Listeners listeners, find_listeners(host));
    const bool listens = std::ranges::any_of(
        listeners.ports, [&](std::uint16_t each) { return std::to_string(each) == port; });
    if (access.host == "localhost" || (is_loopback(access.host) && !listens)) access.host.clear();
    if (access.name.empty()) access.name = "slurm_acct_db";
    const auto good = check_password(access.password);
    if (!good || access.user.empty() || access.name.starts_with('-')) {
        return base::fail_hint(Code::refused,
                               fmt::format("{} does not say how slurmdbd comes in (StorageUser, "
                                           "StoragePass, StorageLoc)",
                                           slurmdbd_conf_path),
                               "mend it; or save the database yourself and say --without-backup");
    }
    return access;
}

// mariadb-dump, in one consistent state, with its password in a private file.
Status run_dump(const PlannedDatabase& database, const Access& access,
                std::vector<std::string> words, Context& context) {
    const auto dump = [&](const std::string& socket) -> Status {
        SF_TRY(const std::string options, password_file(access.password, context.host));
        std::vector<std::string> argv{words[0], "--defaults-file=" + options};
        if (access.host.empty()) {
            argv.insert(argv.end(), {"--protocol=socket", "--socket=" + socket});
        } else {
            argv.insert(argv.end(), {"--protocol=tcp", "--host=" + access.host});
            if (!access.port.empty()) argv.push_back("--port=" + access.port);
        }
        argv.insert(argv.end(), {"--user=" + access.user, "--single-transaction", "--quick",
                                 "--no-tablespaces"});
        argv.insert(argv.end(), words.begin() + 1, words.end());
        argv.insert(argv.end(), {"--databases", access.name});
        const auto done = run_tool(context.host, std::move(argv), std::chrono::hours(24));
        const Status removed = context.host.remove(options);
        return done ? removed : Status(tl::unexpected(done.error()));
    };
    if (!access.host.empty()) return dump({});
    return with_server(database, context,
                       [&](const PlannedDatabase& now) { return dump(now.socket); });
}

}  // namespace

std::string password_in(std::string_view slurmdbd_conf) {
    return conf_value(slurmdbd_conf, "StoragePass");
}

Result<std::string> new_password(const PlannedDatabase& database, Host& host) {
    if (database.password_file.empty()) return make_password(host);
    const fs::path file = fs::absolute(database.password_file);
    SF_TRY(const PathInfo info, host.look(file));
    if (info.type == PathInfo::Type::file && (info.mode & 077U) != 0) {
        return base::fail_hint(Code::refused,
                               fmt::format("{} has mode {:04o}: others can read the password",
                                           base::escape_untrusted(file.native()), info.mode),
                               "take another password if others may have read it; chmod 600 " +
                                   base::shell_quote(base::escape_untrusted(file.native())));
    }
    SF_TRY(const std::string text, host.read(file));
    std::string password = text.substr(0, text.find('\n'));
    SF_CHECK(check_password(password));
    return password;
}

std::string grant_sql(const std::string& user) {
    return std::string(create_database) + fmt::format(grant, user);
}

std::string creation_sql(const std::string& user, const std::string& password) {
    return std::string(create_database) +
           fmt::format("CREATE USER '{}'@'localhost' IDENTIFIED BY '{}';\n", user, password) +
           fmt::format(grant, user);
}

Status make_database(const PlannedDatabase& database, Context& context) {
    if (!database.local) return {};
    SF_TRY(const std::string conf, context.host.read(std::string(slurmdbd_conf_path)));
    const std::string password = password_in(conf);
    if (const auto good = check_password(password); !good) {
        return base::during(good, "reading StoragePass from " + std::string(slurmdbd_conf_path));
    }
    return with_server(database, context, [&](const PlannedDatabase& now) {
        return make_with(Client(now, context.host), now, context, password);
    });
}

Status can_dump(const PlannedDatabase& database, const std::string& dump, Context& context) {
    SF_TRY(const Access access, access_of(context.host));
    if (access.host.empty()) {
        // A server of ours is not run only to ask it.
        SF_TRY(const Listeners listeners, find_listeners(context.host));
        if (listening_mariadb(listeners).empty()) return {};
    }
    return base::during(
        run_dump(database, access, {dump, "--no-data", "--result-file=/dev/null"}, context),
        "asking the database for a copy");
}

Status dump_database(const PlannedDatabase& database, const std::string& dump,
                     const std::string& file, Context& context) {
    SF_TRY(const Access access, access_of(context.host));
    SF_CHECK(run_dump(database, access, {dump, "--result-file=" + file}, context));
    // Its last words; without them it is not whole.
    SF_TRY(const std::string last, run_tool(context.host, {"tail", "-n", "1", file}));
    if (!last.starts_with("-- Dump completed"))
        return fail(Code::failed, "{} is not whole: it ends with '{}'", file,
                    base::escape_untrusted(base::trim(last)));
    return run_tool(context.host, {"sync", file}, std::chrono::hours(1))
        .map([](const std::string&) {});
}

}  // namespace sf::deploy
