// SPDX-License-Identifier: Apache-2.0
#include "deploy/facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "model/cpu_level.hpp"

namespace sf::deploy {

using base::Result;
using base::Status;

namespace {

constexpr std::uint64_t cgroup2_magic = 0x63677270;
constexpr std::array daemon_names{"slurmctld", "slurmd", "slurmdbd", "slurmrestd", "sackd"};
constexpr std::array library_folders{"/lib/x86_64-linux-gnu",
                                     "/usr/lib/x86_64-linux-gnu",
                                     "/lib64",
                                     "/usr/lib64",
                                     "/lib",
                                     "/usr/lib"};

bool is_file(Host& host, const fs::path& path) {
    const auto info = host.look(path);
    return info && info->type == PathInfo::Type::file;
}
bool exists(Host& host, const fs::path& path) {
    const auto info = host.look(path);
    return info && info->type != PathInfo::Type::absent;
}

std::string unquoted(std::string text) {
    if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
        text.back() == text.front()) {
        return text.substr(1, text.size() - 2);
    }
    return text;
}

// The library's own file: names in the folders of libraries are links to it.
std::optional<fs::path> find_library(Host& host, const std::string& soname) {
    for (const char* folder : library_folders) {
        fs::path at = fs::path(folder) / soname;
        for (int links = 0; links < 8; ++links) {
            const auto info = host.look(at);
            if (!info || info->type == PathInfo::Type::absent) break;
            if (info->type == PathInfo::Type::file) return at;
            if (info->type != PathInfo::Type::symlink) break;
            const auto target = host.read_link(at);
            if (!target) break;
            at = (at.parent_path() / *target).lexically_normal();
        }
    }
    return std::nullopt;
}

// A version a library defines stands in its table of strings, between zeros.
void check_library(Host& host, const model::HostRequirement& wanted,
                   std::vector<std::string>& missing) {
    const auto path = find_library(host, wanted.soname);
    if (!path) {
        missing.push_back(wanted.soname);
        return;
    }
    const auto content = host.read(*path);
    if (!content) {
        missing.push_back(wanted.soname + " (cannot be read)");
        return;
    }
    for (const std::string& version : wanted.versions) {
        const std::string entry = '\0' + version + '\0';
        if (content->find(entry) == std::string::npos)
            missing.push_back(fmt::format("{} ({})", wanted.soname, version));
    }
}

std::vector<std::string> missing_libraries(Host& host, const model::Bundle& bundle) {
    std::map<std::string, model::HostRequirement> wanted;
    for (const model::Package& package : bundle.packages) {
        for (const model::HostRequirement& requirement : package.host_requirements) {
            model::HostRequirement& all = wanted[requirement.soname];
            all.soname = requirement.soname;
            for (const std::string& version : requirement.versions) {
                if (std::ranges::find(all.versions, version) == all.versions.end())
                    all.versions.push_back(version);
            }
        }
    }
    std::vector<std::string> missing;
    for (const auto& [soname, requirement] : wanted) check_library(host, requirement, missing);
    return missing;
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

}  // namespace

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

OsFacts parse_os_release(std::string_view text) {
    OsFacts os;
    for (const std::string& line : base::split(text, '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string::npos) continue;
        const std::string name = line.substr(0, equals);
        const std::string value = unquoted(line.substr(equals + 1));
        if (name == "ID") os.id = value;
        if (name == "ID_LIKE") os.like = value;
        if (name == "VERSION_ID") os.version_id = value;
        if (name == "PRETTY_NAME") os.title = value;
    }
    return os;
}

Result<Facts> gather_facts(Host& host, std::string_view looked_up, const model::Bundle& bundle) {
    Facts facts;
    SF_TRY(facts.accounts, parse_accounts(looked_up));
    facts.host = host.host_name();
    facts.addresses = host.interface_addresses();
    for (const char* path : {"/usr/lib/os-release", "/etc/os-release"}) {
        const auto text = host.read(path);
        if (text && facts.os.id.empty()) facts.os = parse_os_release(*text);
    }
    SF_TRY(const std::string cpuinfo, base::during(host.read("/proc/cpuinfo"),
                                                   "looking at the processor (is /proc mounted?)"));
    facts.cpu_level = model::cpu_level(cpuinfo, host.lzcnt_works());
    facts.systemd = exists(host, "/run/systemd/system");
    facts.cgroups = usable_cgroups(host);
    SF_TRY(facts.listeners, find_listeners(host));
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
    return facts;
}

}  // namespace sf::deploy
