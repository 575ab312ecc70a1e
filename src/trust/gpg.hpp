// SPDX-License-Identifier: Apache-2.0
// GnuPG as a tool: one home folder, opened for a few commands and closed again with every agent it
// started, but for one that is kept (kept_agent.hpp). Fixed program paths, no option files of the
// user, an environment of our own. Knows nothing of trust. One thread; two sessions on one home
// wait for each other, by a lock.
//
// The agent's socket must fit into 108 bytes and GnuPG puts it into the home, which may be deep. So
// GnuPG is given a short name: a symlink in a private folder below /tmp.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "trust/passphrase.hpp"

namespace sf::trust {

class KeptAgent;

inline constexpr std::string_view gpg_program = "/usr/bin/gpg";
inline constexpr std::string_view gpgconf_program = "/usr/bin/gpgconf";
inline constexpr std::string_view gpg_connect_program = "/usr/bin/gpg-connect-agent";
inline constexpr std::string_view gpgv_program = "/usr/bin/gpgv";
// In a home: whose session holds it is at work there.
inline constexpr std::string_view home_lock_name = ".slurm-factory.lock";
// Of the names of private folders below /tmp.
inline constexpr std::string_view private_folder_prefix = "sfk-";

// What to do next where a key's passphrase is what is missing.
inline constexpr const char* ways_to_unlock =
    "--passphrase-file FILE or --passphrase-fd N; or run it at a terminal (GPG_TTY), where GnuPG's "
    "agent can ask for it with a pinentry; or tell that agent beforehand (gpg-preset-passphrase; "
    "docs/formats/trust.md)";

struct GpgCall {
    std::vector<std::string> arguments;
    std::string_view input = {};  // for stdin, if stdin_fd is not set
    int stdin_fd = -1;
    const Passphrase* passphrase = nullptr;  // set for every command that uses a secret key
    std::chrono::milliseconds deadline = std::chrono::seconds(60);
};

class GpgSession {
public:
    // `home` must exist, belong to us and be closed to others. `agent`: of this home; the session
    // works with it and leaves it as it is; it must outlive the session.
    [[nodiscard]] static base::Result<GpgSession> open(const std::filesystem::path& home,
                                                       KeptAgent* agent = nullptr);
    // An empty home of its own, deleted with the session.
    [[nodiscard]] static base::Result<GpgSession> scratch();
    GpgSession(GpgSession&&) noexcept = default;
    GpgSession& operator=(GpgSession&&) = delete;
    ~GpgSession();

    // Fails if gpg cannot be started or ran out of time; its exit status is the caller's to judge.
    [[nodiscard]] base::Result<base::Finished> run(const GpgCall& call);
    // The same, but an exit status other than 0 is an error that says what gpg said.
    [[nodiscard]] base::Result<base::Finished> run_ok(const GpgCall& call);

    // A private folder for files to hand to gpg; deleted with the session.
    [[nodiscard]] const std::filesystem::path& room() const { return x_room.path(); }

private:
    GpgSession(base::TempDir room, std::filesystem::path home, std::optional<base::FileLock> lock,
               bool keeps_agent)
        : x_room(std::move(room)),
          x_home(std::move(home)),
          x_lock(std::move(lock)),
          x_keeps_agent(keeps_agent) {}
    base::TempDir x_room;
    std::filesystem::path x_home;  // by the name that GnuPG is given
    std::optional<base::FileLock> x_lock;
    bool x_keeps_agent;
    bool x_used = false;
    bool x_agent_used = false;
};

// A private folder with a short name.
[[nodiscard]] base::Result<base::TempDir> short_temporary_folder();

// `home` as it is called from everywhere; and a short name for it, a link in `room`.
[[nodiscard]] base::Result<std::filesystem::path> absolute_home(const std::filesystem::path& home);
[[nodiscard]] base::Result<std::filesystem::path> link_to_home(const std::filesystem::path& home,
                                                               const std::filesystem::path& room);

// The environment every GnuPG program of ours gets.
[[nodiscard]] base::Environment gpg_environment(const std::filesystem::path& home);

// "<program> is not installed", with the command that installs it.
[[nodiscard]] base::Status check_program(std::string_view program);

// Folder, not a symlink, ours, closed to others; created (0700) if absent.
[[nodiscard]] base::Status make_private_folder(const std::filesystem::path& path);

}  // namespace sf::trust
