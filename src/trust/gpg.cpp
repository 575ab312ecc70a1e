// SPDX-License-Identifier: Apache-2.0
#include "trust/gpg.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/text.hpp"

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
    base::Result<base::TempDir> folder = base::TempDir::create("/tmp", "sfk-");
    if (folder) return folder;
    auto second = base::TempDir::create("/var/tmp", "sfk-");
    return second ? std::move(second) : std::move(folder);
}

base::Environment gpg_environment(const fs::path& home) {
    return {{"PATH", "/usr/bin:/bin"},
            {"LC_ALL", "C"},
            {"TZ", "UTC"},
            {"HOME", home.string()},
            {"GNUPGHOME", home.string()}};
}

base::Result<GpgSession> GpgSession::open(const fs::path& home) {
    SF_CHECK(check_program(gpg_program));
    SF_CHECK(check_program(gpgconf_program));
    SF_CHECK(make_private_folder(home));
    SF_TRY(base::FileLock lock, base::FileLock::acquire(home / ".slurm-factory.lock"));
    SF_TRY(base::TempDir room, short_temporary_folder());
    std::error_code error;
    const fs::path target = fs::absolute(home, error);
    if (error) return base::fail_errno(error.value(), "find the current folder");
    if (::symlink(target.c_str(), (room.path() / "h").c_str()) != 0) {
        return base::fail_errno(errno, "link to " + base::escape_untrusted(home.string()));
    }
    return GpgSession(std::move(room), std::move(lock));
}

base::Result<GpgSession> GpgSession::scratch() {
    SF_CHECK(check_program(gpg_program));
    SF_CHECK(check_program(gpgconf_program));
    SF_TRY(base::TempDir room, short_temporary_folder());
    SF_CHECK(make_private_folder(room.path() / "h"));
    return GpgSession(std::move(room), std::nullopt);
}

GpgSession::~GpgSession() {
    if (room().empty()) return;
    // Where /run/user/<uid> exists the sockets are there, in a folder of their own, which gpg makes
    // even if it then finds no agent. Elsewhere they go with the home: nothing is started for it.
    const bool has_folder = x_used && base::exists(fmt::format("/run/user/{}", ::geteuid()));
    if (!x_agent_used && !has_folder) return;
    for (const char* last : {"--kill", "--remove-socketdir"}) {
        if (!x_agent_used && last == std::string_view("--kill")) continue;
        base::Command stop;
        stop.argv = {std::string(gpgconf_program), "--homedir", home().string(), last};
        if (stop.argv.back() == "--kill") stop.argv.emplace_back("all");
        stop.environment = gpg_environment(home());
        stop.deadline = std::chrono::seconds(10);
        stop.though_stopped = true;
        // An agent that does not listen ends by itself when it finds its socket gone.
        [[maybe_unused]] const auto ignored = base::run(stop);
    }
}

base::Result<base::Finished> GpgSession::run(const GpgCall& call) {
    x_used = true;
    base::Command command;
    command.argv = {std::string(gpg_program),
                    "--homedir",
                    home().string(),
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
    command.environment = gpg_environment(home());
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
