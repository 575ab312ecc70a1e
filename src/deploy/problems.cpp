// SPDX-License-Identifier: Apache-2.0
// The part of planner.hpp that says no: each rule a function, each answer with what to do next.
#include <algorithm>

#include "base/text.hpp"
#include "deploy/names.hpp"
#include "deploy/planner.hpp"
#include "deploy/release_step.hpp"
#include "model/cpu_level.hpp"

namespace sf::deploy {

using base::Code;
using base::Error;

namespace {

class Problems {
public:
    Problems(const PlanInputs& inputs, const Answers& answers)
        : x_in(inputs), x_facts(inputs.facts), x_answers(answers), x_roles(*answers.roles) {}

    std::vector<Error> find() {
        machine();
        only_start();
        upgrade();
        other_slurm();
        users();
        cluster();
        secrets();
        database();
        ports();
        return std::move(x_problems);
    }

private:
    void add(std::string message, std::string hint, Code code = Code::refused) {
        x_problems.push_back({code, std::move(message), {}, std::move(hint)});
    }
    [[nodiscard]] bool has(Role role) const { return x_roles.contains(role); }

    void machine() {
        const Target& target = x_in.target;
        const bool el = target.family == "el";
        if (model::kinship(x_facts.os, target.os, target.family, target.codename) ==
            model::Kinship::none) {
            add(fmt::format("this bundle is for {}, this machine runs {}", target.title,
                            model::title_of(x_facts.os)),
                "take the bundle that was built for it");
        }
        if (!model::cpu_runs(x_facts.cpu_level, x_in.bundle.target)) {
            add(fmt::format("this bundle was compiled for processors of level {}, this one has {}",
                            x_in.bundle.target,
                            x_facts.cpu_level.empty() ? "none of them" : x_facts.cpu_level),
                "take a bundle for an older level (slurm-factory build-slurm --target x86_64)");
        }
        if (!x_facts.missing_host_libraries.empty()) {
            add("libraries of the distribution are missing: " +
                    base::join(x_facts.missing_host_libraries, ", "),
                "install the packages that bring them; all updates of the distribution may be "
                "needed");
        }
        // slurmd has systemd make the control group of jobs, over D-Bus, and ends without it.
        if (has(Role::compute) && x_facts.systemd && x_facts.cgroups &&
            !x_facts.listeners.sockets.contains(std::string(dbus_socket_path))) {
            add("slurmd asks systemd over D-Bus for the control group of its jobs, and nothing "
                "listens on " +
                    std::string(dbus_socket_path),
                std::string(el ? "dnf" : "apt-get") +
                    " install dbus; if it is installed: systemctl start dbus.socket");
        }
        if (x_in.noexec) {
            add(fmt::format("{} is on a file system that is mounted noexec: nothing there can be "
                            "run",
                            base::escape_untrusted(x_in.tree)),
                "choose another folder with --prefix, or mount -o remount,exec it");
        }
        if (const auto plain = check_plain_path(x_in.tree); !plain) {
            add(plain.error().text(), "choose another folder: --prefix /opt/slurm", Code::usage);
        }
    }

    // Starting is no upgrade: what another version or tree configured, its own installer starts.
    void only_start() {
        if (x_in.options.action != Action::start_services) return;
        const Record& record = x_in.record;
        if (record.prefix.empty() || record.version.empty()) {
            add("nothing was configured here yet", "slurm_install.sh --full-init", Code::absent);
        } else if (record.prefix != x_in.tree || record.version != x_in.bundle.version) {
            add(fmt::format("what was configured here is Slurm {} in {}, and this is {} in {}",
                            record.version, base::escape_untrusted(record.prefix),
                            x_in.bundle.version, base::escape_untrusted(x_in.tree)),
                fmt::format("to start it: {}/data/slurm_assets/{}/slurm_install.sh "
                            "--start-services; to change to this one: --init-only",
                            base::escape_untrusted(record.prefix), record.version));
        }
    }

