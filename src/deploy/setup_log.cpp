// SPDX-License-Identifier: Apache-2.0
#include "deploy/setup_log.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <span>
#include <unistd.h>

#include "base/files.hpp"
#include "base/text.hpp"

namespace sf::deploy {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t told_before{64 << 10};  // more than that is not told before the first change

std::string line_of(base::Level level, const std::string& text) {
    const char* mark = level == base::Level::warning  ? "warning: "
                       : level == base::Level::notice ? "note: "
                                                      : "";
    return base::utc_stamp(std::time(nullptr)) + ' ' + mark + base::replace_all(text, "\n", "; ") +
           '\n';
}

// Where others may write to /var/log, what is there under this name may be a file of theirs, or
// another name of one of ours.
base::Result<base::Fd> open_log(const fs::path& file) {
    SF_TRY(base::Fd log,
           base::open_file(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0640));
    struct stat status {};
    if (::fstat(log.get(), &status) != 0)
        return base::fail_errno(errno, "look at " + base::escape_untrusted(file.native()));
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid != ::geteuid()) {
        return base::fail(base::Code::refused, "{} is no file of this user alone",
                          base::escape_untrusted(file.native()));
    }
    return log;
}

}  // namespace

void SetupLog::begin(const std::string& call, const fs::path& file) {
    if (x_file.valid()) return;
    x_path = file;
    auto log = open_log(file);
    if (!log) {
        x_next.warning("what is done here is not logged: {}", log.error().text());
        return;
    }
    x_file = std::move(*log);
    write(line_of(base::Level::info, call) + x_before);
    x_before.clear();
}

void SetupLog::message(base::Level level, const std::string& text) {
    x_next.message(level, text);
    if (level == base::Level::debug) return;
    if (x_file.valid()) return write(line_of(level, text));
    if (x_before.size() < told_before) x_before += line_of(level, text);
}

void SetupLog::failed(const base::Error& error) {
    if (!x_file.valid()) return;
    write(line_of(base::Level::info,
                  "failed: " + error.text() + (error.hint.empty() ? "" : "; next: " + error.hint)));
}

void SetupLog::write(const std::string& text) {
    const base::Status written =
        base::write_all(x_file.get(), std::as_bytes(std::span(text)), x_path);
    if (written) return;
    x_file.reset();
    x_next.warning("what is done from here on is not logged: {}", written.error().text());
}

}  // namespace sf::deploy
