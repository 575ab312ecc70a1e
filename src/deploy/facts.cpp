// SPDX-License-Identifier: Apache-2.0
#include "deploy/facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "model/cpu_level.hpp"
#include "tree/host_libraries.hpp"

namespace sf::deploy {

using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t cgroup2_magic = 0x63677270;
constexpr std::array daemon_names{"slurmctld", "slurmd", "slurmdbd", "slurmrestd", "sackd"};

bool is_file(Host& host, const fs::path& path) {
    const auto info = host.look(path);
    return info && info->type == PathInfo::Type::file;
}
bool exists(Host& host, const fs::path& path) {
    const auto info = host.look(path);
    return info && info->type != PathInfo::Type::absent;
}

// What the installer asks of libraries goes through its own seam.
class HostLibraryFiles : public tree::LibraryFiles {
public:
    explicit HostLibraryFiles(Host& host) : x_host(host) {}
    Kind kind(const fs::path& path) override {
        const auto info = x_host.look(path);
        if (!info || info->type == PathInfo::Type::absent) return Kind::absent;
        if (info->type == PathInfo::Type::file) return Kind::file;
        return info->type == PathInfo::Type::symlink ? Kind::symlink : Kind::other;
    }
    Result<std::string> read_link(const fs::path& path) override { return x_host.read_link(path); }
    Result<std::string> read(const fs::path& file) override { return x_host.read(file); }

private:
    Host& x_host;
};

std::vector<std::string> missing_libraries(Host& host, const model::Bundle& bundle) {
    tree::LibraryNeeds needs;
    for (const model::Package& package : bundle.packages) tree::add_needs(needs, package);
    HostLibraryFiles files(host);
    std::vector<std::string> missing;
    for (const tree::MissingLibrary& each : tree::missing_libraries(files, needs))
        missing.push_back(each.text());
    return missing;
}

// perl-base of Debian, which is everywhere, has not all that the scripts use. Their modules are
// asked for by their files, since looking runs nothing.
bool whole_perl(Host& host) {
    if (!exists(host, "/usr/bin/perl")) return false;
    std::vector<fs::path> folders{"/usr/share/perl5", "/usr/share/perl5/vendor_perl"};
    const fs::path debian = "/usr/share/perl";
    for (const std::string& version : host.list(debian).value_or(std::vector<std::string>()))
        folders.push_back(debian / version);
    return std::ranges::all_of(
        std::array{"FindBin.pm", "Getopt/Long.pm", "Pod/Usage.pm"}, [&](const char* module) {
            return std::ranges::any_of(
                folders, [&](const fs::path& folder) { return exists(host, folder / module); });
        });
}

bool usable_cgroups(Host& host) {
    if (!host.on_file_system("/sys/fs/cgroup", cgroup2_magic)) return false;
    const auto controllers = host.read("/sys/fs/cgroup/cgroup.controllers");
    if (!controllers) return false;
    const std::vector<std::string> words = base::split(std::string(base::trim(*controllers)), ' ');
    return std::ranges::all_of(std::array{"cpu", "cpuset", "memory"}, [&](const char* wanted) {
        return std::ranges::find(words, wanted) != words.end();
    });
}

void find_mariadb(Host& host, Facts& facts) {
    for (const char* path : {"/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/libexec/mysqld",
                             "/usr/sbin/mysqld"}) {
        if (facts.mariadb_server.empty() && is_file(host, path)) facts.mariadb_server = path;
    }
    for (const char* path : {"/usr/bin/mariadb", "/usr/bin/mysql"}) {
        if (facts.mariadb_client.empty() && is_file(host, path)) facts.mariadb_client = path;
    }
    for (const char* path : {"/usr/bin/mariadb-dump", "/usr/bin/mysqldump"}) {
        if (facts.mariadb_dump.empty() && is_file(host, path)) facts.mariadb_dump = path;
    }
    facts.mariadb_socket = listening_mariadb(facts.listeners);
    if (facts.mariadb_socket.empty()) facts.mariadb_socket = mariadb_sockets.front();
}

// Those of daemons, by what is configured here.
void find_ports(Host& host, Facts& facts) {
    const auto port = [&](std::string_view file, std::string_view name, std::uint16_t otherwise) {
        return configured_port(host, {std::string(file), std::string(name)}, otherwise);
    };
    facts.slurmctld_port = port(slurm_conf_path, slurmctld_port_name, slurmctld_port);
    facts.slurmd_port = port(slurm_conf_path, slurmd_port_name, slurmd_port);
    facts.slurmdbd_port = port(slurmdbd_conf_path, slurmdbd_port_name, slurmdbd_port);
    if (exists(host, fetched_conf_path))
        facts.fetched_slurmd_port = port(fetched_conf_path, slurmd_port_name, slurmd_port);
}

}  // namespace

