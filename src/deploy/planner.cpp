// SPDX-License-Identifier: Apache-2.0
#include "deploy/planner.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "deploy/controller_state.hpp"
#include "deploy/host_lease.hpp"
#include "deploy/names.hpp"
#include "deploy/node_parameters.hpp"
#include "deploy/release_step.hpp"
#include "deploy/template.hpp"
#include "model/bundle_layout.hpp"

namespace sf::deploy {

using base::Code;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t munge_key_size = 1024;
constexpr std::size_t jwt_key_size = 32;
constexpr std::string_view default_socket = "/run/mysqld/mysqld.sock";
constexpr const char* rest_socket_path = "/run/slurmrestd/slurmrestd.socket";
constexpr const char* backup_root = "/var/lib/slurm/backup";

bool loopback(const std::string& address) {
    return address.starts_with("127.") || address == "::1";
}

// The tree's daemons name each other by the link `current`: an upgrade is one switch and a restart.
class Planner {
public:
    Planner(const PlanInputs& inputs, const Answers& answers)
        : x_in(inputs), x_facts(inputs.facts), x_answers(answers), x_roles(*answers.roles) {
        x_accounting_here = has(Role::dbd) && answers.accounting.value_or(true) &&
                            has_plugin(inputs.bundle, "accounting_storage_mysql.so");
        x_accounting = answers.accounting.value_or(true) &&
                       (x_accounting_here || (!has(Role::dbd) && answers.dbd_host));
        x_own_munge = inputs.record.own_munge ||
                      (!x_facts.other_munge &&
                       !x_facts.listeners.sockets.contains(std::string(munge_socket_path)));
        // slurmd fetches the configuration for everybody on its host; sackd, as another user, would
        // be in its way in /run/slurm.
        x_sackd =
            !has(Role::controller) && !has(Role::compute) && (has(Role::login) || has(Role::rest));
    }

    Result<Plan> make() {
        x_plan.tree = x_in.tree;
        x_plan.version = x_in.bundle.version;
        x_plan.copy = x_in.copy;
        x_plan.systemd = x_facts.systemd;
        x_plan.start = !x_in.options.no_start;
        x_plan.own_munge = runs_munge();
        x_plan.runs_controller = has(Role::controller);
        x_plan.runs_compute = has(Role::compute);
        x_plan.runs_dbd = x_accounting_here;
        x_plan.runs_sackd = x_sackd;
        if (has(Role::rest)) x_plan.rest_socket = rest_socket_path;
        x_plan.accounting = x_accounting;
        x_plan.node = x_facts.host;
        // Once it has begun it goes on: other hosts come and go.
        x_plan.leased = !x_in.shared.empty() || x_in.record.leased;
        database();
        backup();
        users();
        folders();
        secrets();
        SF_CHECK(configuration());
        SF_CHECK(x_plan.systemd ? units() : services());
        notes();
        return std::move(x_plan);
    }

private:
    [[nodiscard]] bool has(Role role) const { return x_roles.contains(role); }
    [[nodiscard]] bool runs_munge() const {
        return x_own_munge || (!x_plan.systemd && x_facts.other_munge && !munge_listens());
    }
    [[nodiscard]] bool munge_listens() const {
        return x_facts.listeners.sockets.contains(std::string(munge_socket_path));
    }
    // Under our supervisor, because nobody else runs it.
    [[nodiscard]] bool runs_mariadb() const {
        return x_accounting_here && !x_plan.systemd && x_plan.database->local &&
               x_plan.database->socket == default_socket &&
               (x_in.record.own_mariadb || x_plan.database->start_server);
    }
    [[nodiscard]] bool jwt() const { return x_answers.jwt.value_or(false); }
    // What slurm.conf says of it, which is the controller's: not seen from here, it has accounting
    // unless --without-accounting says no.
    [[nodiscard]] bool rest_accounting() const {
        if (has(Role::controller) || has(Role::dbd)) return x_accounting;
        return x_answers.accounting.value_or(true);
    }