    // What daemons of one series wrote, those of another convert, or cannot read at all.
    void upgrade() {
        const std::string& from = x_in.record.version;
        const std::string& to = x_in.bundle.version;
        if (from.empty() || x_in.options.action == Action::start_services ||
            (!has(Role::controller) && !has(Role::dbd)))
            return;
        const ReleaseStep step = step_between(from, to);
        if (step == ReleaseStep::downgrade) {
            add(fmt::format("Slurm {} ran here, and {} cannot read the state and the database of "
                            "a later series",
                            from, to),
                fmt::format("to go back: uninstall {}, put back what was saved before the upgrade, "
                            "move {} away, then install the earlier one (word by word: "
                            "docs/install.md in the sources of slurm-factory)",
                            from, record_path));
        } else if (step == ReleaseStep::too_far) {
            add(fmt::format("Slurm {} ran here, and {} cannot convert what so early a series left",
                            from, to),
                "upgrade to a series in between first, start it, and come back");
        } else if (step == ReleaseStep::upgrade && !x_in.options.without_backup) {
            can_be_saved(from, to);
        }
        // Its unit would start it at the next boot, of the new version, with nothing saved.
        if (step == ReleaseStep::upgrade && !has(Role::dbd) &&
            x_in.record.files.contains("/etc/systemd/system/slurmdbd.service")) {
            add("slurmdbd runs on this host, and role dbd was not said",
                "say all roles of this host; or --uninstall first", Code::usage);
        }
    }
    void can_be_saved(const std::string& from, const std::string& to) {
        if (x_in.options.no_start) {
            add(fmt::format("an upgrade from {} to {} stops the daemons, saves what they left and "
                            "starts the new ones: it does not go with --no-start",
                            from, to),
                "without --no-start; or save it yourself and say --without-backup", Code::usage);
        }
        const bool database = has(Role::dbd) && x_answers.accounting.value_or(true) &&
                              x_facts.secrets.contains(std::string(slurmdbd_conf_path));
        if (!database) return;
        if (x_facts.mariadb_dump.empty()) {
            add("mariadb-dump, which saves the database before an upgrade, is not installed",
                std::string(x_in.target.family == "el" ? "dnf install mariadb"
                                                       : "apt-get install mariadb-client") +
                    "; or save it yourself and say --without-backup");
        } else if (x_facts.systemd && !x_facts.listeners.sockets.contains(x_facts.mariadb_socket)) {
            add("MariaDB does not run, and the database has to be saved before an upgrade",
                "systemctl start mariadb");
        }
    }

    [[nodiscard]] bool ours(const Process& process) const {
        return process.program.starts_with(x_in.tree + "/store/") ||
               (!x_in.record.prefix.empty() &&
                process.program.starts_with(x_in.record.prefix + "/store/"));
    }

    void other_slurm() {
        if (!x_facts.other_slurm.empty()) {
            add("another Slurm is installed here: " + base::join(x_facts.other_slurm, ", "),
                "the two would share /etc/slurm, /var/lib/slurm and their ports. Remove its "
                "packages first, or use this tree beside it without installing: put " +
                    x_in.tree + "/views/" + x_in.bundle.version +
                    "/bin into PATH, with SLURM_CONF");
        }
        for (const Process& process : x_facts.daemons) {
            if (ours(process)) continue;
            add(fmt::format("{} runs here already, as process {}, from {}", process.name,
                            process.pid,
                            process.program.empty() ? "an unknown place"
                                                    : base::escape_untrusted(process.program)),
                "stop it, if it is not wanted any more, and disable its service");
        }
    }