bool Facts::runs(std::string_view daemon) const {
    return std::ranges::find(daemons, daemon, &Process::name) != daemons.end();
}

Result<std::vector<Process>> find_daemons(Host& host) {
    std::vector<Process> found;
    SF_TRY(const std::vector<std::string> names, host.list("/proc"));
    for (const std::string& name : names) {
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error != std::errc() || end != name.data() + name.size()) continue;
        const auto comm = host.read("/proc/" + name + "/comm");
        if (!comm) continue;  // it has ended meanwhile
        const std::string called(base::trim(*comm));
        if (std::ranges::find(daemon_names, called) == daemon_names.end()) continue;
        const auto program = host.read_link("/proc/" + name + "/exe");
        found.push_back({pid, called, program ? *program : std::string()});
    }
    return found;
}

std::string listening_mariadb(const Listeners& listeners) {
    for (const std::string_view path : mariadb_sockets) {
        if (listeners.sockets.contains(std::string(path))) return std::string(path);
    }
    return {};
}

Result<Facts> gather_facts(Host& host, std::string_view looked_up, const model::Bundle& bundle) {
    Facts facts;
    SF_TRY(facts.accounts, parse_accounts(looked_up));
    // Looked up before we waited for another installer, which has made users since.
    const auto passwd = host.read("/etc/passwd");
    const auto groups = host.read("/etc/group");
    if (passwd && groups) add_local(facts.accounts, *passwd, *groups);
    facts.host = host.host_name();
    facts.addresses = host.interface_addresses();
    for (const char* path : {"/usr/lib/os-release", "/etc/os-release"}) {
        const auto text = host.read(path);
        if (text && facts.os.id.empty()) facts.os = model::parse_os_release(*text);
    }
    SF_TRY(const std::string cpuinfo, base::during(host.read("/proc/cpuinfo"),
                                                   "looking at the processor (is /proc mounted?)"));
    facts.cpu_level = model::cpu_level(cpuinfo, host.lzcnt_works());
    facts.systemd = exists(host, "/run/systemd/system");
    facts.cgroups = usable_cgroups(host);
    SF_TRY(facts.listeners, find_listeners(host));
    find_ports(host, facts);
    SF_TRY(facts.daemons, find_daemons(host));
    for (const char* folder : {"/usr/sbin", "/usr/bin", "/sbin"}) {
        for (const char* name : {"slurmctld", "slurmd", "slurmdbd", "srun"}) {
            const fs::path path = fs::path(folder) / name;
            // Where /sbin is a link to /usr/sbin each would be told twice.
            const auto link = host.look(folder);
            if (!link || link->type != PathInfo::Type::folder) continue;
            if (exists(host, path)) facts.other_slurm.push_back(path.native());
        }
    }
    facts.other_munge = exists(host, "/usr/sbin/munged");
    find_mariadb(host, facts);
    for (const std::string_view path : {munge_key_path, jwt_key_path, slurmdbd_conf_path}) {
        SF_TRY(const PathInfo info, host.look(path));
        if (info.type != PathInfo::Type::absent) facts.secrets[std::string(path)] = info;
    }
    facts.missing_host_libraries = missing_libraries(host, bundle);
    facts.perl = whole_perl(host);
    return facts;
}

}  // namespace sf::deploy