    void user(const char* name, const char* comment, const std::optional<std::uint32_t>& id) {
        PlannedUser planned{name, comment, id, x_facts.accounts.user(name) != nullptr,
                            x_facts.accounts.group(name) != nullptr};
        x_plan.users.push_back(std::move(planned));
    }
    void users() {
        if (runs_munge()) user("munge", "MUNGE authentication", x_answers.munge_uid);
        user("slurm", "Slurm workload manager", x_answers.slurm_uid);
        if (has(Role::rest)) user("slurmrestd", "Slurm REST daemon", std::nullopt);
    }

    // On compute hosts slurmd, as root, reads its configuration there.
    [[nodiscard]] const char* run_owner() const {
        return has(Role::controller) || x_accounting_here || x_sackd ? "slurm" : "root";
    }

    [[nodiscard]] bool has_slurm_logs() const { return has(Role::controller) || x_accounting_here; }
    // Under the supervisor there is what daemons print, too.
    [[nodiscard]] bool has_logs() const {
        return has_slurm_logs() || has(Role::compute) || !x_plan.systemd;
    }

    void folder(const char* path, const char* owner, unsigned mode) {
        x_plan.folders.push_back({path, {owner, owner}, mode});
    }
    void folders() {
        folder("/etc/slurm", "root", 0755);
        // Read by logrotate, should it be installed one day.
        if (has_logs()) folder("/etc/logrotate.d", "root", 0755);
        if (x_plan.systemd) folder("/etc/sysusers.d", "root", 0755);
        if (runs_munge()) {
            folder("/etc/munge", "munge", 0700);
            folder("/var/lib/munge", "munge", 0711);
            folder("/var/log/munge", "munge", 0700);
            folder("/run/munge", "munge", 0755);
        }
        folder("/run/slurm", run_owner(), 0755);
        if (has_slurm_logs()) folder("/var/log/slurm", "slurm", 0750);
        if (has(Role::controller)) {
            folder("/var/lib/slurm", "root", 0755);
            folder(controller_state_folder, "slurm", 0700);
        }
        if (has(Role::compute)) folder("/var/spool/slurmd", "root", 0755);
        if (has(Role::compute) || !x_plan.systemd) folder("/var/log/slurmd", "root", 0750);
        if (has(Role::rest)) folder("/run/slurmrestd", "slurmrestd", 0755);
        // The distribution's unit makes it, where there are units.
        if (runs_mariadb()) folder("/run/mysqld", "mysql", 0755);
    }

    void secrets() {
        // Only the controller's host makes them; what was brought to another gets its owner.
        const bool makes = has(Role::controller);
        if (runs_munge()) {
            x_plan.secrets.push_back({std::string(munge_key_path),
                                      {"munge", "munge"},
                                      0400,
                                      makes ? munge_key_size : 0});
        }
        if (jwt() && (makes || has(Role::dbd))) {
            x_plan.secrets.push_back(
                {std::string(jwt_key_path), {"slurm", "slurm"}, 0400, makes ? jwt_key_size : 0});
        }
    }