    void check_user(const char* name, const std::optional<std::uint32_t>& wanted) {
        if (!wanted) return;
        const User* user = x_facts.accounts.user(name);
        if (user != nullptr && user->uid != *wanted) {
            add(fmt::format("user {} exists with uid {}, not {}", name, user->uid, *wanted),
                "existing users are never changed: use that number on all hosts of the cluster, or "
                "change it yourself");
        }
        const User* other = x_facts.accounts.user_of(*wanted);
        if (user == nullptr && other != nullptr) {
            add(fmt::format("uid {}, wanted for {}, belongs to {}", *wanted, name,
                            base::escape_untrusted(other->name)),
                "choose a number that is free on all hosts of the cluster");
        }
        const Group* group = x_facts.accounts.group_of(*wanted);
        if (user == nullptr && group != nullptr && group->name != name) {
            add(fmt::format("gid {}, wanted for {}, belongs to group {}", *wanted, name,
                            base::escape_untrusted(group->name)),
                "choose a number that is free on all hosts of the cluster");
        }
    }

    void users() {
        check_user("slurm", x_answers.slurm_uid);
        check_user("munge", x_answers.munge_uid);
        if (x_answers.slurm_uid && x_answers.slurm_uid == x_answers.munge_uid) {
            add(fmt::format("--slurm-uid and --munge-uid are both {}", *x_answers.slurm_uid),
                "give two numbers that are free on all hosts of the cluster", Code::usage);
        }
        for (const char* name : {"slurm", "munge", "slurmrestd"}) {
            const User* user = x_facts.accounts.user(name);
            if (user != nullptr && user->uid == 0) {
                add(fmt::format("user {} has uid 0", name), "give it a number of its own");
            }
        }
    }

    void cluster() {
        if (const auto good = check_host_name(x_facts.host, "name of a host"); !good) {
            add("this machine's own name: " + good.error().text(), "hostname NAME");
        }
        if (!has(Role::controller) && !x_answers.controller &&
            (has(Role::compute) || has(Role::login) || has(Role::rest))) {
            add("a host without slurmctld must know where it runs", "--controller HOST[:PORT]",
                Code::usage);
        }
        if (has(Role::controller) && !x_answers.nodes) {
            add("the controller must know its nodes",
                "--nodes node[01-16] --node-parameters "
                "'CPUs=64 RealMemory=256000'",
                Code::usage);
        }
        if (has(Role::controller) && !x_answers.address) {
            add("this machine has no address but its loopback's: Slurm's daemons need one that "
                "others can reach",
                "configure the network first; to try it out: ip addr add 10.9.9.1/24 dev lo");
        }
        if (has(Role::rest) && has(Role::controller) && !x_answers.jwt.value_or(false)) {
            add("role rest needs JSON Web Tokens", "--jwt", Code::usage);
        }
    }

    // Root's is handed to its daemon's user; nobody else's is taken for the cluster's.
    [[nodiscard]] bool strangers(const PathInfo& info, const char* name) const {
        if (info.owner.uid == 0) return false;
        if (const User* user = x_facts.accounts.user(name)) return info.owner.uid != user->uid;
        const auto& wanted =
            name == std::string_view("munge") ? x_answers.munge_uid : x_answers.slurm_uid;
        return !wanted || info.owner.uid != *wanted;
    }

    void check_secret(std::string_view path, const char* user, std::string_view what,
                      std::string_view mend) {
        const auto found = x_facts.secrets.find(std::string(path));
        const bool there = found != x_facts.secrets.end();
        if (there && found->second.type != PathInfo::Type::file) {
            add(fmt::format(
                    "{} is {}: a secret is neither read nor written through it", path,
                    found->second.type == PathInfo::Type::symlink ? "a symlink" : "not a file"),
                "find out who made it; remove it");
        } else if (there && (found->second.mode & 077U) != 0) {
            add(fmt::format("{} has mode {:04o}: others can read or change it", path,
                            found->second.mode),
                fmt::format("make a new one if others may have read it; chmod 600 {}", path));
        } else if (there && strangers(found->second, user)) {
            add(fmt::format("{} belongs to uid {}, neither root nor {}", path,
                            found->second.owner.uid, user),
                fmt::format("make a new one if that user may not know it; chown root:root {}, and "
                            "it is handed to {}",
                            path, user));
        } else if (!there && !mend.empty()) {
            add(fmt::format("{} is missing, and only the controller's host makes one", what),
                std::string(mend));
        }
    }

