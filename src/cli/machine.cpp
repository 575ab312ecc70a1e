// SPDX-License-Identifier: Apache-2.0
#include "cli/machine.hpp"

#include <sys/statvfs.h>

#include <ctime>
#include <unistd.h>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "cli/archive_places.hpp"
#include "cli/machine_libraries.hpp"
#include "net/http.hpp"
#include "sandbox/bwrap_runner.hpp"
#include "sandbox/root_record.hpp"
#include "sandbox/root_request.hpp"
#include "trust/gpg.hpp"

namespace sf::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
constexpr std::uint64_t space_needed = 3 * gibibyte;  // a root and Slurm's build folder
constexpr std::uint64_t space_easy = 10 * gibibyte;   // several roots, compiler cache, bundles

std::string text_of(const fs::path& file) {
    auto text = base::read_file_if_exists(file);
    return text && *text ? std::move(**text) : std::string();
}

class Doctor {
public:
    Doctor(Session& session, const recipe::Catalog& catalog)
        : x_session(session),
          x_catalog(catalog),
          x_as_root(::geteuid() == 0),
          x_manager(package_manager(text_of("/etc/os-release"))) {}

    std::vector<Check> examine(const std::string& prefix) {
        sandbox();
        root_tools();
        subordinate_ids();
        gnupg();
        archives();
        certificates();
        space();
        processor();
        limits();
        clock();
        tree::OwnLibraryFiles files;
        for (Check& check :
             check_libraries(x_session, x_catalog, prefix, files, x_manager, x_as_root))
            x_checks.push_back(std::move(check));
        return std::move(x_checks);
    }

private:
    void add(std::string name, Health health, std::string detail, std::string mend = "") {
        x_checks.push_back({std::move(name), health, std::move(detail), std::move(mend)});
    }
    [[nodiscard]] std::string install(std::string_view tool) const {
        return install_command(x_manager, tool, x_as_root);
    }
    // A program in PATH.
    bool program(const char* name, const char* what) {
        const auto found = base::find_program(name);
        if (found) {
            add(name, Health::ok, base::escape_untrusted(found->string()));
        } else {
            add(name, Health::missing, fmt::format("{} is not installed: {}", name, what),
                install(name));
        }
        return found.has_value();
    }

    void sandbox() {
        if (!program("bwrap", "it makes the sandboxes that packages are built in")) return;
        sandbox::BwrapRunner runner;
        if (const base::Status status = runner.probe(); status) {
            add("sandbox", Health::ok, "a trial sandbox ran");
        } else {
            add("sandbox", Health::missing, status.error().text(), status.error().hint);
        }
    }

    void root_tools() {
        x_root_tools = program("mmdebstrap", "it makes the roots that packages are built in");
        x_root_tools =
            program("apt-get", "it fetches and verifies a root's packages") && x_root_tools;
    }

    void subordinate_ids() {
        if (x_as_root) return;  // not needed
        if (!program("newuidmap", "an ordinary user makes roots with it") || !x_root_tools) return;
        sandbox::RootRequest request;
        request.keyring = "/dev/null";  // keyrings are looked at below
        if (const base::Status status = sandbox::check_root_tools(request, false); status) {
            add("subordinate ids", Health::ok, "/etc/subuid and /etc/subgid have a range");
        } else {
            add("subordinate ids", Health::missing, status.error().text(), status.error().hint);
        }
    }

    void gnupg() {
        for (const std::string_view path : {trust::gpg_program, trust::gpgv_program}) {
            const std::string name = fs::path(path).filename().string();
            if (trust::check_program(path)) {
                add(name, Health::ok, std::string(path));
            } else {
                add(name, Health::missing,
                    fmt::format("{} is not there: nothing can be {}", path,
                                name == "gpg" ? "signed" : "verified"),
                    install(name));
            }
        }
        if (base::find_program("gpg-agent")) {
            add("gpg-agent", Health::ok, "installed");
        } else {
            add("gpg-agent", Health::missing, "gpg cannot sign without gpg-agent",
                install("gpg-agent"));
        }
    }

    // Of each family: are addresses known, and can what comes from there be verified?
    void archives() {
        net::ArchiveFinder finder(archive_options(x_session, x_catalog));
        std::vector<Check> found;
        bool some_family_works = false;
        for (const char* family : {"debian", "ubuntu"}) {
            Check check{fmt::format("archive of {}", family), Health::ok, "", ""};
            const std::vector<std::string> addresses = finder.archive_addresses(family);
            some_family_works = some_family_works || !addresses.empty();
            const model::Keyring* keyring = missing_keyring(family);
            if (addresses.empty()) {
                check.health = Health::worth_knowing;
                check.detail = "no address is known on this machine";
                check.mend =
                    fmt::format("{}, or set SLURM_FACTORY_{}_MIRROR", install("debootstrap"),
                                family == std::string_view("debian") ? "DEBIAN" : "UBUNTU");
            } else if (keyring != nullptr) {
                check.health = Health::worth_knowing;
                check.detail = fmt::format(
                    "{} is not here; it is fetched, from archives that this machine trusts, when "
                    "the first root is made",
                    keyring->file);
                check.mend = install(keyring->package);
            } else {
                check.detail = fmt::format("{} address{}, the keyring is here", addresses.size(),
                                           addresses.size() == 1 ? "" : "es");
            }
            found.push_back(std::move(check));
        }
        for (Check& check : found) {
            if (!some_family_works) check.health = Health::missing;
            x_checks.push_back(std::move(check));
        }
    }