    [[nodiscard]] Values values() const {
        const std::string address = x_answers.address.value_or("");
        const std::string nodes = x_answers.nodes.value_or("");
        std::string node_line = "NodeName=" + nodes;
        if (nodes == x_facts.host && !address.empty()) node_line += " NodeAddr=" + address;
        if (x_answers.node_parameters && !x_answers.node_parameters->empty())
            node_line += ' ' + *x_answers.node_parameters;
        node_line += " State=UNKNOWN";
        const std::string controller = x_answers.controller.value_or("");
        const std::string yes = "yes";
        const bool confine = x_plan.systemd && x_facts.cgroups;
        const std::string memory = memory_per_cpu(x_answers.node_parameters.value_or(""));
        return {{"tree", x_in.tree},
                // "$$" is one "$" to systemd.
                {"lease_command", base::replace_all(base::shell_join(lease_command()), "$", "$$")},
                {"own_munge", runs_munge() ? yes : ""},
                {"run_owner", run_owner()},
                {"rest", has(Role::rest) ? yes : ""},
                // Stay: filled in when the users are there.
                {"munge_uid", "@munge_uid@"},
                {"munge_gid", "@munge_gid@"},
                {"slurm_uid", "@slurm_uid@"},
                {"slurm_gid", "@slurm_gid@"},
                {"slurmrestd_uid", "@slurmrestd_uid@"},
                {"slurmrestd_gid", "@slurmrestd_gid@"},
                {"slurm_logs", has_slurm_logs() ? yes : ""},
                {"slurmd_logs", has(Role::compute) ? yes : ""},
                {"cluster", *x_answers.cluster},
                {"controller", controller},
                {"controller_address", address.empty() ? "" : '(' + address + ')'},
                {"node_lines", node_line},
                {"jwt", jwt() ? yes : ""},
                {"memory_per_cpu", memory},
                {"no_memory", memory.empty() ? yes : ""},
                {"proctrack", confine ? "proctrack/cgroup" : "proctrack/linuxproc"},
                {"task", confine ? "task/cgroup,task/affinity" : "task/affinity"},
                {"gather", confine ? "jobacct_gather/cgroup" : "jobacct_gather/linux"},
                {"cgroups", confine ? yes : ""},
                {"no_cgroups", confine ? "" : no_cgroups()},
                {"idle_cgroup_plugin", idle_cgroup_plugin(x_plan.version)},
                {"rest_plugins", rest_plugins(x_plan.version, rest_accounting())},
                {"accounting", x_accounting ? yes : ""},
                {"no_accounting", x_accounting ? "" : no_accounting()},
                {"dbd_host", x_facts.host},
                {"accounting_host", accounting_host()},
                {"db_host", x_answers.db_host.value_or("localhost")},
                {"db_port", std::to_string(x_answers.db_port.value_or(3306))},
                {"db_user", x_answers.db_user.value_or("slurm")},
                {"db_password", "@db_password@"},  // stays: filled in while it is written
                {"conf_server", conf_server()}};
    }
    // By the helper of what `current` leads to, as the daemons: another host may have switched it,
    // and this version may be gone.
    [[nodiscard]] std::vector<std::string> lease_command(const char* keep = "") const {
        return {
            "/bin/sh", "-c",
            fmt::format("v=$(readlink {0}/current) && exec {0}/{1}/\"${{v##*/}}\"/{2} lease{3} {0}",
                        x_in.tree, model::bundle_assets_folder, model::helper_name, keep)};
    }
    [[nodiscard]] std::string no_cgroups() const {
        if (!x_plan.systemd) {
            return "without systemd nobody hands slurmd a control group of its own";
        }
        return "this machine has no control groups of version 2 with cpu, cpuset and memory";
    }
    [[nodiscard]] std::string no_accounting() const {
        if (!x_answers.accounting.value_or(true)) return "--without-accounting was said";
        if (has(Role::dbd)) {
            return "this bundle's Slurm has no plugin for a database "
                   "(accounting_storage_mysql)";
        }
        return "no --dbd-host was named";
    }
    // Where slurmctld finds slurmdbd. The name of this host need not be known to it.
    [[nodiscard]] std::string accounting_host() const {
        if (x_answers.dbd_host) return *x_answers.dbd_host;
        const std::string address = x_answers.address.value_or("");
        return address.empty() ? x_facts.host : address;
    }
    [[nodiscard]] std::string conf_server() const {
        if (has(Role::controller)) return {};
        return " --conf-server " + controller_and_port();
    }
    [[nodiscard]] std::string controller_and_port() const {
        std::string controller = x_answers.controller.value_or("");
        if (controller.find(':') != std::string::npos) return controller;
        return fmt::format("{}:{}", controller, slurmctld_port);
    }

    Result<std::string> rendered(const std::string& name) const {
        const auto found = x_in.templates.find(name);
        if (found == x_in.templates.end())
            return fail(Code::corrupt, "the bundle lacks its template {}", name);
        return base::during(render(found->second, values()), "reading the template " + name);
    }
    Status file(const std::string& path, const std::string& name, Owner owner, unsigned mode) {
        SF_TRY(std::string content, rendered(name));
        const bool password = content.find("@db_password@") != std::string::npos;
        x_plan.files.push_back({path, std::move(owner), mode, std::move(content), password});
        return {};
    }