    void secrets() {
        const bool bring = !has(Role::controller);
        check_secret(munge_key_path, "munge", "the cluster's MUNGE key, /etc/munge/munge.key,",
                     bring && munge_needed()
                         ? "bring it from the controller by a safe way: root there, mode 0600, to "
                           "/etc/munge/munge.key here; then run this again"
                         : "");
        const bool jwt = x_answers.jwt.value_or(false);
        check_secret(jwt_key_path, "slurm", "the key of JSON Web Tokens, /etc/slurm/jwt_hs256.key,",
                     jwt && bring && has(Role::dbd)
                         ? "bring it from the controller, mode 0600; then run this again"
                         : "");
        if (x_facts.secrets.contains(std::string(slurmdbd_conf_path))) {
            check_secret(slurmdbd_conf_path, "slurm", "", "");
        }
    }
    // With the distribution's munged running its key is there, wherever it is.
    [[nodiscard]] bool munge_needed() const {
        return !x_facts.listeners.sockets.contains(std::string(munge_socket_path));
    }

    void database() {
        if (!has(Role::dbd) || !x_answers.accounting.value_or(true)) return;
        if (!has_plugin(x_in.bundle, "accounting_storage_mysql.so")) {
            // With "all" it is left out, with a note; who asks for dbd wants it.
            if (x_roles.size() == 1) {
                add("this bundle's Slurm has no plugin for the database of slurmdbd",
                    "take a bundle whose stack has it");
            }
            return;
        }
        if (x_answers.db_host && *x_answers.db_host != "localhost") {
            const bool kept = x_facts.secrets.contains(std::string(slurmdbd_conf_path));
            if (x_in.options.db_password_file.empty() && !kept) {
                add("a database elsewhere needs its password", "--db-password-file FILE",
                    Code::usage);
            }
            return;
        }
        const bool runs = x_facts.listeners.sockets.contains(x_facts.mariadb_socket);
        if (x_facts.mariadb_client.empty() || (x_facts.mariadb_server.empty() && !runs)) {
            add("accounting needs a MariaDB server, and none is installed here",
                std::string(x_in.target.family == "el" ? "dnf install mariadb-server"
                                                       : "apt-get install mariadb-server") +
                    "; or --db-host HOST with --db-password-file FILE; or --without-accounting");
        }
    }

    void ports() {
        const auto check = [&](Role role, std::optional<std::uint16_t> known, const char* daemon) {
            const std::uint16_t port = known.value_or(0);  // nobody listens on that
            if (!has(role) || !x_facts.listeners.ports.contains(port)) return;
            // Ours has it; a strange daemon of that name has been named already.
            if (x_facts.runs(daemon)) return;
            x_problems.push_back(port_in_use(port, daemon));
        };
        check(Role::controller, x_facts.slurmctld_port, "slurmctld");
        // Elsewhere what is fetched says which one: another may be in use by whom it likes.
        const auto slurmd =
            has(Role::controller) ? x_facts.slurmd_port : x_facts.fetched_slurmd_port;
        check(Role::compute, slurmd, "slurmd");
        // Without it sackd would run all the same, and never hear of a change.
        if (!has(Role::controller) && !has(Role::compute)) {
            check(Role::login, slurmd, "sackd");
            if (!has(Role::login)) check(Role::rest, slurmd, "sackd");
        }
        if (x_answers.accounting.value_or(true) &&
            has_plugin(x_in.bundle, "accounting_storage_mysql.so")) {
            check(Role::dbd, x_facts.slurmdbd_port, "slurmdbd");
        }
    }

    const PlanInputs& x_in;
    const Facts& x_facts;
    const Answers& x_answers;
    const std::set<Role>& x_roles;
    std::vector<Error> x_problems;
};

}  // namespace

std::vector<Error> find_problems(const PlanInputs& inputs, const Answers& answers) {
    return Problems(inputs, answers).find();
}

}  // namespace sf::deploy
