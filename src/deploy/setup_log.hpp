// SPDX-License-Identifier: Apache-2.0
// What installers have done to this machine, kept beside the logs of its daemons: whoever comes
// later did not see the terminal. What is told holds no secrets, nor does the file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace sf::deploy {

inline constexpr std::string_view setup_log_path = "/var/log/slurm-setup.log";

// Passes everything on to another, which must outlive it. One thread.
class SetupLog : public base::Reporter {
public:
    explicit SetupLog(base::Reporter& next) : x_next(next) {}

    // From here on something is changed: what was told before is written, and all that is told
    // later at once, each line with its time. A file that cannot be written is warned of, and keeps
    // nobody from going on. It is appended to, never through a link, and is root's (0640).
    void begin(const std::string& call, const std::filesystem::path& file);

    void message(base::Level level, const std::string& text) override;
    // How it ended, if anything was begun; that nothing was wrong is told by the last message.
    void failed(const base::Error& error);

private:
    void write(const std::string& text);

    base::Reporter& x_next;
    std::filesystem::path x_path;
    base::Fd x_file;
    std::string x_before;  // lines, until there is a file
};

}  // namespace sf::deploy