    Status configuration() {
        if (has(Role::controller)) {
            SF_CHECK(file("/etc/slurm/slurm.conf", "config/slurm.conf", {}, 0644));
            SF_CHECK(file("/etc/slurm/cgroup.conf", "config/cgroup.conf", {}, 0644));
        }
        if (x_accounting_here) {
            SF_CHECK(file(std::string(slurmdbd_conf_path), "config/slurmdbd.conf",
                          {"slurm", "slurm"}, 0600));
        }
        if (!has_logs()) return {};
        const char* rotation = x_plan.systemd ? "logrotate.d/systemd" : "logrotate.d/supervisor";
        return file("/etc/logrotate.d/slurm-factory", rotation, {}, 0644);
    }

    void database() {
        if (!x_accounting_here) return;
        PlannedDatabase database;
        database.local = x_answers.db_host.value_or("localhost") == "localhost";
        database.socket = x_facts.mariadb_socket;
        database.start_server =
            !x_plan.systemd && !x_facts.listeners.sockets.contains(database.socket);
        database.server = x_facts.mariadb_server;
        database.client = x_facts.mariadb_client;
        database.user = x_answers.db_user.value_or("slurm");
        database.password_file = x_in.options.db_password_file;
        x_plan.database = std::move(database);
    }

    void backup() {
        const std::string& from = x_in.record.version;
        if (from.empty() || x_in.options.without_backup) return;
        if (step_between(from, x_in.bundle.version) != ReleaseStep::upgrade) return;
        PlannedBackup backup;
        backup.from = from;
        backup.folder = fmt::format("{}/{}-to-{}", backup_root, from, x_in.bundle.version);
        if (has(Role::controller)) backup.state = controller_state_folder;
        const bool was_there = x_facts.secrets.contains(std::string(slurmdbd_conf_path));
        if (x_accounting_here && was_there) backup.dump = x_facts.mariadb_dump;
        if (!backup.state.empty() || !backup.dump.empty()) x_plan.backup = std::move(backup);
    }

    Status unit(const std::string& name) {
        SF_CHECK(file("/etc/systemd/system/" + name, "systemd/" + name, {}, 0644));
        x_plan.units.push_back(name);
        return {};
    }
    Status units() {
        SF_CHECK(
            file("/etc/tmpfiles.d/slurm-factory.conf", "tmpfiles.d/slurm-factory.conf", {}, 0644));
        SF_CHECK(
            file("/etc/sysusers.d/slurm-factory.conf", "sysusers.d/slurm-factory.conf", {}, 0644));
        x_plan.files.back().has_ids = true;
        if (x_own_munge) {
            SF_CHECK(unit("munge.service"));
        } else {
            x_plan.units.emplace_back("munge.service");  // the distribution's
        }
        if (x_accounting_here && x_plan.database->local)
            x_plan.units.emplace_back("mariadb.service");
        if (x_accounting_here) SF_CHECK(unit("slurmdbd.service"));
        if (has(Role::controller)) SF_CHECK(unit("slurmctld.service"));
        if (has(Role::compute)) SF_CHECK(unit("slurmd.service"));
        if (x_sackd) SF_CHECK(unit("sackd.service"));
        if (has(Role::rest)) SF_CHECK(unit("slurmrestd.service"));
        if (x_plan.leased) {
            SF_CHECK(file("/etc/systemd/system/slurm-factory-lease.service",
                          "systemd/slurm-factory-lease.service", {}, 0644));
            SF_CHECK(unit("slurm-factory-lease.timer"));
        }
        return {};
    }