    // The first that is neither installed nor fetched yet.
    [[nodiscard]] const model::Keyring* missing_keyring(const std::string& family) const {
        const fs::path fetched = x_session.state().roots() / sandbox::root_names::keyrings;
        for (const auto& [name, toolchain] : x_catalog.toolchains) {
            const fs::path file = toolchain.keyring.file;
            if (toolchain.family == family && ::access(file.c_str(), R_OK) != 0 &&
                ::access((fetched / file.filename()).c_str(), R_OK) != 0)
                return &toolchain.keyring;
        }
        return nullptr;
    }

    void certificates() {
        const std::string file = net::find_ca_file();
        if (!file.empty() && ::access(file.c_str(), R_OK) != 0) {
            // Named by whoever set a variable, and taken at the word.
            add("certificates", Health::missing,
                base::escape_untrusted(file) + " cannot be read: nothing can be fetched by https",
                "SSL_CERT_FILE=FILE names a file of CA certificates");
        } else if (!file.empty()) {
            add("certificates", Health::ok, base::escape_untrusted(file));
        } else {
            add("certificates", Health::worth_knowing,
                "no CA certificates: sources cannot be fetched by https",
                install("ca-certificates"));
        }
    }

    void space() {
        fs::path folder = x_session.options.state_dir;
        while (!base::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
        const std::string name = base::escape_untrusted(x_session.options.state_dir.string());
        struct statvfs info {};
        if (::statvfs(folder.c_str(), &info) != 0 || ::access(folder.c_str(), W_OK | X_OK) != 0 ||
            (info.f_flag & ST_RDONLY) != 0) {
            add("state folder", Health::missing, name + " cannot be written to",
                "--state-dir DIR, or SLURM_FACTORY_CACHE_DIR");
            return;
        }
        if ((info.f_flag & ST_NOEXEC) != 0) {
            add("state folder", Health::missing,
                name + " is on a file system mounted noexec: what is built there cannot run",
                "--state-dir DIR on another file system");
            return;
        }
        const std::uint64_t free = std::uint64_t{info.f_bavail} * info.f_frsize;
        const std::string detail = fmt::format("{}: {} free", name, base::human_bytes(free));
        if (free >= space_easy) {
            add("state folder", Health::ok, detail);
            return;
        }
        add("state folder", free < space_needed ? Health::missing : Health::worth_knowing,
            fmt::format("{}; a build needs about {}, {} is comfortable", detail,
                        base::human_bytes(space_needed), base::human_bytes(space_easy)),
            "slurm-factory clean, or --state-dir DIR on another file system");
    }

    void processor() {
        const std::string level = cpu_level(text_of("/proc/cpuinfo"));
        const bool enough = level == "x86_64_v3" || level == "x86_64_v4";
        if (enough) {
            add("processor", Health::ok, fmt::format("{}, {} to use", level, processors()));
        } else if (!level.empty()) {
            add("processor", Health::worth_knowing,
                level + ": what is built for the default target, x86_64_v3, does not run here",
                "--target " + level);
        } else {
            add("processor", Health::missing, "not x86-64: this version builds for nothing else",
                "use an x86-64 machine");
        }
    }

    [[nodiscard]] static long processors() { return ::sysconf(_SC_NPROCESSORS_ONLN); }

    void limits() {
        add("limits", Health::ok,
            "of memory and processes are kept by RLIMIT, for each process and user; cgroups are "
            "not "
            "used" +
                std::string(cgroup_is_ours() ? " (one is delegated here)"
                                             : " (none is delegated here)"));
    }

    [[nodiscard]] static bool cgroup_is_ours() {
        for (const std::string& line : base::split(text_of("/proc/self/cgroup"), '\n')) {
            if (!line.starts_with("0::/")) continue;
            const fs::path folder = fs::path("/sys/fs/cgroup") / line.substr(4);
            return ::access((folder / "cgroup.subtree_control").c_str(), W_OK) == 0;
        }
        return false;
    }

    // Signatures and certificates are judged by it.
    void clock() {
        const std::string today = base::utc_date(std::time(nullptr));
        std::string newest;
        for (const auto& [series, stack] : x_catalog.stacks)
            newest = std::max(newest, stack.released);
        if (today >= newest) {
            add("clock", Health::ok, fmt::format("{} (UTC)", today));
        } else {
            add("clock", Health::missing,
                fmt::format("it says {}, before the release of what is built ({}): signatures will "
                            "seem to come from the future",
                            today, newest),
                x_as_root ? "timedatectl set-ntp true" : "sudo timedatectl set-ntp true");
        }
    }

    Session& x_session;
    const recipe::Catalog& x_catalog;
    bool x_as_root;
    PackageManager x_manager;
    bool x_root_tools = false;
    std::vector<Check> x_checks;
};

}  // namespace

std::vector<Check> check_machine(Session& session, const recipe::Catalog& catalog,
                                 const std::string& prefix) {
    return Doctor(session, catalog).examine(prefix);
}

}  // namespace sf::cli
