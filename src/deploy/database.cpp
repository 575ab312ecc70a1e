// SPDX-License-Identifier: Apache-2.0
#include "deploy/database.hpp"

#include <fcntl.h>
#include <signal.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "deploy/facts.hpp"
#include "deploy/listening.hpp"
#include "deploy/names.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr int server_tries = 300;
constexpr std::string_view server_log = "/var/log/slurmd/mariadbd.console.log";
constexpr std::chrono::milliseconds server_pause{100};

base::Environment environment() {
    return {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}, {"HOME", "/root"}};
}

class Client {
public:
    Client(const PlannedDatabase& database, Host& host) : x_database(database), x_host(host) {}

    Result<base::Finished> as_root(std::string_view sql) const {
        return run({x_database.client, "--protocol=socket", "--socket=" + x_database.socket,
                    "--user=root", "--batch", "--skip-column-names"},
                   sql);
    }

    // Whether slurmdbd will come in: as its user, with its password, from a private file.
    Result<bool> login_works(const std::string& password) const {
        SF_TRY(const base::TempDir room, base::TempDir::create("/run", "slurm-setup-"));
        const fs::path options = room.path() / "my.cnf";
        SF_CHECK(base::write_file(options, "[client]\npassword=\"" + password + "\"\n", 0600));
        SF_TRY(const base::Finished done,
               run({x_database.client, "--defaults-file=" + options.native(), "--protocol=socket",
                    "--socket=" + x_database.socket, "--user=" + x_database.user, "--batch",
                    "--execute=USE slurm_acct_db"},
                   {}));
        return done.exit.ok();
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

Result<bool> listens(Host& host, const std::string& socket) {
    SF_TRY(const Listeners listeners, find_listeners(host));
    return listeners.sockets.contains(socket);
}

// A server of our own, ended with this object.
Result<base::Child> run_server(const PlannedDatabase& database, Host& host) {
    base::Command command;
    command.argv = {database.server, "--user=mysql", "--skip-networking"};
    command.environment = environment();
    SF_TRY(const base::Fd log, base::open_file(std::string(server_log),
                                               O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0640));
    command.stdout_fd = log.get();
    command.stderr_fd = log.get();
    SF_TRY(base::Child server, base::Child::spawn(command));
    for (int i = 0; i < server_tries; ++i) {
        SF_TRY(const bool ready, listens(host, database.socket));
        if (ready) return server;
        SF_TRY(const auto exit, server.wait_for(server_pause));
        if (exit) {
            return base::fail_hint(
                Code::failed, fmt::format("{} ended by itself: {}", database.server, exit->text()),
                fmt::format("see what it said: {}", server_log));
        }
    }
    return fail(Code::exhausted, "{} did not listen on {} within {} s", database.server,
                database.socket, server_tries / 10);
}

Status end_server(base::Child& server) {
    server.kill_group(SIGTERM);
    SF_TRY(const auto exit, server.wait_for(std::chrono::seconds(60)));
    if (exit) return {};
    return fail(Code::failed, "MariaDB did not end within a minute");
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
        SF_TRY(const base::Finished granted, client.as_root("CREATE DATABASE IF NOT EXISTS "
                                                            "slurm_acct_db;\n"));
        SF_TRY(const bool now, client.login_works(password));
        if (granted.exit.ok() && now) return {};
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

}  // namespace

std::string password_in(std::string_view slurmdbd_conf) {
    constexpr std::string_view key = "storagepass=";
    for (const std::string& line : base::split(slurmdbd_conf, '\n')) {
        std::string lower;
        for (const char c : line.substr(0, key.size()))
            lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (lower == key) return std::string(base::trim(line.substr(key.size())));
    }
    return {};
}

Result<std::string> new_password(const PlannedDatabase& database, Host& host) {
    if (database.password_file.empty()) return make_password(host);
    SF_TRY(const std::string text, host.read(fs::absolute(database.password_file)));
    std::string password = text.substr(0, text.find('\n'));
    SF_CHECK(check_password(password));
    return password;
}

std::string creation_sql(const std::string& user, const std::string& password) {
    return fmt::format(
        "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\n"
        "CREATE USER '{0}'@'localhost' IDENTIFIED BY '{1}';\n"
        "GRANT ALL ON slurm_acct_db.* TO '{0}'@'localhost';\n",
        user, password);
}

Status make_database(const PlannedDatabase& database, Context& context) {
    if (!database.local) return {};
    SF_TRY(const std::string conf, context.host.read(std::string(slurmdbd_conf_path)));
    const std::string password = password_in(conf);
    if (const auto good = check_password(password); !good) {
        return base::during(good, "reading StoragePass from " + std::string(slurmdbd_conf_path));
    }
    const Client client(database, context.host);
    SF_TRY(const bool there, listens(context.host, database.socket));
    if (there) return make_with(client, database, context, password);
    SF_TRY(base::Child server, run_server(database, context.host));
    const Status made = make_with(client, database, context, password);
    const Status ended = end_server(server);
    return made ? ended : made;
}

}  // namespace sf::deploy
