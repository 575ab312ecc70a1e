// SPDX-License-Identifier: Apache-2.0
#include "deploy/remote_database.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "base/text.hpp"
#include "deploy/conf_file.hpp"
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
constexpr std::string_view only_storage = "accounting_storage/mysql";
// All that is taken of a slurmdbd.conf: none of these names a program or a plugin.
constexpr std::array carried{"StorageHost", "StorageBackupHost", "StoragePort",      "StorageUser",
                             "StoragePass", "StorageLoc",        "StorageParameters"};

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
        const ConfFile conf = ConfFile::parse(x.conf);
        x_server = conf.value("StorageHost");
        x_port = conf.value("StoragePort");
        x_user = conf.value("StorageUser");
        x_name = conf.value("StorageLoc");
        if (x_port.empty()) x_port = "3306";
        if (x_name.empty()) x_name = "slurm_acct_db";
    }

    Status run() {
        if (const std::string why = why_not_asked(x.conf); !why.empty())
            return base::fail(Code::refused, "slurmdbd.conf cannot be tried: {}", why);
        SF_TRY(const std::string nonce, make_password(x_host));
        x_folder = "/run/slurm-setup-" + nonce.substr(0, 16);
        SF_CHECK(x_host.make_folder(x_folder, 0700, owner()));
        Status answered = ask();
        SF_TRY(const std::vector<std::string> left, x_host.list(x_folder));
        for (const std::string& name : left) SF_CHECK(x_host.remove(x_folder + '/' + name));
        SF_CHECK(x_host.remove(x_folder));
        return answered;
    }