    Service& service(const std::string& name, std::vector<std::string> argv, const char* owner) {
        Service made;
        made.name = name;
        made.argv = std::move(argv);
        made.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}};
        made.owner = {owner, owner};
        made.log = "/var/log/slurmd/" + name + ".console.log";
        x_plan.services.push_back(std::move(made));
        return x_plan.services.back();
    }
    [[nodiscard]] std::string program(const char* name) const {
        return x_in.tree + "/current/sbin/" + name;
    }
    // On this port, unless the file names another.
    static void listens(Service& service, std::uint16_t port, std::string_view file,
                        std::string_view name) {
        service.ready_port = port;
        service.port = {std::string(file), std::string(name)};
    }
    Status services() {
        if (x_own_munge || !munge_listens()) {
            service("munged", {program("munged"), "--foreground"}, "munge").ready_socket =
                munge_socket_path;
        }
        if (runs_mariadb()) {
            Service& mariadbd =
                service("mariadbd", {x_plan.database->server, "--user=mysql"}, "root");
            mariadbd.ready_socket = x_plan.database->socket;
            mariadbd.patience = std::chrono::seconds(900);  // as its unit of systemd
        }
        if (x_accounting_here) {
            Service& slurmdbd = service("slurmdbd", {program("slurmdbd"), "-D"}, "slurm");
            listens(slurmdbd, slurmdbd_port, slurmdbd_conf_path, slurmdbd_port_name);
            // The first time after an upgrade it converts the tables before it listens.
            slurmdbd.patience = std::chrono::hours(1);
        }
        if (has(Role::controller)) {
            listens(service("slurmctld", {program("slurmctld"), "-D"}, "slurm"), slurmctld_port,
                    slurm_conf_path, slurmctld_port_name);
        }
        std::vector<std::string> server;
        if (!has(Role::controller)) server = {"--conf-server", controller_and_port()};
        // Others have fetched theirs from the controller by the time they listen.
        const std::string_view conf = has(Role::controller) ? slurm_conf_path : fetched_conf_path;
        const auto with_server = [&](std::vector<std::string> argv) {
            argv.insert(argv.end(), server.begin(), server.end());
            return argv;
        };
        if (has(Role::compute)) {
            listens(service("slurmd", with_server({program("slurmd"), "-D"}), "root"), slurmd_port,
                    conf, slurmd_port_name);
        }
        // It listens, to be told of changes, once it has fetched what slurmrestd will read.
        if (x_sackd) {
            Service& sackd = service("sackd", with_server({program("sackd"), "-D"}), "slurm");
            listens(sackd, slurmd_port, conf, slurmd_port_name);
            // It asks slurmctld every ten seconds, and does not end by being asked meanwhile.
            sackd.patience = std::chrono::seconds(30);
            sackd.boot_patience = default_boot_patience;
        }
        if (has(Role::rest)) {
            Service& rest = service("slurmrestd",
                                    {program("slurmrestd"), "-a", "rest_auth/jwt",
                                     fmt::format("unix:{}", rest_socket_path)},
                                    "slurmrestd");
            rest.environment["SLURM_JWT"] = "daemon";
            const std::string plugins = rest_plugins(x_plan.version, rest_accounting());
            if (!plugins.empty()) rest.environment["SLURMRESTD_OPENAPI_PLUGINS"] = plugins;
            rest.ready_socket = rest_socket_path;
        }
        if (x_plan.leased) service("lease", lease_command(" --keep"), "root");
        SF_TRY(std::string content, services_to_json(x_plan.services));
        x_plan.files.push_back({"/etc/slurm/supervisor.json", {}, 0644, std::move(content), false});
        return {};
    }

    void notes() {
        if (has(Role::controller) && !x_accounting) {
            x_plan.notes.push_back("no accounting: " + no_accounting());
        }
        if (has(Role::controller) && !(x_plan.systemd && x_facts.cgroups)) {
            x_plan.notes.push_back("jobs are not confined: " + no_cgroups());
        }
        if (has(Role::controller) && x_answers.node_parameters.value_or("").empty()) {
            x_plan.notes.emplace_back(
                "the nodes' processors and memory are not known: say --node-parameters, or edit "
                "slurm.conf");
        }
        if (!x_in.shared.empty()) {
            x_plan.notes.push_back(fmt::format(
                "other hosts may run from {} too: {}. `current` in it is theirs as well, and this "
                "host says there, every {} hours, what it runs from it",
                x_in.tree, x_in.shared, renewal_hours));
        }
        if (!x_facts.perl && has_perl_scripts()) {
            x_plan.notes.push_back(fmt::format(
                "the contributed scripts (qsub, qstat, sjstat, seff and others) do not run: they "
                "need Perl with its modules: {} install perl",
                x_in.target.family == "el" ? "dnf" : "apt-get"));
        }
        port_of_slurmd();
        if (!x_plan.systemd) {
            x_plan.notes.emplace_back(
                "there is no systemd: the daemons run under slurm-setup supervise, and "
                "--start-services starts them again after a boot");
        }
    }

    // Before anything was fetched it is likely the usual one, and nobody can be refused for that.
    void port_of_slurmd() {
        const bool fetches = !has(Role::controller) && (has(Role::compute) || x_sackd);
        if (!fetches || x_facts.fetched_slurmd_port ||
            !x_facts.listeners.ports.contains(slurmd_port) || x_facts.runs("slurmd") ||
            x_facts.runs("sackd"))
            return;
        x_plan.notes.push_back(fmt::format(
            "port {0} was in use here: {1} needs it, unless slurmctld's SlurmdPort is another (see "
            "who it is: ss -ltnp 'sport = :{0}')",
            slurmd_port, has(Role::compute) ? "slurmd" : "sackd"));
    }

    [[nodiscard]] bool has_perl_scripts() const {
        return std::ranges::any_of(x_in.bundle.packages, [](const model::Package& package) {
            return std::ranges::any_of(package.files, [](const model::FileEntry& file) {
                return file.path == "lib/perl/Slurm.pm";
            });
        });
    }

    const PlanInputs& x_in;
    const Facts& x_facts;
    const Answers& x_answers;
    const std::set<Role>& x_roles;
    bool x_accounting_here = false;
    bool x_accounting = false;
    bool x_own_munge = false;
    bool x_sackd = false;
    Plan x_plan;
};

}  // namespace

