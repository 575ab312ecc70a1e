// SPDX-License-Identifier: Apache-2.0
#include "deploy/remote_database.hpp"

#include <charconv>

#include "base/text.hpp"
#include "deploy/database.hpp"
#include "deploy/engine.hpp"

namespace sf::deploy {

using base::Code;
using base::Result;
using base::Status;

namespace {

// slurmdbd tries again every five seconds, for ever. Whoever is refused is so at once; a server
// that looks up who comes may take longer, and one that does not answer at all is told so.
constexpr std::chrono::milliseconds quick{4000};
constexpr std::chrono::milliseconds slow{15000};
// Every user may open it, and nobody can make anything in it.
constexpr const char* nobodys_database = "information_schema";
constexpr std::string_view refused_mark = "mysql_real_connect failed: ";

// Before that slurmdbd does not end by itself once it is in: it goes on to its tables.
bool ends_when_in(std::string_view version) {
    return base::compare_versions(version, "24.11") >= 0;
}

std::string line_with(std::string_view text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + mark.size());
    return std::string(base::trim(rest.substr(0, rest.find('\n'))));
}

class Question {
public:
    Question(const DatabaseQuestion& question, Host& host) : x(question), x_host(host) {
        x_only_login = x.only_login || !ends_when_in(x.version);
        x_server = conf_value(x.conf, "StorageHost");
        x_port = conf_value(x.conf, "StoragePort");
        x_user = conf_value(x.conf, "StorageUser");
        x_name = conf_value(x.conf, "StorageLoc");
        if (x_port.empty()) x_port = "3306";
        if (x_name.empty()) x_name = "slurm_acct_db";
    }

    Status run() {
        SF_TRY(const std::string nonce, make_password(x_host));
        x_folder = "/run/slurm-setup-" + nonce.substr(0, 16);
        SF_CHECK(x_host.make_folder(x_folder, 0700, {}));
        const Status answered = ask();
        for (const char* name : {"/slurmdbd.conf", "/slurmdbd.pid"}) {
            SF_TRY(const PathInfo info, x_host.look(x_folder + name));
            if (info.type != PathInfo::Type::absent) SF_CHECK(x_host.remove(x_folder + name));
        }
        SF_CHECK(x_host.remove(x_folder));
        return answered;
    }

private:
    // Theirs, but for what is the daemon's that may run here, or need not be there yet.
    [[nodiscard]] std::string conf() const {
        std::string text;
        for (const std::string& line : base::split(x.conf, '\n')) {
            const std::string key = conf_name(line);
            const bool ours = key == "slurmuser" || key == "pidfile" || key == "logfile" ||
                              key == "debuglevel" || key == "debuglevelsyslog" ||
                              key.starts_with("auth") || (key == "storageloc" && x_only_login);
            if (!ours) text += line + '\n';
        }
        // Nobody comes to this one, and munged does not run yet.
        text +=
            "SlurmUser=root\nAuthType=auth/"
            "none\nDebugLevel=info\nDebugLevelSyslog=quiet\nPidFile=" +
            x_folder + "/slurmdbd.pid\n";
        if (x_only_login) text += std::string("StorageLoc=") + nobodys_database + '\n';
        return text;
    }

    Result<base::Finished> come_in(std::chrono::milliseconds deadline) {
        base::Command command;
        command.argv = {x.slurmdbd, ends_when_in(x.version) ? "-u" : "-D"};
        command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
                               {"LC_ALL", "C.UTF-8"},
                               {"HOME", "/"},
                               {"SLURM_CONF", x_folder + "/slurm.conf"}};
        command.directory = "/";
        command.deadline = deadline;
        return x_host.run(command);
    }

    Status ask() {
        SF_CHECK(x_host.write_new(x_folder + "/slurmdbd.conf", conf(), 0600, {}));
        SF_TRY(base::Finished done, come_in(quick));
        // Neither in nor refused.
        if (done.timed_out && line_with(done.err, refused_mark).empty()) {
            SF_TRY(done, come_in(slow));
        }
        const std::string refused = line_with(done.err, refused_mark);
        if (!refused.empty()) return not_in(refused);
        if (done.timed_out) {
            return base::fail_hint(
                Code::exhausted,
                fmt::format("{} does not answer within {} s", place(), slow.count() / 1000),
                hint_of_the_way());
        }
        if (done.exit.ok()) return {};
        // "Conversion needed", or of a new database, whose number of a version is none; of an
        // older slurmdbd, that it can make no table where nobody can.
        if (done.out.find("Slurm Database ") != std::string::npos) return {};
        if (!ends_when_in(x.version) && done.err.find(nobodys_database) != std::string::npos)
            return {};
        return not_opened(done);
    }

    [[nodiscard]] std::string place() const {
        return fmt::format("the database server on {}, port {},", base::escape_untrusted(x_server),
                           base::escape_untrusted(x_port));
    }
    [[nodiscard]] std::string hint_of_the_way() const {
        return fmt::format(
            "see that the name is right, that MariaDB runs there and listens on that port for "
            "other hosts (bind-address), and that no firewall is between: {} is asked from here",
            base::escape_untrusted(x_server));
    }
    [[nodiscard]] std::string hint_of_the_user() const {
        return fmt::format(
            "compare the password in {} with the user's there; it must be allowed to come from "
            "this host: CREATE USER '{}'@'<this host>' IDENTIFIED BY '...'; GRANT ALL ON {}.* TO "
            "'{}'@'<this host>';",
            x.password_place, base::escape_untrusted(x_user), base::escape_untrusted(x_name),
            base::escape_untrusted(x_user));
    }

    // `said` begins with the number of the error: of the server's from 1000, of the client's from
    // 2000 (MariaDB's and MySQL's errmsg.h).
    [[nodiscard]] Status not_in(const std::string& said) const {
        int number = 0;
        std::from_chars(said.data(), said.data() + said.size(), number);
        const bool by_the_server = number < 2000;
        return base::fail_hint(
            by_the_server ? Code::refused : Code::absent,
            fmt::format("{} {}: {}", place(),
                        by_the_server
                            ? fmt::format("does not let user {} in", base::escape_untrusted(x_user))
                            : "cannot be reached",
                        base::escape_untrusted(said)),
            by_the_server ? hint_of_the_user() : hint_of_the_way());
    }

    // It came in, and then did not like what it found, or may not do what it needs.
    [[nodiscard]] Status not_opened(const base::Finished& done) const {
        const std::string fatal = line_with(done.err, "fatal: ");
        const std::string said = fatal.empty() ? std::string(base::trim(done.err)) : fatal;
        const bool rights = said.find("denied") != std::string::npos;
        return base::fail_hint(
            Code::refused,
            fmt::format("slurmdbd cannot use {} of {} {}: {}", base::escape_untrusted(x_name),
                        place(), done.exit.text(), base::escape_untrusted(said)),
            rights ? hint_of_the_user()
                   : "see what it says; nothing was changed here, nor in the database");
    }

    const DatabaseQuestion& x;
    Host& x_host;
    bool x_only_login = false;
    std::string x_folder;
    std::string x_server;
    std::string x_port;
    std::string x_user;
    std::string x_name;
};

}  // namespace

bool is_elsewhere(std::string_view slurmdbd_conf) {
    const std::string server = conf_value(slurmdbd_conf, "StorageHost");
    return !server.empty() && server != "localhost";
}

Status ask_database(const DatabaseQuestion& question, Host& host) {
    return Question(question, host).run();
}

}  // namespace sf::deploy