private:
    [[nodiscard]] Ids owner() const { return x.slurm.value_or(Ids{}); }

    // Ours, but for where the database is. Nobody comes to this daemon, and munged need not run.
    [[nodiscard]] Result<std::string> conf() const {
        std::string text = fmt::format(
            "DbdHost=localhost\nSlurmUser={}\nAuthType=auth/none\nDebugLevel=info\n"
            "DebugLevelSyslog=quiet\nPidFile={}/slurmdbd.pid\nStorageType={}\n",
            x.slurm ? "slurm" : "root", x_folder, only_storage);
        const ConfFile theirs = ConfFile::parse(x.conf);
        for (const char* name : carried) {
            std::string value = theirs.value(name);
            if (x_only_login && name == std::string_view("StorageLoc")) value = nobodys_database;
            if (value.empty()) continue;
            SF_TRY(const std::string line, conf_line(name, value));
            text += line;
        }
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
        if (x.slurm) command.identity = base::Identity{x.slurm->uid, x.slurm->gid};
        return x_host.run(command);
    }

    Status ask() {
        SF_TRY(const std::string text, conf());
        SF_CHECK(x_host.write_new(x_folder + "/slurmdbd.conf", text, 0600, owner()));
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

// The bytes of an address; empty: it is a name. An IPv4 address within IPv6 is one of IPv4.
std::string address_of(const std::string& text) {
    std::array<char, 16> room{};
    if (::inet_pton(AF_INET, text.c_str(), room.data()) == 1) return {room.data(), 4};
    if (::inet_pton(AF_INET6, text.c_str(), room.data()) != 1) return {};
    const std::string bytes(room.data(), room.size());
    const bool within = bytes.starts_with(std::string(10, '\0') + "\xff\xff");
    return within ? bytes.substr(12) : bytes;
}

std::string lower(std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

// Over the socket: no other machine can be meant.
bool by_socket(const std::string& server) { return server.empty() || lower(server) == "localhost"; }

// Whether that user comes to what lies there.
Result<bool> everybody_reaches(const fs::path& path, Host& host) {
    for (fs::path at = path; at.has_relative_path(); at = at.parent_path()) {
        SF_TRY(const PathInfo info, host.look(at));
        if (info.type == PathInfo::Type::folder && (info.mode & 1U) == 0) return false;
    }
    return true;
}

}  // namespace

// As the planner decides whether a database is ours to make (PlannedDatabase::local).
bool may_be_asked(const Answers& answers) {
    return answers.db_host && *answers.db_host != "localhost";
}

std::string why_not_asked(std::string_view slurmdbd_conf) {
    const ConfFile conf = ConfFile::parse(slurmdbd_conf);
    if (conf.includes()) return "it includes other files";
    if (!conf.understood()) return "it has a line that slurmdbd would not read";
    if (!conf.value("StoragePassScript").empty())
        return "a program of the site says the password (StoragePassScript)";
    const std::string storage = lower(conf.value("StorageType"));
    if (!storage.empty() && storage != only_storage)
        return "its StorageType is " + base::escape_untrusted(storage);
    for (const char* name : carried) {
        const std::string value = conf.value(name);
        if (value.empty()) continue;
        if (const auto line = conf_line(name, value); !line) return line.error().message;
    }
    return {};
}

bool is_loopback(const std::string& server) {
    const std::string address = address_of(server);
    if (!address.empty()) {
        return (address.size() == 4 && address[0] == 127) ||
               address == std::string(15, '\0') + '\1';
    }
    // Those that distributions write into /etc/hosts.
    const std::string name = lower(server);
    const std::string first = name.substr(0, name.find('.'));
    return first == "localhost" || first == "localhost4" || first == "localhost6" ||
           first == "ip6-localhost" || first == "ip6-loopback";
}

bool is_elsewhere(std::string_view slurmdbd_conf, const Facts& facts) {
    const std::string server = lower(conf_value(slurmdbd_conf, "StorageHost"));
    if (by_socket(server) || is_loopback(server)) return false;
    const std::string address = address_of(server);
    const auto is_it = [&](const std::string& own) { return address_of(own) == address; };
    if (!address.empty()) {
        return std::ranges::none_of(facts.addresses, is_it) &&
               std::ranges::none_of(facts.accounts.addresses, is_it);
    }
    // With its domain or without.
    return server.substr(0, server.find('.')) != lower(facts.host);
}

Result<std::optional<DatabaseQuestion>> database_question(const DatabaseAsker& asker, Host& host,
                                                          base::Reporter& reporter) {
    std::optional<DatabaseQuestion> nobody;
    // Ours to start, later.
    if (!asker.plan.database || asker.plan.database->local) return nobody;
    SF_TRY(const PathInfo kept, host.look(std::string(slurmdbd_conf_path)));
    const bool is_there = kept.type == PathInfo::Type::file;
    // What was configured is not what was planned; slurmdbd will say so.
    if (asker.only_start && !is_there) return nobody;
    DatabaseQuestion question;
    if (is_there) {
        SF_TRY(question.conf, host.read(std::string(slurmdbd_conf_path)));
        question.password_place = slurmdbd_conf_path;
    } else {
        for (const PlannedFile& file : asker.plan.files) {
            if (file.path == slurmdbd_conf_path)
                question.conf = base::replace_all(file.content, "@db_password@", asker.password);
        }
        question.password_place = base::escape_untrusted(asker.password_file);
    }
    const auto unasked = [&](const std::string& why) {
        reporter.notice("the database is not asked before slurmdbd is started: {}: {}",
                        slurmdbd_conf_path, why);
        return nobody;
    };
    if (const std::string why = why_not_asked(question.conf); !why.empty()) return unasked(why);
    if (by_socket(conf_value(question.conf, "StorageHost"))) return nobody;
    // After a boot a server of this machine may be started later than we are.
    if (asker.only_start && !is_elsewhere(question.conf, asker.facts)) return nobody;
    question.slurmdbd = (asker.view / "sbin/slurmdbd").native();
    question.version = asker.plan.version;
    question.only_login = asker.only_login;
    if (!is_there) return question;
    if (const User* slurm = asker.facts.accounts.user("slurm")) {
        const Group* group = asker.facts.accounts.group("slurm");
        question.slurm = Ids{slurm->uid, group != nullptr ? group->gid : slurm->gid};
        SF_TRY(const bool reached, everybody_reaches(asker.view, host));
        if (!reached) {
            return unasked("it is tried as user slurm, who does not reach " +
                           base::escape_untrusted(asker.view.native()));
        }
    } else if (kept.owner.uid != 0) {
        return unasked("it belongs to a user who is not slurm");
    }
    return question;
}

Status ask_database(const DatabaseQuestion& question, Host& host) {
    return Question(question, host).run();
}

}  // namespace sf::deploy
