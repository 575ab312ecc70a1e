// SPDX-License-Identifier: Apache-2.0
#include "trust/gpg.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"
#include "trust/kept_agent.hpp"

namespace sf::trust {

namespace fs = std::filesystem;

namespace {

constexpr int passphrase_fd = 3;

// What a pinentry needs to ask a person; nothing else of the caller's environment passes.
void let_agent_ask(base::Environment& environment) {
    const base::Environment ours = base::current_environment();
    for (const char* name : {"GPG_TTY", "TERM", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
                             "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"}) {
        if (auto found = ours.find(name); found != ours.end()) environment.insert(*found);
    }
}

bool is_by_agent(const GpgCall& call) {
    return call.passphrase != nullptr && call.passphrase->from == Passphrase::From::agent;
}

std::string last_words(const base::Finished& finished) {
    std::string words;
    for (const std::string& line : base::split(finished.err, '\n')) {
        if (line.empty()) continue;
        if (!words.empty()) words += "; ";
        words += base::escape_untrusted(line);
    }
    return words.substr(0, 2000);
}

}  // namespace

base::Status check_program(std::string_view program) {
    if (::access(std::string(program).c_str(), X_OK) == 0) return {};
    const bool verifier = program.ends_with("/gpgv");
    return base::fail_hint(
        base::Code::failed, fmt::format("{} is not installed", program),
        fmt::format("apt-get install {} (Debian, Ubuntu) or dnf install gnupg2 (EL)",
                    verifier ? "gpgv" : "gnupg"));
}

base::Status make_private_folder(const fs::path& path) {
    if (!base::exists(path)) {
        if (path.has_parent_path()) SF_CHECK(base::make_dirs(path.parent_path()));
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
            return base::fail_errno(errno, "create " + base::escape_untrusted(path.string()));
        }
    }
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        return base::fail_errno(errno, "look at " + base::escape_untrusted(path.string()));
    }
    const std::string shown = base::escape_untrusted(path.string());
    if (!S_ISDIR(status.st_mode)) {
        return base::fail(base::Code::refused, "{} is not a folder", shown);
    }
    if (status.st_uid != ::geteuid()) {
        return base::fail(base::Code::refused, "{} belongs to user {}, not to us", shown,
                          status.st_uid);
    }
    if ((status.st_mode & 077U) != 0) {
        return base::fail_hint(base::Code::refused, shown + " is open to other users",
                               "chmod 700 " + base::shell_quote(shown));
    }
    return {};
}

base::Result<base::TempDir> short_temporary_folder() {
    base::Result<base::TempDir> folder = base::TempDir::create("/tmp", private_folder_prefix);
    if (folder) return folder;
    auto second = base::TempDir::create("/var/tmp", private_folder_prefix);
    return second ? std::move(second) : std::move(folder);
}

base::Environment gpg_environment(const fs::path& home) {
    return {{"PATH", "/usr/bin:/bin"},
            {"LC_ALL", "C"},
            {"TZ", "UTC"},
            {"HOME", home.string()},
            {"GNUPGHOME", home.string()}};
}

base::Result<fs::path> absolute_home(const fs::path& home) {
    std::error_code error;
    fs::path absolute = fs::absolute(home, error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    return absolute;
}

base::Result<fs::path> link_to_home(const fs::path& home, const fs::path& room) {
    SF_TRY(const fs::path target, absolute_home(home));
    fs::path name = room / "h";
    if (::symlink(target.c_str(), name.c_str()) != 0) {
        return base::fail_errno(errno, "link to " + base::escape_untrusted(home.string()));
    }
    return name;
}

base::Result<GpgSession> GpgSession::open(const fs::path& home, KeptAgent* agent) {
    SF_CHECK(check_program(gpg_program));
    SF_CHECK(check_program(gpgconf_program));
    SF_CHECK(make_private_folder(home));
    SF_TRY(base::FileLock lock, base::FileLock::acquire(home / home_lock_name));
    SF_TRY(base::TempDir room, short_temporary_folder());
    if (agent != nullptr) return GpgSession(std::move(room), agent->use(), std::move(lock), true);
    SF_TRY(fs::path name, link_to_home(home, room.path()));
    return GpgSession(std::move(room), std::move(name), std::move(lock), false);
}

base::Result<GpgSession> GpgSession::scratch() {
    SF_CHECK(check_program(gpg_program));
    SF_CHECK(check_program(gpgconf_program));
    SF_TRY(base::TempDir room, short_temporary_folder());
    fs::path home = room.path() / "h";
    SF_CHECK(make_private_folder(home));
    return GpgSession(std::move(room), std::move(home), std::nullopt, false);
}

GpgSession::~GpgSession() {
    if (room().empty() || x_keeps_agent) return;
    if (x_agent_used) {
        end_agent(x_home, true);
    } else if (x_used) {
        forget_sockets(x_home);
    }
}

base::Result<base::Finished> GpgSession::run(const GpgCall& call) {
    x_used = true;
    base::Command command;
    command.argv = {std::string(gpg_program),
                    "--homedir",
                    x_home.string(),
                    "--no-options",
                    "--batch",
                    "--no-tty",
                    "--no-greeting",
                    "--quiet",
                    "--display-charset",
                    "utf-8",
                    "--no-auto-key-retrieve",
                    "--no-auto-key-locate",
                    "--disable-dirmngr",
                    "--no-auto-check-trustdb",
                    "--trust-model",
                    "always"};
    command.environment = gpg_environment(x_home);
    command.deadline = call.deadline;
    command.stdin_fd = call.stdin_fd;
    base::Fd opened;
    if (call.passphrase == nullptr) {
        command.argv.emplace_back("--no-autostart");
    } else {
        x_agent_used = true;
    }
    if (call.passphrase == nullptr) {
        // No secret key is needed.
    } else if (call.passphrase->from == Passphrase::From::agent) {
        let_agent_ask(command.environment);
        command.deadline = std::chrono::minutes(10);  // a person types
    } else {
        int descriptor = call.passphrase->descriptor;
        if (call.passphrase->from != Passphrase::From::descriptor) {
            // With no passphrase, /dev/null: a protected key then fails at once and nobody is
            // asked.
            if (call.passphrase->from == Passphrase::From::file) {
                SF_TRY(opened, open_passphrase_file(call.passphrase->file));
            } else {
                SF_TRY(opened, base::open_file("/dev/null", O_RDONLY));
            }
            descriptor = opened.get();
        }
        command.argv.insert(command.argv.end(), {"--pinentry-mode", "loopback", "--passphrase-fd",
                                                 std::to_string(passphrase_fd)});
        command.pass.push_back({descriptor, passphrase_fd});
    }
    command.argv.insert(command.argv.end(), call.arguments.begin(), call.arguments.end());
    SF_TRY(base::Finished finished, base::run(command, call.input));
    if (finished.timed_out && is_by_agent(call)) {
        return base::fail_hint(base::Code::exhausted,
                               "gpg did not finish in time: maybe it waits for a passphrase that "
                               "nobody has typed",
                               ways_to_unlock);
    }
    if (finished.timed_out) {
        return base::fail(base::Code::exhausted, "gpg did not finish in time");
    }
    return finished;
}

base::Result<base::Finished> GpgSession::run_ok(const GpgCall& call) {
    SF_TRY(base::Finished finished, run(call));
    if (!finished.exit.ok()) {
        return base::fail(base::Code::failed, "gpg failed ({}): {}", finished.exit.text(),
                          last_words(finished));
    }
    return finished;
}

}  // namespace sf::trust