Result<Target> parse_target(std::string_view text) {
    SF_TRY(const base::Json json, base::parse_json(text));
    Target target;
    for (const auto& [key, into] : {std::pair{"title", &target.title},
                                    {"family", &target.family},
                                    {"os_id", &target.os.id},
                                    {"os_version", &target.os.version_id}}) {
        if (!json.is_object() || !json.contains(key) || !json[key].is_string())
            return fail(Code::corrupt, "target.json lacks '{}'", key);
        *into = json[key].get<std::string>();
    }
    if (json.contains("codename") && json["codename"].is_string())
        target.codename = json["codename"].get<std::string>();
    return target;
}

Answers effective_answers(const Options& options, const Record& record, const Facts& facts) {
    Answers answers = record.answers.overridden_by(options.answers);
    if (!answers.roles) answers.roles = parse_roles("all").value();
    const std::set<Role>& roles = *answers.roles;
    if (!answers.cluster) answers.cluster = "cluster";
    if (roles.contains(Role::controller)) {
        answers.controller = facts.host;
        if (!answers.nodes && roles.contains(Role::compute)) answers.nodes = facts.host;
    }
    if (!answers.address) {
        // "": its name resolves to what others reach.
        const bool resolves = std::ranges::any_of(
            facts.accounts.addresses, [](const std::string& each) { return !loopback(each); });
        if (resolves) {
            answers.address = "";
        } else if (!facts.addresses.empty()) {
            answers.address = facts.addresses.front();
        }
    }
    return answers;
}

Result<Planned> make_plan(const PlanInputs& inputs, const Answers& answers) {
    Planned planned;
    planned.answers = answers;
    if (answers.nodes == inputs.facts.host && !answers.node_parameters &&
        !inputs.node_parameters.empty()) {
        planned.answers.node_parameters = inputs.node_parameters;
    }
    SF_TRY(planned.plan, Planner(inputs, planned.answers).make());
    return planned;
}

bool has_plugin(const model::Bundle& bundle, std::string_view file) {
    const std::string path = "lib/slurm/" + std::string(file);
    for (const model::Package& package : bundle.packages) {
        if (package.name != bundle.name) continue;
        return std::ranges::any_of(
            package.files, [&](const model::FileEntry& entry) { return entry.path == path; });
    }
    return false;
}

}  // namespace sf::deploy
