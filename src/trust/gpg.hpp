// SPDX-License-Identifier: Apache-2.0
// GnuPG as a tool: one home folder, opened for a few commands and closed again with every agent it
// started. Fixed program paths, no option files of the user, an environment of our own. Knows
// nothing of trust. One thread; two sessions on one home wait for each other, by a lock.
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

inline constexpr std::string_view gpg_program = "/usr/bin/gpg";
inline constexpr std::string_view gpgconf_program = "/usr/bin/gpgconf";
inline constexpr std::string_view gpgv_program = "/usr/bin/gpgv";

struct GpgCall {
    std::vector<std::string> arguments;
    std::string_view input = {};  // for stdin, if stdin_fd is not set
    int stdin_fd = -1;
    const Passphrase* passphrase = nullptr;  // set for every command that uses a secret key
    std::chrono::milliseconds deadline = std::chrono::seconds(60);
};

class GpgSession {
public:
    // `home` must exist, belong to us and be closed to others.
    [[nodiscard]] static base::Result<GpgSession> open(const std::filesystem::path& home);
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
    GpgSession(base::TempDir room, std::optional<base::FileLock> lock)
        : x_room(std::move(room)), x_lock(std::move(lock)) {}
    [[nodiscard]] std::filesystem::path home() const { return x_room.path() / "h"; }
    base::TempDir x_room;
    std::optional<base::FileLock> x_lock;
    bool x_used = false;
    bool x_agent_used = false;
};

// A private folder with a short name.
[[nodiscard]] base::Result<base::TempDir> short_temporary_folder();

// The environment every GnuPG program of ours gets.
[[nodiscard]] base::Environment gpg_environment(const std::filesystem::path& home);

// "<program> is not installed", with the command that installs it.
[[nodiscard]] base::Status check_program(std::string_view program);

// Folder, not a symlink, ours, closed to others; created (0700) if absent.
[[nodiscard]] base::Status make_private_folder(const std::filesystem::path& path);

}  // namespace sf::trust
